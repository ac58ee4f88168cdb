"""Edits of an input picture: masked edits, cut-outs, upscaling, restyling."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from zooop_nb.sandbox.media import inputs, picture
from zooop_nb.sandbox.media.pixels import MOST_PIXELS, opened, picture_piece, ribbon, stamp
from zooop_nb.sandbox.media.reading import digest
from zooop_nb.sandbox.media.style import FALLBACK, named_style, restyle
from zooop_nb.sandbox.media.work import Piece, Unreadable, Work


def render(work: Work, index: int) -> Piece:
    """Render `edit`, `cutout`, `upscale-image` or `restyle-image`."""
    if work.action == "edit":
        return _edit(work, index)
    source = opened(inputs.picture(work))
    if work.action == "cutout":
        return picture_piece(cut_out(source), work)
    if work.action == "upscale-image":
        return _upscale(work, source)
    fitted = picture.scaled_to(source, work.width, work.height)
    styled = restyle(fitted, named_style(work) or FALLBACK, digest(work, index))
    return picture_piece(stamp(styled, work), work)


def _edit(work: Work, index: int) -> Piece:
    """Redraw the white part of the mask from the prompt and keep the rest, at the input's size.

    The rest is identical to the input if the output is a PNG. If the input is opaque, the output is a JPEG,
    and the rest differs by the error of a high-quality JPEG. The ribbon is placed inside the white part if it
    fits there; the metadata always carry the mark.
    Without a mask, the whole picture is drawn anew, with the input as its reference.
    """
    mask_bytes = inputs.mask(work)
    if mask_bytes is None:
        inputs.picture(work)
        return picture.render(work, index)
    source, drawn_mask = opened(inputs.picture(work)), opened(mask_bytes)
    if drawn_mask.mode == "RGBA":
        ground = Image.new("RGBA", drawn_mask.size, (0, 0, 0, 255))
        ground.alpha_composite(drawn_mask)
        drawn_mask = ground
    mask = drawn_mask.convert("L").resize(source.size, Image.Resampling.BILINEAR)
    mask = mask.point([255 if value > 127 else 0 for value in range(256)])
    region = mask.getbbox()
    result = source.copy()
    if region is not None:
        width, height = region[2] - region[0], region[3] - region[1]
        patch = picture.draw(_without_references(work), index, width, height).convert(source.mode)
        plate = ribbon(work, width, height)
        if plate is not None:
            place = _inside(mask.crop(region), plate)
            if place is not None:
                patch.paste(plate.convert("RGB"), place, plate.getchannel("A"))
        # Feather inwards only, so that the black part of the mask is unchanged.
        soft = ImageChops.multiply(
            mask, mask.filter(ImageFilter.GaussianBlur(max(1.0, min(source.size) / 160)))
        )
        result.paste(patch, region[:2], soft.crop(region))
    return picture_piece(result, work, faithful=True)


def _without_references(work: Work) -> Work:
    return Work("picture", work.prompt, work.params, {}, work.model, work.seed)


def _inside(mask: Image.Image, plate: Image.Image) -> tuple[int, int] | None:
    """Return the lowest position at which the whole ribbon lies on white, or None."""
    white = np.asarray(mask) > 0
    sums = np.pad(white.cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    w, h = plate.size
    if mask.height < h or mask.width < w:
        return None
    areas = sums[h:, w:] - sums[:-h, w:] - sums[h:, :-w] + sums[:-h, :-w]
    rows, columns = np.nonzero(areas == w * h)
    return (int(columns[-1]), int(rows[-1])) if rows.size else None


def cut_out(source: Image.Image) -> Image.Image:
    """Return the picture with a transparent background (RGBA) and feathered edges.

    A simple method: the background is the area connected to the border that has the border's colours (its
    main ones, each with its own spread). It works for a subject on an even background; on a busy one it keeps
    too much. A picture that already has fully transparent pixels is returned unchanged.
    """
    if source.mode == "RGBA" and source.getchannel("A").getextrema()[0] == 0:
        return source
    scale = min(1.0, 512 / max(source.size))
    width, height = max(1, round(source.width * scale)), max(1, round(source.height * scale))
    small = source.convert("RGB").resize((width, height), Image.Resampling.BOX)
    pixels = np.asarray(small.filter(ImageFilter.GaussianBlur(1)).convert("LAB"), dtype=np.float32)
    rim = max(1, min(width, height) // 40)
    frame = np.zeros((height, width), dtype=bool)
    frame[:rim] = frame[-rim:] = True
    frame[:, :rim] = frame[:, -rim:] = True
    border = pixels[frame]
    near = np.full((height, width), np.inf, dtype=np.float32)
    for centre, spread in _clusters(border):
        distance = np.sqrt(((pixels - centre) ** 2).sum(axis=2))
        near = np.minimum(near, distance / max(10.0, min(26.0, 2.6 * spread)))
    # Colours somewhat farther from the border's still count as background if they change smoothly (a sky).
    slope = np.zeros((height, width), dtype=np.float32)
    slope[:, 1:] = np.abs(np.diff(pixels, axis=1)).sum(axis=2)
    slope[1:] = np.maximum(slope[1:], np.abs(np.diff(pixels, axis=0)).sum(axis=2))
    ground = _connected((near < 1.0) | ((near < 2.5) & (slope < 3.0)), frame)
    if ground.all():
        ground = _connected(near < 0.5, frame)
    alpha = Image.fromarray(np.where(ground, 0, 255).astype(np.uint8), "L")
    # Morphological opening removes thin lines along the edges between two background colours.
    thread = 1 + 2 * round(2 * max(width, height) / 512)
    alpha = alpha.filter(ImageFilter.MinFilter(thread)).filter(ImageFilter.MaxFilter(thread))
    alpha = alpha.filter(ImageFilter.MedianFilter(3)).resize(source.size, Image.Resampling.BICUBIC)
    alpha = alpha.filter(ImageFilter.GaussianBlur(max(0.7, 0.8 / scale)))
    # Shrink the edge by half its softness, so that no fringe of the background's colour is left.
    alpha = alpha.point([min(255, max(0, (value - 96) * 255 // 128)) for value in range(256)])
    result = source.convert("RGB").convert("RGBA")
    result.putalpha(alpha)
    return result


def _clusters(
    border: NDArray[np.float32],
) -> list[tuple[NDArray[np.float32], float]]:
    """Return up to four main colours of the border with their spreads; rare ones may be the subject's."""
    centres = border[np.linspace(0, len(border) - 1, 4).astype(int)].copy()
    nearest = np.zeros(len(border), dtype=int)
    for _ in range(8):
        nearest = np.argmin(((border[:, None, :] - centres[None]) ** 2).sum(axis=2), axis=1)
        for cluster in range(4):
            if (nearest == cluster).any():
                centres[cluster] = border[nearest == cluster].mean(axis=0)
    found = []
    for cluster in range(4):
        members = border[nearest == cluster]
        if len(members) >= 0.08 * len(border):
            found.append(
                (centres[cluster], float(np.sqrt(((members - centres[cluster]) ** 2).sum(axis=1).mean())))
            )
    return found


