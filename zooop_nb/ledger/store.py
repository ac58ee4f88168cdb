"""The ledger's store: every step of an order is one durable transaction."""

import functools
import inspect
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from zooop_nb.contract.credits import Number
from zooop_nb.contract.limits import DESCRIPTION_CREDITS, TERMINAL_STATUSES
from zooop_nb.errors import UnknownName
from zooop_nb.ledger import liveness
from zooop_nb.ledger.database import Database
from zooop_nb.ledger.debts import Debts
from zooop_nb.ledger.record import OrderRecord, now
from zooop_nb.ledger.rows import add_event, has_event, insert, merge_outputs, select, spent_on, update

if TYPE_CHECKING:
    import pandas as pd


P = ParamSpec("P")
T = TypeVar("T")
_Step: TypeAlias = Callable[Concatenate["Ledger", sqlite3.Connection, P], T]
_Method: TypeAlias = Callable[Concatenate["Ledger", P], T]


def _writes(step: _Step[P, T]) -> _Method[P, T]:
    """Make a method of the step: it is called without `db`, and is one durable transaction."""
    return _given_connection(step, Database.change)


def _reads(query: _Step[P, T]) -> _Method[P, T]:
    """Make a method of the query: it is called without `db`."""
    return _given_connection(query, Database.read)


def _given_connection(
    step: _Step[P, T], run: Callable[[Database, Callable[[sqlite3.Connection], T]], T]
) -> _Method[P, T]:
    @functools.wraps(step)
    def method(self: "Ledger", /, *args: P.args, **kwargs: P.kwargs) -> T:
        self._debts.settle_before(writing=run is Database.change)
        return run(self._db, lambda db: step(self, db, *args, **kwargs))

    signature = inspect.signature(step)
    shown = [each for each in signature.parameters.values() if each.name != "db"]
    method.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    return method


