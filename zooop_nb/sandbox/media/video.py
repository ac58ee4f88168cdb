"""Clips from text, pictures or other clips: few frames per second, real H.264 and AAC.

A clip from text is one drawn picture with a camera moving over it; nothing in the picture moves. Each
function says which part of its task is only approximated.
"""

import math
import random
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zooop_nb.sandbox.media import audio, inputs, picture
from zooop_nb.sandbox.media.audio import RATE, Samples
from zooop_nb.sandbox.media.clip import Shot, clip_piece, even, frames, last_frame, pace, shot
from zooop_nb.sandbox.media.music import backing
from zooop_nb.sandbox.media.pixels import MOST_PIXELS, opened, ribbon, ribbon_place
from zooop_nb.sandbox.media.reading import called, digest, words
from zooop_nb.sandbox.media.style import FALLBACK, named_style, restyle
from zooop_nb.sandbox.media.work import Piece, Unreadable, Work

LONGEST = 120.0
"""Seconds. Longer clips are refused, because one order would keep the machine busy for minutes."""

_MARGIN = 1.16
"""Size of the picture that the camera moves over, relative to a frame."""

Camera = Callable[[float], tuple[float, float, float]]
"""Progress (0 to 1) -> zoom (1: the whole picture) and position of the view, 0 to 1 across and down."""


def render(work: Work, index: int) -> Piece:
    """Render one of the video actions. Raises `Unreadable` for missing, unreadable or too long input."""
    make = {
        "video": _from_words,
        "animate": _animate,
        "motion": _motion,
        "lipsync": _lipsync,
        "extend": _extend,
        "restyle-video": _restyle,
        "upscale-video": _upscale,
    }[work.action]
    return make(work, index)


def _length(seconds: float) -> float:
    if not 0 < seconds <= LONGEST:
        raise Unreadable(f"{seconds:g} seconds: the sandbox makes clips of up to {LONGEST:.0f} seconds")
    return seconds


def _size(work: Work, source: tuple[int, int]) -> tuple[int, int]:
    """Return the size of a clip made from a source: the requested size, or the source's aspect ratio.

    Ratios are limited to between 1:3 and 3:1: a strip one pixel wide would give a clip of thousands.
    """
    if not work.takes_shape:
        return even(work.width), even(work.height)
    side = min(work.width, work.height)
    ratio = min(3.0, max(1 / 3, source[0] / source[1]))
    return even(round(side * max(1.0, ratio))), even(round(side * max(1.0, 1 / ratio)))


def _silent(work: Work) -> bool:
    """Return whether a boolean param turns the sound off; the clip then has a silent sound track."""
    return any(
        value is False and any(part in name for part in ("audio", "sound", "music"))
        for name, value in work.params.items()
    )


def _pad(work: Work, index: int, seconds: float) -> Samples:
    if _silent(work):
        return np.zeros(round(seconds * RATE), dtype=np.float32)
    return backing(work.prompt, seconds, random.Random(digest(work, index)))


def _own_sound(work: Work, data: bytes) -> Samples:
    if _silent(work) or not audio.has_sound(data):
        return np.zeros(0, dtype=np.float32)
    return audio.decoded(data)


def _marker(work: Work, width: int, height: int) -> Callable[[Image.Image], Image.Image]:
    """Return a function that puts the ribbon, drawn only once, onto a frame."""
    plate = ribbon(work, width, height)
    if plate is None:
        return lambda frame: frame
    place, alpha, opaque = ribbon_place(width, height, plate), plate.getchannel("A"), plate.convert("RGB")

    def lay(frame: Image.Image) -> Image.Image:
        frame.paste(opaque, place, alpha)
        return frame

    return lay


