"""From an HTTP response to a shape or an error: pure, so that each case can be tested without a server."""

import email.utils
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from zooop_nb.client.retry import TRANSIENT
from zooop_nb.errors import Action, APIError, InvalidResponse, Remedy, class_for, remedy

T = TypeVar("T")

LONGEST_BELIEVED: Final = 7 * 24 * 3600.0
"""Seconds of a `Retry-After`; a longer one is no wait that anybody meant."""

FIRST_YEAR: Final = 2020
"""The API is younger than this; a `Date` before it is a clock that was never set."""

_NOT_THE_MODELS_FAULT: Final = frozenset({"vision_unavailable", "moderation_unavailable"})


def decode(body: bytes, shape: type[T], *, asked: str) -> T:
    """Decode `body` as `shape`. Raises `InvalidResponse`, which quotes only the beginning of the body."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidResponse(
            f"The response to {asked} is not what the API's documentation describes ({error}): "
            f"{_start(body)}",
            maybe_arrived=True,
        ) from error


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, *, asked: str
) -> APIError | InvalidResponse:
    """Return the error for a response whose status is not a success."""
    # A date in it is by the server's clock, which its own Date tells; this machine's may be off by hours.
    sent = date(headers)
    wait = retry_after(headers.get("retry-after"), now=None if sent is None else sent.timestamp())
    envelope = _envelope(body)
    if envelope is None:
        return InvalidResponse(
            f"{asked} returned HTTP {status} without the API's error envelope: {_start(body)}",
            status=status,
            transient=status in TRANSIENT,
            retry_after=wait,
            maybe_arrived=True,
        )
    code = str(envelope.pop("code", "") or "unknown")
    type = str(envelope.pop("type", "") or "unknown")
    message = str(envelope.pop("message", "") or f"HTTP {status}")
    param = envelope.pop("param", None)
    return class_for(status, type, code)(
        message,
        status=status,
        type=type,
        code=code,
        param=None if param is None else str(param),
        extras=envelope,
        retry_after=wait,
        remedies=_remedies(status, code, wait, envelope),
        # The API's own 503 says that no provider took the task; any other 5xx says nothing about it.
        maybe_arrived=status >= 500 and status != 503,
    )


def retry_after(header: str | None, *, now: float | None = None) -> float | None:
    """Return the seconds of a `Retry-After` header: a number, or an HTTP date.

    None if the header is missing, malformed or absurd. `now` is a Unix time that stands in for the clock.
    """
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            date = email.utils.parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return None
        # A date without a zone is in UTC (RFC 5322, "-0000").
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = date.timestamp() - (time.time() if now is None else now)
    return max(0.0, seconds) if seconds <= LONGEST_BELIEVED and math.isfinite(seconds) else None


def date(headers: Mapping[str, str]) -> datetime | None:
    """Return the server's time from a response's `Date`; None if it has no credible one.

    A cache's, which is as old as its copy, is not credible, nor is that of a clock that was never set.
    """
    header = headers.get("date")
    if not header or "age" in headers:
        return None
    try:
        found = email.utils.parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found if found.year >= FIRST_YEAR else None


def is_envelope(body: bytes) -> bool:
    """Whether a body is the API's error envelope, and not a page of something in between."""
    return _envelope(body) is not None


def _envelope(body: bytes) -> dict[str, Any] | None:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    error = answer.get("error") if isinstance(answer, dict) else None
    return dict(error) if isinstance(error, dict) else None


def _remedies(status: int, code: str, wait: float | None, extras: Mapping[str, Any]) -> list[Remedy]:
    if status == 401 or code == "token_project_unbound":
        return [remedy(Action.CREATE_TOKEN), remedy(Action.SET_KEY)]
    if code == "missing_required_params":
        params = extras.get("params")
        hints = params if isinstance(params, list) else []
        ids = [str(each.get("id")) for each in hints if isinstance(each, dict)]
        return [remedy(Action.SHOW_PARAMS, params=", ".join(ids))] if ids else []
    if code in {"moderation_blocked", "policy_violation"}:
        return [remedy(Action.REWORD)]
    if code in {"insufficient_credits", "arrears"}:
        return [remedy(Action.TOP_UP)]
    if status == 429 and wait is not None:
        return [remedy(Action.WAIT, seconds=round(wait))]
    if code in {"unknown_model", "model_not_public"} or (status == 503 and code not in _NOT_THE_MODELS_FAULT):
        return [remedy(Action.USE_ANOTHER_MODEL)]
    return []


def _start(body: bytes) -> str:
    text = body[:80].decode("utf-8", "replace").strip()
    return f"“{text}…”" if len(body) > 80 else f"“{text}”" if text else "nothing at all"
