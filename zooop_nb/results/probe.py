"""The facts of a file that was made: its size in pixels, its length in seconds, as its header tells."""

import warnings
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """Pixels and seconds; None is "not known"."""

    width: int | None = None
    height: int | None = None
    duration: float | None = None


def measure(path: Path, content_type: str) -> MediaFacts:
    """What the file's header says. A file that cannot be read has no facts: it was paid for and is kept.

    A clip's pixels need PyAV, which comes with the sandbox; without it they are not known.
    """
    kind = content_type.partition("/")[0]
    if kind == "image" and content_type != "image/svg+xml":
        return _picture(path)
    if kind == "video":
        return _clip(path) or _sound(path)
    return _sound(path) if kind == "audio" else MediaFacts()


def _picture(path: Path) -> MediaFacts:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                return MediaFacts(*picture.size)
    except (OSError, Image.DecompressionBombError):
        return MediaFacts()


def _clip(path: Path) -> MediaFacts | None:
    try:
        import av
    except ModuleNotFoundError:
        return None
    try:
        with av.open(str(path)) as clip:
            stream = clip.streams.video[0]
            seconds = None if clip.duration is None else round(clip.duration / av.time_base, 3)
            return MediaFacts(stream.width, stream.height, seconds)
    except (av.FFmpegError, IndexError):
        return None


def _sound(path: Path) -> MediaFacts:
    from tinytag import TinyTag, TinyTagException

    try:
        duration = TinyTag.get(path).duration
    except (TinyTagException, OSError):
        return MediaFacts()
    return MediaFacts(duration=None if duration is None else round(duration, 3))
