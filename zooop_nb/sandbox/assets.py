"""The media that the sandbox holds: files on disk, found by the URLs under which it serves them.

API documentation: "POST /v1/uploads" (URLs), "Image output URLs".
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from zooop_nb.sandbox.media import Facts
from zooop_nb.sandbox.moderation import CLEAN, Marks

STORAGE_HOST = "storage.zooop.ai"
IMAGE_PREFIX = "cdn-cgi/image/format=png,quality=95/"
"""Before the path of a raster output: the image transformation, whose `.webp` names the source object."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. `key` is its place in the storage, `<userId>/<projectId>/<name>`."""

    key: str
    file: Path
    content_type: str
    size: int
    """Bytes."""
    sha256: str
    facts: Facts | None = None
    """Its measures; None for vectors."""
    marks: Marks = CLEAN
    transformed: bool = False
    """Whether it is delivered through the image transformation."""

    def url(self, base: str) -> str:
        return f"{base}/{IMAGE_PREFIX if self.transformed else ''}{self.key}"


class Assets:
    """All files, by their keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._assets: dict[str, Asset] = {}

    def add(self, asset: Asset) -> None:
        self._assets[asset.key] = asset

    def get(self, key: str) -> Asset | None:
        return self._assets.get(key)

    def remove_files(self) -> None:
        """Take every file off the disk, before a reset."""
        for asset in self._assets.values():
            asset.file.unlink(missing_ok=True)

    def find(self, url: str, hosts: frozenset[str]) -> Asset | None:
        """The file behind one of the sandbox's own URLs, or None. `hosts` are the names it answers to.

        Raises ForeignUrlError where the URL is somebody else's, or none at all.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ForeignUrlError(url) from None
        if parts.scheme not in ("http", "https") or parts.netloc.lower() not in hosts:
            raise ForeignUrlError(url)
        key = parts.path.lstrip("/")
        if key.startswith("cdn-cgi/image/"):
            key = key.split("/", 3)[-1]
        return self._assets.get(key)


class ForeignUrlError(ValueError):
    """Not one of ZOOOP's own URLs."""
