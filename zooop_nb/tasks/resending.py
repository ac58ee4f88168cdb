"""Whether an order that may have arrived can be followed, or sent again under its key: pure.

API documentation: "Idempotency": the server remembers a key for 24 hours, per token.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from zooop_nb.contract.backend import Backend
from zooop_nb.contract.limits import KEY_LIFETIME
from zooop_nb.ledger import OrderRecord

RESEND_WITHIN: Final = KEY_LIFETIME - 3600.0
"""Seconds after the first sending within which an order may be sent again."""

CLOCKS_AGREE: Final = 60.0
"""Seconds by which an order may seem to be sent in the future: clocks that agree differ by as much."""


def age(record: OrderRecord, now: datetime) -> float | None:
    """Return the seconds since the first sending; None if it was never sent, or the age is impossible."""
    if record.sent_at is None:
        return None
    seconds = (now - datetime.fromisoformat(record.sent_at)).total_seconds()
    return None if seconds < -CLOCKS_AGREE else max(seconds, 0.0)


def may_follow(record: OrderRecord, backend: Backend) -> bool:
    """Return whether this backend can see the task: token, host and mode are those of the order."""
    own = (backend.token, backend.host, backend.mode)
    return (record.token, record.host, record.mode) == own


def may_resend(record: OrderRecord, backend: Backend) -> bool:
    """Return whether an order whose task is not known may be sent again under its key.

    Only if the first sending is less than 23 hours old by the server's clock, and token and host are the
    same. An impossible age is never young enough.
    """
    seconds = age(record, backend.clock.now())
    # A description is sent without a key.
    return (
        record.target != "describe"
        and may_follow(record, backend)
        and seconds is not None
        and seconds < RESEND_WITHIN
    )


def send_before(record: OrderRecord, backend: Backend) -> datetime:
    """Return the time, by the server's clock, from which on the order must not be sent any more."""
    sent = backend.clock.now() if record.sent_at is None else datetime.fromisoformat(record.sent_at)
    return sent + timedelta(seconds=RESEND_WITHIN)


def stamp(moment: datetime) -> str:
    """Return a time as the ledger writes it: UTC, ISO 8601, microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
