"""Previews small enough for a notebook file, and how much one session may embed.

Everything shown travels through the kernel as embedded bytes and stays in the saved notebook. So every
picture is re-encoded within bounds (which also drops metadata), sounds and clips are embedded only if they
are small, and an `EmbedBudget` counts what this process has embedded.
"""

import base64
import io
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL import Image

PICTURE_BYTES: Final = 300_000
"""The largest preview of a single picture, in bytes."""
TILE_BYTES: Final = 100_000
"""The same for a picture among several."""
THUMBNAIL_BYTES: Final = 16_000
"""The same once the session's budget is used up."""
MEDIA_BYTES: Final = 2_000_000
"""The largest sound, clip or drawing that is embedded whole, in bytes of the file."""
NOTEBOOK_BYTES: Final = 32_000_000
"""What one session embeds before only thumbnails are shown, in bytes before base64."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of a preview: its longer side in pixels, its size in bytes."""

    side: int
    size: int


PICTURE: Final = Bounds(1024, PICTURE_BYTES)
TILE: Final = Bounds(512, TILE_BYTES)
THUMBNAIL: Final = Bounds(192, THUMBNAIL_BYTES)


class EmbedBudget:
    """Counts the bytes that a session embedded in its notebook. Safe from any thread."""

    def __init__(self, limit: int = NOTEBOOK_BYTES) -> None:
        self.limit = limit
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes counted so far; thumbnails count as well, so this may pass the limit."""
        with self._lock:
            return self._used

    def take(self, size: int) -> bool:
        """Count `size` bytes if they fit; return whether they did."""
        with self._lock:
            if self._used + size > self.limit:
                return False
            self._used += size
            return True

    def count(self, size: int) -> None:
        """Count `size` bytes that are embedded in any case."""
        with self._lock:
            self._used += size

    @property
    def exhausted(self) -> bool:
        """Whether not even a thumbnail fits any more."""
        return self.used + THUMBNAIL_BYTES > self.limit


SESSION: Final = EmbedBudget()
"""What this process has embedded."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture ready to embed. Width and height in pixels."""

    data: bytes
    content_type: str
    width: int
    height: int
    alpha: bool

    @property
    def uri(self) -> str:
        return data_uri(self.content_type, self.data)


def data_uri(content_type: str, data: bytes) -> str:
    """Return `data` as a `data:` URI. The content type is not escaped: pass only known ones."""
    return f"data:{content_type};base64,{base64.b64encode(data).decode('ascii')}"


def picture(file: Path, bounds: Bounds, budget: EmbedBudget) -> Preview:
    """Return a preview of a picture file within `bounds`, or a thumbnail if the budget is used up.

    Raises what Pillow raises for a missing or unreadable file; a damaged file can raise anything.
    """
    from PIL import Image, ImageOps

    with Image.open(file) as source:
        source.draft("RGB", (2 * bounds.side, 2 * bounds.side))
        return _allowed(ImageOps.exif_transpose(source), bounds, budget)


def poster(file: Path, bounds: Bounds, budget: EmbedBudget) -> Preview | None:
    """Return a preview of a clip's first frame; None if PyAV, an optional package, is not installed.

    Raises what PyAV raises for a file that is not a clip.
    """
    try:
        import av
    except ImportError:
        return None
    with av.open(str(file)) as clip:
        frame = next(clip.decode(video=0))
        # The one method that PyAV does not type.
        return _allowed(frame.to_image(), bounds, budget)  # type: ignore[no-untyped-call]


def _allowed(image: "Image.Image", bounds: Bounds, budget: EmbedBudget) -> Preview:
    image = _plain(image)
    if not budget.exhausted:
        preview = _within(image, bounds)
        if budget.take(len(preview.data)):
            return preview
    thumbnail = _within(image, THUMBNAIL)
    budget.count(len(thumbnail.data))
    return thumbnail


def _plain(image: "Image.Image") -> "Image.Image":
    """Return RGBA if any pixel is transparent, else RGB."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    lowest = image.getchannel("A").getextrema()[0]
    return image if lowest != 255 else image.convert("RGB")


def _within(image: "Image.Image", bounds: Bounds) -> Preview:
    from PIL import Image

    alpha = image.mode == "RGBA"
    side = bounds.side
    while True:
        copy = image.copy()
        copy.thumbnail((side, side), Image.Resampling.LANCZOS)
        for quality in (85, 70, 50):
            stream = io.BytesIO()
            copy.save(stream, "WEBP" if alpha else "JPEG", quality=quality)
            # Below 16 pixels a preview is of no use.
            if stream.tell() <= bounds.size or side <= 16:
                content_type = "image/webp" if alpha else "image/jpeg"
                return Preview(stream.getvalue(), content_type, copy.width, copy.height, alpha)
        side = side * 2 // 3
