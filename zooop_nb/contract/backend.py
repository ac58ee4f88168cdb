"""The seam: what anything that can carry an order must do.

The live client is one backend, a recording played back is another, a recorder wraps one. Nothing above
knows which it has, apart from the `mode` that it reports.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from zooop_nb.contract.shapes import Description, Me, Model, Quote, Recipe, Submitted, TaskState

Mode = Literal["live", "sandbox", "replay"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that a backend brought: where it lies, its content type, size in bytes and SHA-256."""

    path: Path
    content_type: str
    size: int
    sha256: str


class Backend(Protocol):
    """One small async protocol over v1. Errors are those of `zooop_nb.errors`."""

    mode: Mode
    host: str
    """Scheme, name and port of the API, without a trailing slash."""
    token: str
    """The token's digest, never the token."""

    async def me(self) -> Me: ...

    async def models(self, type: str, subtype: str) -> Sequence[Model]: ...

    async def tools(self, media_type: str | None = None) -> Sequence[Recipe]: ...

    async def tool(self, slug: str) -> Recipe: ...

    async def templates(self, media_type: str | None = None) -> Sequence[Recipe]: ...

    async def template(self, slug: str) -> Recipe: ...

    async def quote(self, body: bytes) -> Quote: ...

    async def upload(self, file: Path, content_type: str) -> str:
        """Bring a file to the API; its ZOOOP URL, once it is ready."""
        ...

    async def submit(self, body: bytes, key: str) -> Submitted:
        """Submit `body` byte for byte under an idempotency key."""
        ...

    async def task(self, task_id: str) -> TaskState: ...

    async def fetch(self, url: str, folder: Path, name: str) -> Fetched:
        """Bring a file into `folder` as `name` plus the extension of its content type."""
        ...

    async def describe(self, image_url: str, language: str | None = None) -> Description: ...

    async def aclose(self) -> None: ...
