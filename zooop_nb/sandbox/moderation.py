"""Simulated content policy: a fixed list of triggers, one for each outcome.

Words, anywhere in a prompt or another text param (case-insensitive):
`sandbox-nsfw` -> `POST /v1/tasks` returns 422 `moderation_blocked`, and nothing is charged.

Marks, ending in `;`, as ASCII bytes anywhere in an uploaded file (append one to any picture or clip:
`printf 'sandbox-block:porn;' >> cat.png`):
`sandbox-block:LABELS;` -> a picture is refused with 451 and LABELS; a clip ends `blocked` with LABELS.
`sandbox-error:REASON;` -> a clip ends `errored` with REASON; a picture or sound upload returns 502
`storage_upload_failed`.
`sandbox-unmoderated;` -> the upload returns 503 `moderation_unavailable`.
`sandbox-refuse:LABELS;` -> the upload succeeds; a task that uses it returns 422 `moderation_blocked`.
`sandbox-vision:CODE;` -> describe-image fails with CODE: `policy_violation`, `upstream_rate_limited` or
`vision_unavailable`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zooop_nb.sandbox.refusal import Refusal

TRIGGER_WORDS = ("sandbox-nsfw",)

_MARK = re.compile(rb"sandbox-(block|error|refuse|vision|unmoderated)(?::([\x20-\x3a\x3c-\x7e]{1,80}))?;")


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks in a file; None or False if absent."""

    block: str | None = None
    error: str | None = None
    refuse: str | None = None
    vision: str | None = None
    unmoderated: bool = False


CLEAN = Marks()


def marks(data: bytes) -> Marks:
    """Return the marks in a file."""
    found = {name.decode(): (text or b"").decode() for name, text in _MARK.findall(data)}
    return Marks(
        block=found.get("block"),
        error=found.get("error"),
        refuse=found.get("refuse"),
        vision=found.get("vision"),
        unmoderated="unmoderated" in found,
    )


def unmarked(data: bytes) -> bytes:
    """Remove the marks from a file, because not every format allows trailing bytes."""
    return _MARK.sub(b"", data)


def check_texts(texts: Mapping[str, str]) -> None:
    """Check the caller's texts, by param. Raises Refusal 422 `moderation_blocked`."""
    for param, text in texts.items():
        if any(word in text.lower() for word in TRIGGER_WORDS):
            raise Refusal(
                422, "moderation_blocked", "The text violates content policy.", param=param, labels="porn"
            )


def check_media(media: Mapping[str, Iterable[Marks]]) -> None:
    """Raise Refusal 422 `moderation_blocked` if a file in a param carries a `sandbox-refuse` mark."""
    for param, files in media.items():
        for file in files:
            if file.refuse is not None:
                raise Refusal(
                    422,
                    "moderation_blocked",
                    "The media violates content policy.",
                    param=param,
                    labels=file.refuse,
                )
