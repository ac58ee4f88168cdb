"""The properties of a file: its size in pixels and its length in seconds and frames, from its header."""

import warnings
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MediaProperties:
    """Pixels, seconds and frames; None is "not known"."""

    width: int | None = None
    height: int | None = None
    duration: float | None = None
    frames: int | None = None


def probe(path: Path, content_type: str) -> MediaProperties:
    """Return what the file's header says. An unreadable file has no properties: it is paid for and kept.

    The pixels and frames of a clip need PyAV, which comes with the sandbox; without it they are not known.
    """
    kind = content_type.partition("/")[0]
    if kind == "image" and content_type != "image/svg+xml":
        return _picture(path)
    if kind == "video":
        return _clip(path) or _sound(path)
    return _sound(path) if kind == "audio" else MediaProperties()


def _picture(path: Path) -> MediaProperties:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                return MediaProperties(*picture.size)
    except (OSError, Image.DecompressionBombError):
        return MediaProperties()


def _clip(path: Path) -> MediaProperties | None:
    try:
        import av
    except ModuleNotFoundError:
        return None
    try:
        with av.open(str(path)) as clip:
            stream = clip.streams.video[0]
            seconds = None if clip.duration is None else round(clip.duration / av.time_base, 3)
            frames = stream.frames or _frames(seconds, stream.average_rate)
            return MediaProperties(stream.width, stream.height, seconds, frames)
    except (av.FFmpegError, IndexError):
        return None


def _frames(seconds: float | None, rate: Fraction | None) -> int | None:
    """Return the frames of a clip whose header does not count them, as in WebM."""
    return round(seconds * rate) if seconds and rate else None


def _sound(path: Path) -> MediaProperties:
    from tinytag import TinyTag, TinyTagException

    try:
        duration = TinyTag.get(path).duration
    except (TinyTagException, OSError):
        return MediaProperties()
    return MediaProperties(duration=None if duration is None else round(duration, 3))
