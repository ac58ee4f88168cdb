"""The facts of a file that was made: its size in pixels, its length in seconds, as its header tells."""

import warnings
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Facts:
    """Pixels and seconds; None is "not known"."""

    width: int | None = None
    height: int | None = None
    duration: float | None = None


def measure(path: Path, content_type: str) -> Facts:
    """What the file's header says. A file that cannot be read has no facts: it was paid for and is kept."""
    if content_type.startswith("image/") and content_type != "image/svg+xml":
        from PIL import Image

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                with Image.open(path) as picture:
                    return Facts(*picture.size)
        except (OSError, Image.DecompressionBombError):
            return Facts()
    if content_type.startswith(("audio/", "video/")):
        from tinytag import TinyTag, TinyTagException

        try:
            duration = TinyTag.get(path).duration
        except (TinyTagException, OSError):
            return Facts()
        return Facts(duration=None if duration is None else round(duration, 3))
    return Facts()