def _camera(work: Work, index: int) -> Camera:
    """Return the camera movement that the text names, else one chosen by the seed."""
    told = [str(value) for name, value in work.params.items() if "camera" in name]
    text = " ".join([work.prompt, *told]).lower().replace("_", " ")
    spoken = words(text)
    rng = random.Random(digest(work, index) ^ 0x5EED)
    y = rng.uniform(0.4, 0.6)
    ways: tuple[tuple[tuple[str, ...], Camera], ...] = (
        (("zoom out", "pull back", "dolly out", "拉远"), lambda t: (_MARGIN - (_MARGIN - 1) * t, 0.5, 0.5)),
        (("zoom in", "zoom", "push in", "dolly in", "推近"), lambda t: (1 + (_MARGIN - 1) * t, 0.5, 0.5)),
        (("pan left", "左"), lambda t: (_MARGIN, 1 - t, y)),
        (("pan right", "pan", "右"), lambda t: (_MARGIN, t, y)),
        (("tilt up", "上"), lambda t: (_MARGIN, 0.5, 1 - t)),
        (("tilt down", "tilt", "下"), lambda t: (_MARGIN, 0.5, t)),
    )
    for names, camera in ways:
        if called(names, spoken, text):
            return camera
    start, end = (rng.uniform(0.0, 0.35), rng.uniform(0.65, 1.0))[:: rng.choice((1, -1))]
    return lambda t: (1.06 + (_MARGIN - 1.06) * t, start + (end - start) * t, y)


def _view(large: Image.Image, width: int, height: int, zoom: float, x: float, y: float) -> Image.Image:
    """Return the camera's view of a picture."""
    seen = large.width / zoom, large.height / zoom
    left, top = (large.width - seen[0]) * x, (large.height - seen[1]) * y
    return large.resize(
        (width, height), Image.Resampling.BILINEAR, box=(left, top, left + seen[0], top + seen[1])
    )


def _eased(step: int, count: int) -> float:
    """Return the progress from 0 at the first frame to 1 at the last, eased at both ends."""
    return 0.5 - 0.5 * math.cos(math.pi * step / max(1, count - 1))


def _from_words(work: Work, index: int) -> Piece:
    """Move a camera over a picture of the prompt; references are framed in it and set its colours."""
    width, height, seconds = even(work.width), even(work.height), _length(work.seconds)
    rate = Fraction(pace(width, height))
    count = max(1, round(seconds * rate))
    large = picture.draw(_opaque(work), index, round(width * 1.1), round(height * 1.1)).convert("RGB")
    camera, mark = _camera(work, index), _marker(work, width, height)
    views = (mark(_view(large, width, height, *camera(_eased(step, count)))) for step in range(count))
    return clip_piece(views, rate, _pad(work, index, seconds), work)


def _opaque(work: Work) -> Work:
    """Return the work as a picture, with only the pictures among its inputs, which can be framed in it."""
    shown = tuple(inputs.pictures(work))
    return Work(
        "picture",
        work.prompt,
        work.params,
        {"image_urls": shown} if shown else {},
        work.model,
        work.seed,
        voice=work.voice,
    )


def _animate(work: Work, index: int) -> Piece:
    """Begin exactly at the first frame and end exactly at the last frame, if one is given.

    Between them, the animation is only approximated: a camera moves, and one frame fades into the other. The
    ribbon is on all frames except those two.
    """
    seconds = _length(work.seconds)
    begin, end = inputs.frames(work)
    start = opened(begin)
    width, height = _size(work, start.size)
    rate = Fraction(pace(width, height))
    count = max(2, round(seconds * rate))
    first = picture.scaled_to(start, width, height)
    last = picture.scaled_to(opened(end), width, height) if end is not None else None
    mark = _marker(work, width, height)

    def views() -> Iterator[Image.Image]:
        for step in range(count):
            t = _eased(step, count)
            view = _view(first, width, height, 1 + 0.14 * t, 0.5, 0.45) if step else first.copy()
            if last is not None:
                other = (
                    _view(last, width, height, 1 + 0.14 * (1 - t), 0.5, 0.45) if step < count - 1 else last
                )
                view = Image.blend(view, other, min(1.0, max(0.0, (t - 0.2) / 0.6)))
            ending = last is not None and step == count - 1
            yield view if step == 0 or ending else mark(view)

    return clip_piece(views(), rate, _pad(work, index, seconds), work)


