"""The ledger's store: every step of an order is one durable transaction."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from zooop_nb import late
from zooop_nb.contract.credits import Number
from zooop_nb.contract.limits import TERMINAL_STATUSES
from zooop_nb.errors import UnknownName
from zooop_nb.ledger import executions, spending
from zooop_nb.ledger.following import Following
from zooop_nb.ledger.record import OrderRecord, now
from zooop_nb.ledger.rows import (
    add_event,
    has_event,
    insert,
    is_accepted,
    merge_outputs,
    select,
    spent_on,
    update,
    updated,
    withdraw,
)
from zooop_nb.ledger.transactions import reads, writes

if TYPE_CHECKING:
    import pandas as pd


_OWN_SENDING: Final = "state = 'intended' AND task_id IS NULL AND (follower IS NULL OR follower = ?)"
"""The condition of an answer to this process's first sending of an order."""


class Ledger(Following):
    """The store. Safe from any thread, and beside other processes on the same file.

    Every method raises `LedgerError` if the file cannot be read or written.
    """

    # The steps of an order, in their order.

    @writes
    def record_quotes(self, db: sqlite3.Connection, records: Iterable[OrderRecord]) -> None:
        """Insert new orders with their quotes. They are not to be submitted yet."""
        for record in records:
            insert(db, record)
            add_event(db, "quote", record.order_id, spent=0, credits=record.quoted)

    @writes
    def record_new_quote(
        self, db: sqlite3.Connection, /, order_id: str, credits: Number, **known: Any
    ) -> OrderRecord:
        """Record that the order was quoted again. `known` are the other columns of a quote."""
        record = updated(db, order_id, quoted=credits, **known)
        add_event(db, "quote", order_id, spent=0, credits=credits)
        return record

    @writes
    def record_intent(self, db: sqlite3.Connection, order_id: str, sent_at: str) -> bool:
        """Record that a queued order is about to be sent: from now on it may be paid.

        False if it is not queued any more: it was withdrawn, and must not be sent. `sent_at` is by the
        server's clock where it was heard.
        """
        changed = db.execute(
            "UPDATE orders SET state = 'intended', sent_at = ?, follower = ?, updated_at = ?"
            " WHERE order_id = ? AND state = 'queued'",
            (sent_at, self.process.id, now(), order_id),
        )
        return changed.rowcount == 1

    @writes
    def record_not_accepted(self, db: sqlite3.Connection, order_id: str) -> None:
        """Record that the API did not take the order yet, and may take it later: it is queued again.

        If nobody follows it any more, it is withdrawn. An order that another process follows by now is left
        alone: it may have sent it again.
        """
        db.execute(
            "UPDATE orders SET state = iif(follower IS NULL, 'withdrawn', 'queued'), sent_at = NULL,"
            " error = iif(follower IS NULL, 'It was stopped before the API took it.', error), updated_at = ?"
            f" WHERE order_id = ? AND {_OWN_SENDING}",
            (now(), order_id, self.process.id),
        )

    @writes
    def withdraw_of_the_dead(self, db: sqlite3.Connection) -> None:
        """Withdraw what processes queued that have ended: it was never sent."""
        spending.withdraw_of_the_dead(db, self.process.is_alive)

    @writes
    def withdraw(self, db: sqlite3.Connection, order_ids: Iterable[str], why: str) -> None:
        """Record that those of the orders that are queued are not sent: they cost nothing."""
        withdraw(db, order_ids, why, follower=self.process.id)

    @writes
    def record_description(
        self, db: sqlite3.Connection, order_id: str, credits: Number, words: Mapping[str, Any]
    ) -> OrderRecord:
        """Record the description: it is paid, and the order has ended."""
        ended = {"state": "succeeded", "fetched_at": now(), "follower": None, "error": None}
        record = updated(db, order_id, credits=credits, outputs=[{"words": words}], **ended)
        if not has_event(db, order_id, "describe"):
            add_event(db, "describe", order_id, spent=credits, credits=credits)
        return record

    @writes
    def record_submission(self, db: sqlite3.Connection, order_id: str, task_id: str, status: str) -> None:
        """Record that the server accepted the order; a second acceptance of the same key adds nothing."""
        if not is_accepted(db, order_id):
            update(db, order_id, state="submitted", task_id=task_id, status=status, error=None)
            add_event(db, "submit", order_id, spent=0, credits=None)

    @writes
    def record_refusal(self, db: sqlite3.Connection, order_id: str, error: str) -> None:
        """Record that the server refused the order: nothing was charged, and it has ended.

        An order that another process follows by now is left alone: it may have sent it again.
        """
        db.execute(
            "UPDATE orders SET state = 'refused', error = ?, follower = NULL, updated_at = ?"
            f" WHERE order_id = ? AND {_OWN_SENDING}",
            (error, now(), order_id, self.process.id),
        )

    @writes
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
        return updated(
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

    @writes
    def record_outputs(
        self, db: sqlite3.Connection, order_id: str, outputs: Sequence[Mapping[str, Any]]
    ) -> OrderRecord:
        """Record that the outputs are on this machine: the order has ended."""
        ended = {"fetched_at": now(), "follower": None, "error": None}
        return updated(db, order_id, outputs=list(outputs), **ended)

    @writes
    def record_unknown(self, db: sqlite3.Connection, order_id: str, why: str) -> None:
        """Record that the order may have arrived or not, and must not be sent again."""
        record = updated(db, order_id, state="unknown", follower=None, error=why)
        if record.target == "describe" and not has_event(db, order_id, "describe"):
            # A row for the DataFrame: the server did not say what it cost.
            add_event(db, "describe", order_id, spent=None, credits=None)

    # Queries.

    @reads
    def get(self, db: sqlite3.Connection, order_id: str) -> OrderRecord:
        """Return one order. Raises `UnknownName`."""
        return select(db, order_id)

    @reads
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

    @reads
    def last(
        self, db: sqlite3.Connection, *, mode: str | None = None, execution: str | None = None
    ) -> OrderRecord | None:
        """Return the order that `again` starts from, descriptions aside.

        The last of this execution, else the last before the runs that it continues.
        """
        return executions.last_of(db, execution, mode)

    @reads
    def unfinished(self, db: sqlite3.Connection) -> list[OrderRecord]:
        """Return all orders that are queued, under way, abandoned or unknown, oldest first."""
        # Two queries, each with an index of its own, for most orders have succeeded.
        rows = db.execute(
            f"SELECT rowid, * FROM orders WHERE {spending.UNSETTLED}"
            " UNION ALL SELECT rowid, * FROM orders INDEXED BY orders_incomplete"
            " WHERE state = 'succeeded' AND (fetched_at IS NULL OR credits IS NULL)"
            " ORDER BY created_at, rowid"
        ).fetchall()
        return [OrderRecord.from_row(row) for row in rows]

    @reads
    def is_of_batch(self, db: sqlite3.Connection, record: OrderRecord) -> bool:
        """Return whether the call that placed the order placed others with it."""
        rows = db.execute("SELECT 1 FROM orders WHERE batch = ? LIMIT 2", (record.batch,)).fetchall()
        return len(rows) > 1

    @reads
    def withdrawn_beside(self, db: sqlite3.Connection, records: Iterable[OrderRecord]) -> list[OrderRecord]:
        """Return the withdrawn orders of the calls that placed the given ones as well."""
        known = {each.order_id for each in records}
        rows = [
            row
            for batch in dict.fromkeys(each.batch for each in records if not each.ended)
            for row in db.execute("SELECT * FROM orders WHERE batch = ? AND state = 'withdrawn'", (batch,))
        ]
        return [OrderRecord.from_row(row) for row in rows if row["order_id"] not in known]

    @reads
    def get_all(self, db: sqlite3.Connection, order_ids: Iterable[str]) -> list[OrderRecord]:
        """Return those of the orders that are in the ledger, in the given order."""
        rows = [
            db.execute("SELECT * FROM orders WHERE order_id = ?", (order_id,)).fetchone()
            for order_id in order_ids
        ]
        return [OrderRecord.from_row(row) for row in rows if row is not None]

    def frame(self) -> "pd.DataFrame":
        """Return the DataFrame: one row per event, oldest first; see `zooop_nb.ledger.dataframe`."""
        late.module("zooop_nb.ledger.dataframe")
        from zooop_nb.ledger.dataframe import frame

        self._debts.settle_before(writing=False)
        # A connection of its own: a long ledger is read while orders go on being written.
        return self._db.read_apart(frame)

    # Uploads.

    @reads
    def upload_url(self, db: sqlite3.Connection, token: str, host: str, sha256: str) -> str | None:
        """Return the URL under which this token uploaded this content to this host."""
        row = db.execute(
            "SELECT url FROM uploads WHERE token = ? AND host = ? AND sha256 = ?", (token, host, sha256)
        ).fetchone()
        return None if row is None else str(row["url"])

    @writes
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

    @reads
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
