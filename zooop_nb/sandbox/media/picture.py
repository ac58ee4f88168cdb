"""Pictures from text: a landscape with the objects that the prompt names, drawn with Pillow and numpy.

It resembles a model's output only in that it is a real picture of the requested size that depends on the
prompt and the references; it can show only what the vocabulary of `scene` contains.
"""

import math
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from zooop_nb.sandbox.media.colour import RGB, main_colours
from zooop_nb.sandbox.media.inputs import pictures
from zooop_nb.sandbox.media.pixels import cover, opened, picture_piece, stamp
from zooop_nb.sandbox.media.reading import digest
from zooop_nb.sandbox.media.scene import Scene, compose
from zooop_nb.sandbox.media.shape import Shape
from zooop_nb.sandbox.media.style import named_style, restyle
from zooop_nb.sandbox.media.work import Piece, Work

_CANVAS = 1280
"""The longest side at which scenes are drawn; larger pictures are upscaled, which suits soft drawings."""


def render(work: Work, index: int) -> Piece:
    """Render the prompt in the requested size; references are framed in the picture and set its colours."""
    return picture_piece(stamp(draw(work, index, work.width, work.height), work), work)


def draw(work: Work, index: int, width: int, height: int) -> Image.Image:
    """Return the picture without its ribbon: RGB, or RGBA with a transparent background if `work.alpha`."""
    references = [opened(data) for data in pictures(work)]
    colours = [colour for reference in references[:2] for colour, _ in main_colours(reference, 5)]
    scene = compose(work, index, width=width, height=height, colours=colours or None)
    shrink = min(1.0, _CANVAS / max(width, height))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    if work.alpha:
        image = _sticker(work, index, scene, size)
    else:
        image = paint(scene, *size)
        style = named_style(work)
        # Drawn scenes already have a neon sky; the filter would also recolour the objects in the prompt.
        if style is not None and style != "neon":
            image = restyle(image, style, digest(work, index))
    _hang(image, references)
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.LANCZOS)


def paint(scene: Scene, width: int, height: int) -> Image.Image:
    """Draw the scene as RGB."""
    image = _sky(scene, width, height)
    for shape in scene.shapes:
        _lay(image, shape, min(width, height))
    return image


def _sky(scene: Scene, width: int, height: int) -> Image.Image:
    places = [place for place, _ in scene.sky]
    down = np.linspace(0.0, 1.0, height)
    column = np.stack(
        [np.interp(down, places, [colour[c] for _, colour in scene.sky]) for c in range(3)], axis=1
    )
    if scene.glow is None:
        return Image.fromarray(
            np.broadcast_to(column[:, None, :], (height, width, 3)).astype(np.uint8), "RGB"
        )
    # The glow is smooth, so computing it at a quarter of the size is enough.
    small_width, small_height = max(2, width // 4), max(2, height // 4)
    x, y, radius, colour = scene.glow
    ys = np.linspace(0.0, scene.height, small_height)[:, None]
    xs = np.linspace(0.0, scene.width, small_width)[None, :]
    strength = 0.55 * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (0.35 * radius * radius))
    base = np.stack(
        [np.interp(np.linspace(0, 1, small_height), places, [c[k] for _, c in scene.sky]) for k in range(3)],
        axis=1,
    )[:, None, :]
    lit = base + (np.array(colour, dtype=float) - base) * strength[:, :, None]
    return Image.fromarray(lit.round().astype(np.uint8), "RGB").resize(
        (width, height), Image.Resampling.BILINEAR
    )


def _lay(image: Image.Image, shape: Shape, unit: int) -> None:
    """Draw one shape onto the picture, antialiased by drawing its mask at twice the size."""
    left, top, right, bottom = (edge * unit for edge in shape.box)
    spread = 2 + (max(right - left, bottom - top) * 0.08 if shape.curved else 0)
    x0, y0 = max(0, math.floor(left - spread)), max(0, math.floor(top - spread))
    x1, y1 = min(image.width, math.ceil(right + spread)), min(image.height, math.ceil(bottom + spread))
    if x1 <= x0 or y1 <= y0:
        return
    fine = Image.new("L", ((x1 - x0) * 2, (y1 - y0) * 2), 0)
    points = [((x * unit - x0) * 2, (y * unit - y0) * 2) for x, y in shape.flattened()]
    ImageDraw.Draw(fine).polygon(points, fill=round(255 * shape.opacity))
    mask = fine.reduce(2)
    paint_colour: Image.Image
    if shape.fade is None:
        paint_colour = Image.new("RGB", mask.size, shape.fill)
    else:
        paint_colour = _gradient(mask.size, shape.fill, shape.fade, (top - y0, bottom - y0))
    if image.mode == "RGBA":
        paint_colour.putalpha(mask)
        image.alpha_composite(paint_colour, (x0, y0))
    else:
        image.paste(paint_colour, (x0, y0), mask)


def _gradient(size: tuple[int, int], upper: RGB, lower: RGB, rows: tuple[float, float]) -> Image.Image:
    width, height = size
    share = np.clip((np.arange(height) - rows[0]) / max(1.0, rows[1] - rows[0]), 0.0, 1.0)[:, None]
    column = np.array(upper, dtype=float) * (1 - share) + np.array(lower, dtype=float) * share
    return Image.fromarray(column.round().astype(np.uint8)[:, None, :], "RGB").resize(
        (width, height), Image.Resampling.NEAREST
    )


def _sticker(work: Work, index: int, scene: Scene, size: tuple[int, int]) -> Image.Image:
    """Draw the objects that the prompt names on a transparent background; a star if it names no known one."""
    subject = scene.subject
    if not subject:
        subject = compose(
            replace(work, prompt=f"{work.prompt} star"), index, width=size[0], height=size[1]
        ).subject
    left, top = (min(shape.box[side] for shape in subject) for side in (0, 1))
    right, bottom = (max(shape.box[side] for shape in subject) for side in (2, 3))
    scale = 0.78 * min(scene.width / (right - left), scene.height / (bottom - top))
    x, y = scene.width / 2 - scale * (left + right) / 2, scene.height / 2 - scale * (top + bottom) / 2
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    for shape in subject:
        _lay(image, shape.placed(x, y, scale), min(size))
    return image


def _hang(image: Image.Image, references: list[Image.Image]) -> None:
    """Draw up to four references as framed pictures along the upper edge."""
    shown = references[:4]
    if not shown:
        return
    width, height = image.size
    slot = width / len(shown)
    for place, reference in enumerate(shown):
        room = (slot * 0.72, height * (0.44 if len(shown) == 1 else 0.36))
        scale = min(room[0] / reference.width, room[1] / reference.height)
        inner = max(1, round(reference.width * scale)), max(1, round(reference.height * scale))
        edge = max(1, round(min(image.size) * 0.012))
        frame = Image.new("RGBA", (inner[0] + 2 * edge, inner[1] + 2 * edge), (252, 250, 244, 255))
        small = reference.resize(inner, Image.Resampling.LANCZOS, reducing_gap=3.0).convert("RGBA")
        frame.alpha_composite(small, (edge, edge))
        x, y = round(slot * (place + 0.5) - frame.width / 2), round(height * 0.07)
        shade = Image.new("RGBA", frame.size, (10, 12, 24, 90))
        for layer, at in ((shade, (x + edge, y + edge)), (frame, (x, y))):
            image.paste(layer.convert(image.mode), at, layer.getchannel("A"))


def scaled_to(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return an input picture cropped to fill the requested size, on white where it is transparent."""
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
        ground.alpha_composite(image)
        image = ground.convert("RGB")
    return cover(image, width, height)