def _connected(
    like: NDArray[np.bool_],
    start: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return the part of `like` connected to `start`, by sweeping rows and columns until nothing is added."""
    reached = like & start
    while True:
        before = int(reached.sum())
        for axis in (0, 1):
            for backwards in (False, True):
                reached = _swept(like, reached, axis, backwards)
        if int(reached.sum()) == before:
            return reached


def _swept(
    like: NDArray[np.bool_],
    reached: NDArray[np.bool_],
    axis: int,
    backwards: bool,
) -> NDArray[np.bool_]:
    """Extend the reached pixels in one direction, as far as `like` is contiguous."""
    steps = np.arange(like.shape[axis])
    if backwards:
        like, reached = np.flip(like, axis), np.flip(reached, axis)
    steps = steps[:, None] if axis == 0 else steps[None, :]
    last_gap = np.maximum.accumulate(np.where(like, -1, steps), axis=axis)
    last_reached = np.maximum.accumulate(np.where(reached, steps, -1), axis=axis)
    carried = like & (last_reached > last_gap)
    return np.flip(carried, axis) if backwards else carried


def _upscale(work: Work, source: Image.Image) -> Piece:
    """Enlarge width and height by `work.factor` with Lanczos resampling, which invents no detail."""
    width, height = max(1, round(source.width * work.factor)), max(1, round(source.height * work.factor))
    if width * height > MOST_PIXELS or max(width, height) > 65_000:
        raise Unreadable(f"{width}x{height} is more than the sandbox makes ({MOST_PIXELS} pixels)")
    return picture_piece(source.resize((width, height), Image.Resampling.LANCZOS), work, faithful=True)
