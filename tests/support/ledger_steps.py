"""The steps of an order in the ledger, as an order that succeeds takes them, without an API."""

import uuid
from collections.abc import Callable

from zooop_nb.ledger import Ledger, OrderRecord, Reservation

SESSION_SIZE = 30
"""The orders of one session: what it has spent is summed with each new one."""


def record(number: int) -> OrderRecord:
    """Return a typical order, as it is quoted."""
    return OrderRecord(
        order_id=str(uuid.uuid4()),
        batch=str(uuid.uuid4()),
        fingerprint=f"{number:064x}",
        target="model",
        body=b'{"interfaceId":"x","params":{"prompt":"a red panda"},"versionId":"standard"}',
        key=str(uuid.uuid4()),
        token="0" * 64,
        host="https://api.zooop.ai",
        mode="live",
        type="image",
        subtype="default",
        model=f"Model {number % 70}",
        version="standard",
        unit="image",
        prompt=f"a red panda, number {number}",
        params={"prompt": f"a red panda, number {number}", "quality": "low"},
        tags=("bench",),
        quoted=4,
        breakdown={"pricing_key": "low-1k", "base": 4, "multiplier": 1, "min_price_applied": False},
    )


def steps(ledger: Ledger, number: int) -> dict[str, Callable[[], object]]:
    """Return the steps of one new order by name, to be called in this order."""
    one = record(number)
    reservation = Reservation(
        session=f"session {number // SESSION_SIZE}",
        mode=one.mode,
        token=one.token,
        host=one.host,
        records=[one],
        approve=lambda spent, limit, queued: None,
    )
    output = {"url": f"https://storage.zooop.ai/{number}.webp"}
    kept = {"path": f"{one.order_id}/1.webp", "content_type": "image/webp", "sha256": "0" * 64, "size": 1}
    return {
        "quote": lambda: ledger.record_quotes([one]),
        "reserve": lambda: ledger.reserve(reservation),
        "intent": lambda: ledger.record_intent(one.order_id, "2026-05-15T10:00:00Z"),
        "submission": lambda: ledger.record_submission(one.order_id, str(uuid.uuid4()), "queued"),
        "status": lambda: ledger.record_status(
            one.order_id,
            status="succeeded",
            credits=4,
            created_at="2026-05-15T10:00:00Z",
            completed_at="2026-05-15T10:00:09Z",
            outputs=[output],
            error=None,
        ),
        "outputs": lambda: ledger.record_outputs(one.order_id, [{**output, **kept}]),
    }