class Ledger:
    """The store. Safe from any thread, and beside other processes on the same file.

    Every method raises `LedgerError` if the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._db = Database(path)
        self.path = self._db.path
        self._debts = Debts(self.path)
        liveness.current(self.path.parent)

    @property
    def process(self) -> liveness.ProcessLock:
        """The lock that shows others that this process lives; a forked child has its own."""
        return liveness.current(self.path.parent)

    @property
    def journal(self) -> str:
        """SQLite's journal mode: `wal`, or a rollback journal's."""
        return self._db.journal

    def close(self) -> None:
        """Write what is owed, and close the file."""
        self._debts.close()
        self._db.close()

    def owe(self, write: Callable[[], object], what: str) -> None:
        """Write a fact later that cannot be written now; see `zooop_nb.ledger.debts`."""
        self._debts.add(write, what)

    def settle_debts(self) -> None:
        """Write what is owed. Raises `LedgerError` if it still cannot be written."""
        self._debts.settle()

    def check(self) -> None:
        """Run SQLite's quick check. Raises `LedgerError` about damage, which is recovered from by then."""
        self._db.check()

    # The steps of an order, in their order.

    @_writes
    def record_quote(self, db: sqlite3.Connection, record: OrderRecord) -> None:
        """Insert a new order with its quote. It is not to be submitted yet."""
        insert(db, record)
        add_event(db, "quote", record.order_id, spent=0, credits=record.quoted)

    @_writes
    def record_intents(self, db: sqlite3.Connection, /, order_ids: Iterable[str], **known: Any) -> None:
        """Record that all of the orders are about to be sent, or none: from now on they may be paid.

        This process follows them. `known` are columns learned since the quote (`wallet`, `project`,
        `key_label`).
        """
        for order_id in order_ids:
            update(db, order_id, state="intended", sent_at=now(), follower=self.process.id, **known)

    @_writes
    def record_description_intent(self, db: sqlite3.Connection, record: OrderRecord) -> None:
        """Insert a description that is about to be requested: from now on its credit may be spent."""
        insert(db, replace(record, state="intended", sent_at=now(), follower=self.process.id))

    @_writes
    def record_description(
        self, db: sqlite3.Connection, order_id: str, credits: Number, words: Mapping[str, Any]
    ) -> OrderRecord:
        """Record the description: it is paid, and the order has ended."""
        ended = {"state": "succeeded", "fetched_at": now(), "follower": None, "error": None}
        update(db, order_id, credits=credits, outputs=[{"words": words}], **ended)
        add_event(db, "describe", order_id, spent=credits, credits=credits)
        return select(db, order_id)

    @_writes
    def record_submission(self, db: sqlite3.Connection, order_id: str, task_id: str, status: str) -> None:
        """Record that the server accepted the order; a second acceptance of the same key adds nothing."""
        if select(db, order_id).task_id is None:
            update(db, order_id, state="submitted", task_id=task_id, status=status, error=None)
            add_event(db, "submit", order_id, spent=0, credits=None)

    @_writes
    def record_refusal(self, db: sqlite3.Connection, order_id: str, error: str) -> None:
        """Record that the server refused the order: nothing was charged, and it has ended."""
        update(db, order_id, state="refused", error=error, follower=None)

    @_writes
    def record_status(
        self,
        db: sqlite3.Connection,
        order_id: str,
        *,
        status: str,
        credits: Number | None,
        created_at: str | None,
        completed_at: str | None,
        outputs: Sequence[Mapping[str, Any]],
        error: str | None,
    ) -> OrderRecord:
        """Record what the server says of the task now.

        A figure that differs from the one before becomes a charge or a refund of the difference, once,
        even if several processes follow the same task.
        """
        record = select(db, order_id)
        if record.state in TERMINAL_STATUSES and status not in TERMINAL_STATUSES:
            # A late response: another follower has seen the end already.
            return record
        if credits is not None:
            spent = credits - spent_on(db, order_id)
            if spent or (status == "succeeded" and not has_event(db, order_id, "charge")):
                event = "refund" if spent < 0 else "charge"
                add_event(db, event, order_id, spent=spent, credits=credits)
        update(
            db,
            order_id,
            state=status if status in TERMINAL_STATUSES else "submitted",
            status=status,
            credits=record.credits if credits is None else credits,
            task_created_at=created_at or record.task_created_at,
            task_completed_at=completed_at or record.task_completed_at,
            outputs=merge_outputs(record.outputs, outputs),
            error=error,
        )
        return select(db, order_id)

    @_writes
    def record_outputs(
        self, db: sqlite3.Connection, order_id: str, outputs: Sequence[Mapping[str, Any]]
    ) -> OrderRecord:
        """Record that the outputs are on this machine: the order has ended."""
        update(db, order_id, outputs=list(outputs), fetched_at=now(), error=None, follower=None)
        return select(db, order_id)

    @_writes
    def record_unknown(self, db: sqlite3.Connection, order_id: str, why: str) -> None:
        """Record that the order may have arrived or not, and must not be sent again."""
        update(db, order_id, state="unknown", follower=None, error=why)
        if select(db, order_id).target == "describe" and not has_event(db, order_id, "describe"):
            # A row for the DataFrame: the server did not say what it cost.
            add_event(db, "describe", order_id, spent=0, credits=None)

    # Who follows an order.

    @_writes
    def claim(self, db: sqlite3.Connection, record: OrderRecord) -> bool:
        """Follow an abandoned order from now on; false if another process was faster."""
        done = db.execute(
            "UPDATE orders SET follower = ?, updated_at = ? WHERE order_id = ? AND follower IS ?",
            (self.process.id, now(), record.order_id, record.follower),
        )
        return done.rowcount == 1

    @_writes
    def release(self, db: sqlite3.Connection, order_id: str, error: str | None = None) -> OrderRecord:
        """Stop following the order, so that another run can claim it; `error` says why it is not finished."""
        update(db, order_id, follower=None, **({} if error is None else {"error": error}))
        return select(db, order_id)

    @_writes
    def release_own(self, db: sqlite3.Connection, order_ids: Iterable[str]) -> None:
        """Release those of the orders that are in the ledger and that this process follows.

        A description stays followed: its request goes on by itself.
        """
        db.executemany(
            "UPDATE orders SET follower = NULL, updated_at = ? WHERE order_id = ?"
            " AND follower = ? AND target <> 'describe'",
            [(now(), order_id, self.process.id) for order_id in order_ids],
        )

    def is_followed(self, record: OrderRecord) -> bool:
        """Return whether a live process follows the order."""
        return record.follower is not None and self.process.is_alive(record.follower)

    # Queries.

    @_reads
    def get(self, db: sqlite3.Connection, order_id: str) -> OrderRecord:
        """Return one order. Raises `UnknownName`."""
        return select(db, order_id)

    @_reads
    def find(self, db: sqlite3.Connection, text: str) -> OrderRecord:
        """Return the order of an id: an order's or a task's, or its first 4 characters or more.

        Raises `UnknownName` if none or several match.
        """
        for column in ("order_id", "task_id"):
            rows = db.execute(f"SELECT * FROM orders WHERE {column} = ?", (text,)).fetchall()
            if rows:
                return OrderRecord.from_row(rows[0])
        pattern = text.replace("%", "").replace("_", "") + "%"
        rows = (
            db.execute(
                "SELECT * FROM orders WHERE order_id LIKE :begins OR task_id LIKE :begins"
                " ORDER BY created_at LIMIT 4",
                {"begins": pattern},
            ).fetchall()
            if len(pattern) > 4
            else []
        )
        if len(rows) == 1:
            return OrderRecord.from_row(rows[0])
        raise UnknownName("order", text, nearest=[row["order_id"] for row in rows])

    @_reads
    def last(self, db: sqlite3.Connection, *, mode: str | None = None) -> OrderRecord | None:
        """Return the newest order that was sent, descriptions aside."""
        row = db.execute(
            "SELECT * FROM orders WHERE sent_at IS NOT NULL AND target <> 'describe'"
            " AND (:mode IS NULL OR mode = :mode) ORDER BY sent_at DESC, rowid DESC LIMIT 1",
            {"mode": mode},
        ).fetchone()
        return None if row is None else OrderRecord.from_row(row)

    @_reads
    def unfinished(self, db: sqlite3.Connection) -> list[OrderRecord]:
        """Return all orders that are under way, abandoned or unknown, oldest first."""
        rows = db.execute(
            "SELECT * FROM orders WHERE state IN ('intended', 'submitted', 'unknown')"
            " OR (state = 'succeeded' AND fetched_at IS NULL) ORDER BY created_at, rowid"
        ).fetchall()
        return [OrderRecord.from_row(row) for row in rows]

    @_reads
    def sent(self, db: sqlite3.Connection, order_ids: Iterable[str]) -> list[OrderRecord]:
        """Return those of the orders that may have been sent, in the given order."""
        rows = [
            db.execute(
                "SELECT * FROM orders WHERE order_id = ? AND sent_at IS NOT NULL", (order_id,)
            ).fetchone()
            for order_id in order_ids
        ]
        return [OrderRecord.from_row(row) for row in rows if row is not None]

    @_reads
    def abandoned(
        self, db: sqlite3.Connection, fingerprint: str, cell_hash: str, notebook: str | None, run: str | None
    ) -> list[OrderRecord]:
        """Return the unfinished orders with this fingerprint that an earlier run of this cell left.

        Oldest first, and only those that no live process follows. `run` is the current run of the cell,
        whose own orders do not count.
        """
        rows = db.execute(
            "SELECT * FROM orders WHERE fingerprint = ? AND cell_hash = ? AND notebook IS ?"
            " AND run IS NOT ?"
            " AND (state IN ('intended', 'submitted') OR (state = 'succeeded' AND fetched_at IS NULL))"
            " ORDER BY created_at, rowid",
            (fingerprint, cell_hash, notebook, run),
        ).fetchall()
        return [record for record in map(OrderRecord.from_row, rows) if not self.is_followed(record)]

    @_reads
    def committed(self, db: sqlite3.Connection, *, since: str, mode: str) -> Number:
        """Return the credits spent in a mode since a time, plus what the orders sent since may still cost.

        An order whose end was not seen counts with its quote.
        """
        spent: Number = db.execute(
            "SELECT coalesce(sum(e.spent), 0) FROM events e JOIN orders o USING (order_id)"
            " WHERE e.at >= ? AND o.mode = ?",
            (since, mode),
        ).fetchone()[0]
        open_: Number = db.execute(
            # Nothing quotes a description; its price is documented.
            "SELECT coalesce(sum(max(iif(o.target = 'describe', ?, o.quoted)"
            " - (SELECT coalesce(sum(e.spent), 0) FROM events e"
            " WHERE e.order_id = o.order_id), 0)), 0) FROM orders o"
            " WHERE o.sent_at >= ? AND o.mode = ? AND o.state IN ('intended', 'submitted', 'unknown')",
            (DESCRIPTION_CREDITS, since, mode),
        ).fetchone()[0]
        return spent + open_

    def frame(self) -> "pd.DataFrame":
        """Return the DataFrame: one row per event, oldest first; see `zooop_nb.ledger.dataframe`."""
        from zooop_nb.ledger.dataframe import frame

        self._debts.settle_before(writing=False)
        # A connection of its own: a long ledger is read while orders go on being written.
        return self._db.read_apart(frame)

    # Uploads.

    @_reads
    def upload_url(self, db: sqlite3.Connection, token: str, host: str, sha256: str) -> str | None:
        """Return the URL under which this token uploaded this content to this host."""
        row = db.execute(
            "SELECT url FROM uploads WHERE token = ? AND host = ? AND sha256 = ?", (token, host, sha256)
        ).fetchone()
        return None if row is None else str(row["url"])

    @_writes
    def record_upload(
        self,
        db: sqlite3.Connection,
        token: str,
        host: str,
        sha256: str,
        url: str,
        content_type: str,
        size: int,
    ) -> None:
        """Record an upload that is ready. `size` is in bytes."""
        db.execute(
            "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?)",
            (token, host, sha256, url, content_type, size, now()),
        )

    @_reads
    def content_of(self, db: sqlite3.Connection, url: str) -> str | None:
        """Return the SHA-256 of one of our uploads or outputs by its ZOOOP URL."""
        row = db.execute("SELECT sha256 FROM uploads WHERE url = ?", (url,)).fetchone()
        if row is None:
            # `instr` first: it is many times faster than parsing each order's JSON.
            row = db.execute(
                "SELECT value ->> 'sha256' AS sha256 FROM orders, json_each(orders.outputs)"
                " WHERE instr(orders.outputs, :url) AND value ->> 'url' = :url",
                {"url": url},
            ).fetchone()
        return None if row is None else row["sha256"]
