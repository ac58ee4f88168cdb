"""The sandbox's media: files on disk, looked up by the URLs they are served at.

API documentation: "POST /v1/uploads" (URLs), "Image output URLs".
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from zooop_nb.sandbox.media import Facts
from zooop_nb.sandbox.moderation import CLEAN, Marks

STORAGE_HOST = "storage.zooop.ai"
IMAGE_PREFIX = "cdn-cgi/image/format=png,quality=95/"
"""The image transformation in the URL of a raster output; the `.webp` in that URL names the source object."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. `key` is its storage key, `<userId>/<projectId>/<name>`."""

    key: str
    file: Path
    content_type: str
    size: int
    """Bytes."""
    sha256: str
    facts: Facts | None = None
    """Its measured properties; None for vector files."""
    marks: Marks = CLEAN
    transformed: bool = False
    """Whether its URL goes through the image transformation."""

    def url(self, base: str) -> str:
        return f"{base}/{IMAGE_PREFIX if self.transformed else ''}{self.key}"


class Assets:
    """All files, by key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._assets: dict[str, Asset] = {}

    def add(self, asset: Asset) -> None:
        self._assets[asset.key] = asset

    def get(self, key: str) -> Asset | None:
        return self._assets.get(key)

    def remove_files(self) -> None:
        """Delete every file from disk, before a reset."""
        for asset in self._assets.values():
            asset.file.unlink(missing_ok=True)

    def find(self, url: str, hosts: frozenset[str]) -> Asset | None:
        """Return the file behind one of the sandbox's own URLs, or None. `hosts` are its host names.

        Raises ForeignUrlError if the URL is on another host or not a valid URL.
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
    """The URL is not on a ZOOOP host."""
