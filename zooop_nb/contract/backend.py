"""The backend protocol: what anything that carries orders must do.

The live client is one backend; a recording that is played back can be another. Nothing above knows which it
has, except by the `mode` that it reports. What a backend is given is plain data.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from zooop_nb.contract.clock import ServerClock
from zooop_nb.contract.shapes import Description, Me, Model, Quote, Recipe, Submitted, TaskState

Mode = Literal["live", "sandbox", "replay"]


OnWait = Callable[[float], None]
"""Called with the seconds until the API allows a request, when a request has to wait for that."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be sent: enough for a recording to find it again."""

    fingerprint: str
    """The order's fingerprint: its target and params, media by content."""
    body: bytes
    """The request's body, byte for byte."""
    media: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of the content behind each ZOOOP URL in the body, as far as it is known."""
    order_id: str = ""
    key: str = ""
    """The idempotency key; empty for a quote and for a description."""
    send_before: datetime | None = None
    """When the server may have forgotten the key, by its clock: not sent from then on."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A downloaded file: its path, content type, size in bytes and SHA-256."""

    path: Path
    content_type: str
    size: int
    sha256: str


class Backend(Protocol):
    """A small async protocol over v1. Every method raises the errors of `zooop_nb.errors`.

    A rate limit is waited for, before the request and after a 429 `rate_limited`; `on_wait` hears of it about
    once a second, on the event loop's thread, and what it raises ends the wait.
    """

    mode: Mode
    host: str
    """The API's scheme, host and port, without a trailing slash."""
    token: str
    """The token's digest, never the token."""
    clock: ServerClock
    """The server's time, as last heard."""

    async def me(self, on_wait: OnWait | None = None) -> Me:
        """Return the token's own view of itself. `GET /v1/me`."""
        ...

    async def models(self, type: str, subtype: str) -> Sequence[Model]:
        """Return the models of a category, recommended first. `GET /v1/models`."""
        ...

    async def tools(self, media_type: str | None = None, on_wait: OnWait | None = None) -> Sequence[Recipe]:
        """Return the AI tools, all or those of `image` or `video`. `GET /v1/ai-tools`."""
        ...

    async def tool(self, slug: str, on_wait: OnWait | None = None) -> Recipe:
        """Return one AI tool. `GET /v1/ai-tools/{slug}`."""
        ...

    async def templates(
        self, media_type: str | None = None, on_wait: OnWait | None = None
    ) -> Sequence[Recipe]:
        """Return the templates, all or those of `image` or `video`. `GET /v1/templates`."""
        ...

    async def template(self, slug: str, on_wait: OnWait | None = None) -> Recipe:
        """Return one template. `GET /v1/templates/{slug}`."""
        ...

    async def quote(self, intent: Intent, on_wait: OnWait | None = None) -> Quote:
        """Return the exact price of the intent's body; nothing is charged. `POST /v1/quote`."""
        ...

    async def upload(self, file: Path, content_type: str, on_wait: OnWait | None = None) -> str:
        """Upload a file; return its ZOOOP URL once it is ready. `POST /v1/uploads`."""
        ...

    async def submit_allowed(self, on_wait: OnWait | None = None) -> None:
        """Wait until the API's rate limit allows to submit. Nothing is sent."""
        ...

    async def submit(self, intent: Intent) -> Submitted:
        """Submit the intent's body byte for byte under its key. `POST /v1/tasks`.

        A rate limit that `submit_allowed` did not foresee is raised: the order was not taken. No attempt is
        made at or after `send_before`, by the server's clock. The `maybe_arrived` of an error speaks for all
        attempts.
        """
        ...

    async def task(self, task_id: str) -> TaskState:
        """Return the current state of a task. `GET /v1/tasks/{id}`."""
        ...

    async def fetch(self, url: str, folder: Path, name: str) -> Fetched:
        """Download a file into `folder` as `name` plus the extension of its content type."""
        ...

    async def describe(self, intent: Intent, on_wait: OnWait | None = None) -> Description:
        """Describe an image, for 1 credit. `POST /v1/describe-image`.

        It takes no key: it is sent again only after an answer that says that nothing was charged, or that it
        was refunded.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