def _motion(work: Work, index: int) -> Piece:
    """Shift the picture as the whole image of the reference clip shifts, for the clip's length.

    Only approximated: the overall motion is measured by phase correlation and transferred; limbs do not move.
    """
    source = inputs.clip(work)
    model = shot(source)
    _length(model.seconds)
    given = opened(inputs.picture(work))
    width, height = _size(work, given.size)
    rate = min(model.rate, Fraction(pace(width, height)))
    still = picture.scaled_to(given, round(width * 1.2), round(height * 1.2))
    mark = _marker(work, width, height)
    shifts = _shifts(frames(source, rate, 96, 96))
    largest = max((abs(value) for pair in shifts for value in pair), default=0.0)
    reach = 0.5 / max(largest, 24.0)

    def views() -> Iterator[Image.Image]:
        for dx, dy in shifts:
            yield mark(_view(still, width, height, 1.2, 0.5 - dx * reach, 0.5 - dy * reach))

    sound = _own_sound(work, source)
    return clip_piece(views(), rate, sound if len(sound) else _pad(work, index, model.seconds), work)


def _shifts(pictures: Iterator[Image.Image]) -> list[tuple[float, float]]:
    """Return how far each picture's content has moved since the first, in pixels right and down."""
    found: list[tuple[float, float]] = []
    before: NDArray[np.complex128] | None = None
    x = y = 0.0
    window = np.outer(np.hanning(96), np.hanning(96))
    for frame in pictures:
        grey = np.asarray(frame.convert("L"), dtype=np.float64)
        now = np.fft.fft2((grey - grey.mean()) * window)
        if before is not None:
            cross = now * before.conj()
            peak = np.fft.ifft2(cross / np.maximum(np.abs(cross), 1e-9)).real
            row, column = divmod(int(np.argmax(peak)), 96)
            dx, dy = (value - 96 if value > 48 else value for value in (column, row))
            # A jump across a third of the picture is a cut or a failed measurement.
            if abs(dx) < 32 and abs(dy) < 32:
                x, y = x + dx, y + dy
        before = now
        found.append((x, y))
    return found


def _lipsync(work: Work, _: int) -> Piece:
    """Combine the whole input sound with the input picture, or with the clip, repeated as needed.

    The result is as long as the sound. Lip sync is only approximated: no mouth is found or moved. Instead,
    the picture zooms slightly with the loudness, and a row of bars at the lower edge shows it.
    """
    voice = audio.decoded(inputs.sound(work))
    seconds = _length(len(voice) / RATE)
    width, height = _size(work, _own_size(work))
    rate = Fraction(pace(width, height))
    count = max(1, round(seconds * rate))
    mark = _marker(work, width, height)
    level = _loudness(voice, count)

    def views() -> Iterator[Image.Image]:
        for step, still in zip(range(count), _faces(work, rate, width, height), strict=False):
            view = _view(still, width, height, 1 + 0.05 * level[step], 0.5, 0.5)
            yield mark(_bars(view, level, step))

    return clip_piece(views(), rate, voice, work)


def _own_size(work: Work) -> tuple[int, int]:
    """Return the size of the input picture, else of the input clip."""
    if inputs.pictures(work):
        return opened(inputs.picture(work)).size
    model = shot(inputs.clip(work))
    return model.width, model.height


def _faces(work: Work, rate: Fraction, width: int, height: int) -> Iterator[Image.Image]:
    """Yield the input picture, or else the input clip's frames, endlessly."""
    if inputs.pictures(work):
        still = picture.scaled_to(opened(inputs.picture(work)), width, height)
        while True:
            yield still
    source = inputs.clip(work)
    model = shot(source)
    while True:
        for frame in frames(source, rate, model.width, model.height):
            yield picture.scaled_to(frame, width, height)


