"""The documented limits of v1 as data. API documentation: "Limits", `POST /v1/uploads`, "Idempotency"."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from zooop_nb.contract.shapes import Me

TERMINAL_STATUSES: Final = frozenset({"succeeded", "failed", "cancelled"})
"""The task statuses that never change again. API documentation: `GET /v1/tasks/{id}`."""

RATE_WINDOW: Final = 60.0
"""Seconds of the sliding window that the rates below count in."""

RATES: Final[Mapping[str, int | None]] = MappingProxyType(
    {
        "POST /v1/tasks": 60,
        "POST /v1/quote": 120,
        "POST /v1/uploads": 30,
        "GET /v1/uploads/{id}": 120,
        "GET /v1/me": 120,
        "GET /v1/ai-tools": 120,
        "GET /v1/templates": 120,
        "POST /v1/describe-image": 10,
        "GET /v1/models": None,
        "GET /v1/tasks/{id}": None,
    }
)
"""Requests per token in one window; None is unbounded. `GET /v1/me` reports the numbers in force."""

TOLD_RATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tasksPerMin": "POST /v1/tasks",
        "uploadsPerMin": "POST /v1/uploads",
        "uploadPollPerMin": "GET /v1/uploads/{id}",
    }
)
"""The names in `limits` of `GET /v1/me`, and whose rates they tell."""

KEY_LIFETIME: Final = 24 * 3600.0
"""Seconds for which the server remembers an idempotency key, per token."""

DESCRIPTION_CREDITS: Final = 1
"""The price of `POST /v1/describe-image`, which nothing quotes."""

LARGEST_UPLOAD: Final = 100 * 1024 * 1024
"""Bytes. API documentation: "Size cap"."""

UPLOAD_TYPES: Final = (
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/gif",
    "audio/mpeg",
    "audio/wav",
    "audio/webm",
    "audio/ogg",
    "video/mp4",
    "video/webm",
    "video/quicktime",
)
"""API documentation: "Allowed Content-Type values"."""

UPLOAD_POLLS: Final = (5.0, 10.0, 20.0, 20.0)
"""Seconds between two polls of a video upload; after the last the series starts again."""

UPLOAD_DEADLINE: Final = 30 * 60.0
"""Seconds after which the server gives up on a video upload."""


def tasks_at_once(me: Me | None, default: int) -> int:
    """Return the number of tasks that may run at once: what `GET /v1/me` tells, else `default`.

    API documentation: "Concurrency".
    """
    told = None if me is None else me.limits.get("maxConcurrency")
    return told if isinstance(told, int) and not isinstance(told, bool) and told > 0 else default


def upload_problem(size: int, content_type: str) -> str | None:
    """Return why the API would refuse a file of `size` bytes, or None if it takes it."""
    if size == 0:
        return "is empty."
    if size > LARGEST_UPLOAD:
        return (
            f"has {size / 1024 / 1024:.0f} MB; the API takes up to 100 MB. "
            "Upload it at https://zooop.ai and use its URL."
        )
    if content_type not in UPLOAD_TYPES:
        return f"is {content_type}; the API takes {', '.join(UPLOAD_TYPES)}."
    return None
