"""Sample orders, brought to each state through the ledger's own steps."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from zooop_nb.contract.credits import Number
from zooop_nb.ledger import Execution, Ledger, OrderRecord, ProcessLock, Reservation
from zooop_nb.ledger.record import now

TOKEN, HOST = "digest", "https://api.zooop.ai"


class Kernel(Ledger):
    """A ledger as another kernel has it: with a process lock of its own."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._own = ProcessLock(self.path.parent / "sessions")

    @property
    def process(self) -> ProcessLock:
        """The kernel's own lock, and not this process's."""
        return self._own

    def die(self) -> None:
        """End without a word, as a killed kernel does."""
        self._db.close()
        self._own.close()


def ago(**units: float) -> str:
    """Return a time in the past, as the ledger writes it; `units` are those of `timedelta`."""
    then = datetime.now(UTC) - timedelta(**units)
    return then.isoformat(timespec="microseconds").replace("+00:00", "Z")


def a_run(
    name: str, source: str = "c", notebook: str | None = "n.ipynb", cell_id: str | None = None
) -> Execution:
    """Return the run `name` of a cell; `source` stands for the hash of its source."""
    return Execution(name, notebook, source, cell_id)


def an_order(**known: Any) -> OrderRecord:
    """Return a new order, quoted at 8 credits."""
    plain = OrderRecord(
        order_id=str(uuid.uuid4()),
        batch="b1",
        fingerprint="f1",
        target="model",
        body=b'{"a":1}',
        key=str(uuid.uuid4()),
        token=TOKEN,
        host=HOST,
        mode="live",
        quoted=8,
    )
    return replace(plain, **known)


class Refused(Exception):
    """An approval's refusal in these tests."""


def agree(spent: Number, limit: Number | None, queued: Number) -> None:
    """Approve whatever it costs."""


def within_limit(cost: Number) -> Callable[[Number, Number | None, Number], None]:
    """Return an approval that raises `Refused` where the limit has no room for the cost."""

    def approve(spent: Number, limit: Number | None, queued: Number) -> None:
        if limit is not None and spent + cost > limit:
            raise Refused(f"{spent} of {limit} credits are spent")

    return approve


def a_reservation(*records: OrderRecord, run: Execution | None = None, **known: Any) -> Reservation:
    """Return what reserves the orders for the session `s1`, if they name no other."""
    first = records[0] if records else an_order()
    plain = Reservation(first.session or "s1", first.mode, first.token, first.host, records, agree, run=run)
    return replace(plain, **known)


def quoted(ledger: Ledger, **known: Any) -> str:
    """Record a new order; return its id."""
    record = an_order(**known)
    ledger.record_quotes([record])
    return record.order_id


def queued(ledger: Ledger, run: Execution | None = None, **known: Any) -> str:
    """Reserve a new order, asked for by `run`; return its id."""
    record = an_order(**{"notebook": run.notebook if run else None, **known})
    if record.target != "describe":
        ledger.record_quotes([record])
    ledger.reserve(a_reservation(record, run=run))
    return record.order_id


def sent(ledger: Ledger, run: Execution | None = None, sent_at: str | None = None, **known: Any) -> str:
    """Record that a new order is being sent, asked for by `run`; return its id."""
    order = queued(ledger, run, **known)
    assert ledger.record_intent(order, sent_at or now())
    return order


def seen(ledger: Ledger, order: str, status: str, credits: float | None = None, **known: Any) -> OrderRecord:
    """Record what the server says of the order's task."""
    said = {"created_at": None, "completed_at": None, "outputs": [], "error": None, **known}
    return ledger.record_status(order, status=status, credits=credits, **said)


def made(ledger: Ledger, run: Execution | None = None, sent_at: str | None = None, **known: Any) -> str:
    """Record a new order up to its end: paid, downloaded, followed by nobody; return its id."""
    order = sent(ledger, run, sent_at, **known)
    ledger.record_submission(order, f"task-{order}", "queued")
    seen(ledger, order, "succeeded", ledger.get(order).quoted)
    ledger.record_outputs(order, [])
    ledger.let_go([order])
    return order