def _loudness(sound: Samples, count: int) -> list[float]:
    """Return a sound's loudness in `count` equal intervals, 0 to 1."""
    parts = np.array_split(sound, count)
    levels = [float(np.sqrt(np.mean(part**2))) if len(part) else 0.0 for part in parts]
    top = max(levels)
    return [level / top if top else 0.0 for level in levels]


def _bars(view: Image.Image, level: list[float], step: int) -> Image.Image:
    """Draw nine bars in the middle of the lower edge that show the loudness around this frame."""
    wide, gap = max(2, view.width // 90), max(1, view.width // 140)
    left = view.width // 2 - (9 * wide + 8 * gap) // 2
    for bar in range(9):
        at = step - abs(bar - 4)
        tall = max(2, round(view.height * 0.1 * (level[at] if at >= 0 else 0.0)))
        x, y = left + bar * (wide + gap), view.height - round(view.height * 0.04) - tall
        view.paste((255, 255, 255), (x, y, x + wide, y + tall))
    return view


def _extend(work: Work, index: int) -> Piece:
    """Extend the input clip by `work.seconds`, beginning exactly at its last frame.

    The camera moves over that frame, which fades into a picture of the prompt if there is a prompt. Size and
    frame rate are the input's (at most 12 frames per second); its sound is followed by a quiet pad.
    """
    source = inputs.clip(work)
    model = shot(source)
    more = _length(work.seconds)
    _length(model.seconds + more)
    width, height = model.width, model.height
    rate = min(model.rate, Fraction(12))
    count = max(1, round(more * rate))
    mark = _marker(work, width, height)
    last = last_frame(source, width, height)
    onward = picture.draw(_opaque(work), index, width, height).convert("RGB") if work.prompt.strip() else None

    def views() -> Iterator[Image.Image]:
        yield from frames(source, rate, width, height)
        for step in range(count):
            t = _eased(step, count)
            view = _view(last, width, height, 1 + 0.12 * t, 0.5, 0.45) if step else last.copy()
            if onward is not None and t > 0.35:
                view = Image.blend(view, onward, (t - 0.35) / 0.65)
            yield mark(view) if step else view

    before = np.zeros(round(model.seconds * RATE), dtype=np.float32)
    own = _own_sound(work, source)[: len(before)]
    before[: len(own)] = own
    return clip_piece(views(), rate, np.concatenate([before, _pad(work, index, more)]), work)


def _restyle(work: Work, index: int) -> Piece:
    """Restyle the input's frames (see `style`), keeping its size, length and sound."""
    source = inputs.clip(work)
    model = shot(source)
    _length(model.seconds)
    rate = min(model.rate, Fraction(10))
    style, seed = named_style(work) or FALLBACK, digest(work, index)
    mark = _marker(work, model.width, model.height)
    scale = min(1.0, 480 / max(model.width, model.height))
    small = max(1, round(model.width * scale)), max(1, round(model.height * scale))

    def views() -> Iterator[Image.Image]:
        for frame in frames(source, rate, *small):
            yield mark(
                restyle(frame, style, seed).resize((model.width, model.height), Image.Resampling.BICUBIC)
            )

    return clip_piece(views(), rate, _own_sound(work, source), work)


def _upscale(work: Work, _: int) -> Piece:
    """Enlarge every frame by `work.factor` with Lanczos resampling, keeping the input's sound.

    There is no ribbon, because the frames are the input's; the mark is in the file's metadata.
    """
    source = inputs.clip(work)
    model: Shot = shot(source)
    _length(model.seconds)
    width, height = even(round(model.width * work.factor)), even(round(model.height * work.factor))
    if width * height > MOST_PIXELS // 4:
        raise Unreadable(
            f"{width}x{height} is more than the sandbox makes of a clip ({MOST_PIXELS // 4} pixels)"
        )
    return clip_piece(frames(source, model.rate, width, height), model.rate, _own_sound(work, source), work)
