"""The ledger's store: every step of an order is one durable transaction."""

import functools
import inspect
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from zooop_nb.contract.credits import Number
from zooop_nb.contract.limits import TERMINAL_STATUSES
from zooop_nb.errors import UnknownName
from zooop_nb.ledger import executions, liveness, spending
from zooop_nb.ledger.database import Database
from zooop_nb.ledger.debts import Debts
from zooop_nb.ledger.executions import Outcome, TakeUp, Wanted
from zooop_nb.ledger.record import Execution, OrderRecord, now
from zooop_nb.ledger.rows import (
    add_event,
    has_event,
    insert,
    merge_outputs,
    select,
    spent_on,
    update,
    withdraw,
)

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


@dataclass(frozen=True)
class Reservation:
    """Orders whose cost is reserved in one transaction, and the session that pays."""

    session: str
    mode: str
    token: str
    host: str
    records: Sequence[OrderRecord]
    approve: Callable[[Number, Number | None, Number], None]
    """Called with what the session has spent, its limit, and what else is queued with this token."""
    budget: Number | None = None
    """The limit in the settings; that of the session in the ledger goes before it."""
    sets_budget: bool = False
    """Whether the limit in the settings is the session's from now on."""
    run: Execution | None = None
    known: Mapping[str, Any] = field(default_factory=dict)
    """Columns learned since the quote."""
    resent: Sequence[str] = ()
    """Orders whose task is not known and that are sent again: their cost moves to this session."""


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
    def record_quotes(self, db: sqlite3.Connection, records: Iterable[OrderRecord]) -> None:
        """Insert new orders with their quotes. They are not to be submitted yet."""
        for record in records:
            insert(db, record)
            add_event(db, "quote", record.order_id, spent=0, credits=record.quoted)

    @_writes
    def record_new_quote(
        self, db: sqlite3.Connection, /, order_id: str, credits: Number, **known: Any
    ) -> OrderRecord:
        """Record that the order was quoted again. `known` are the other columns of a quote."""
        update(db, order_id, quoted=credits, **known)
        add_event(db, "quote", order_id, spent=0, credits=credits)
        return select(db, order_id)

    def reserve(self, reservation: "Reservation") -> None:
        """Reserve the cost of orders and queue them, all or none: from now on this process follows them.

        What the session has spent is handed to `reservation.approve` within the transaction; what that
        raises cancels it.
        """
        self._hold(
            [*(each.order_id for each in reservation.records), *reservation.resent],
            lambda: self._reserve(reservation),
        )

    @_writes
    def _reserve(self, db: sqlite3.Connection, it: "Reservation") -> None:
        spending.withdraw_of_the_dead(db, self.process.is_alive)
        if it.sets_budget:
            spending.set_limit(db, it.session, it.mode, it.budget)
        limited, limit = spending.limit(db, it.session, it.mode)
        if it.records:
            it.approve(
                spending.spent(db, it.session, it.mode),
                limit if limited else it.budget,
                spending.queued(db, it.token, it.host),
            )
        if it.run is not None:
            executions.begin(db, it.run, self.process.id)
        queued = {
            "state": "queued",
            "follower": self.process.id,
            "session": it.session,
            "execution": it.run.execution if it.run else None,
            **it.known,
        }
        for record in it.records:
            if record.target == "describe":
                # Nothing quotes a description, so it has no row yet.
                insert(db, record)
            update(db, record.order_id, asked_at=now(), **queued)
        for order_id in it.resent:
            # Whoever sends it again may be the one that pays.
            update(db, order_id, session=it.session)

    @_writes
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

    @_writes
    def record_not_accepted(self, db: sqlite3.Connection, order_id: str) -> None:
        """Record that the API did not take the order yet, and may take it later: it is queued again."""
        update(db, order_id, state="queued", sent_at=None)

    @_writes
    def withdraw_of_the_dead(self, db: sqlite3.Connection) -> None:
        """Withdraw what processes queued that have ended: it was never sent."""
        spending.withdraw_of_the_dead(db, self.process.is_alive)

    @_writes
    def withdraw(self, db: sqlite3.Connection, order_ids: Iterable[str], why: str) -> None:
        """Record that those of the orders that are queued are not sent: they cost nothing."""
        withdraw(db, order_ids, why)

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
            add_event(db, "describe", order_id, spent=None, credits=None)

    # Who follows an order.

    def take_up(
        self,
        run: Execution | None,
        wanted: Sequence[Wanted],
        *,
        can_follow: Callable[[OrderRecord], bool],
    ) -> TakeUp:
        """Take up what earlier runs of this cell left: this process follows it from now on.

        Without a run, nothing is taken up; what asks for the same is only named. `can_follow` tells whether
        an open order can be followed or sent again.
        """
        held: list[str] = []
        try:
            return self._take_up(run, wanted, held, can_follow)
        except BaseException:
            self.process.held.difference_update(held)
            raise

    @_writes
    def _take_up(
        self,
        db: sqlite3.Connection,
        run: Execution | None,
        wanted: Sequence[Wanted],
        held: list[str],
        can_follow: Callable[[OrderRecord], bool],
    ) -> TakeUp:
        if run is None:
            return TakeUp(tuple(executions.open_elsewhere(db, each, self.is_followed) for each in wanted))
        kernel = self.process.id
        executions.begin(db, run, kernel)
        continued = executions.continue_last(db, run, kernel, self.process.is_alive)
        found = []
        for each in wanted:
            taken = executions.take_up(
                db, run, each, kernel, is_followed=self.is_followed, can_follow=can_follow
            )
            # Within the transaction, so that no other thread finds them unfollowed.
            held += [record.order_id for record in taken.orders]
            self.process.held.update(held)
            found.append(taken)
        return TakeUp(tuple(found), continued)

    def give_back(self, taken: Sequence[OrderRecord]) -> None:
        """Undo `take_up`, for orders that were not placed after all."""
        self._give_back(taken)
        self.process.held.difference_update(each.order_id for each in taken)

    @_writes
    def _give_back(self, db: sqlite3.Connection, taken: Sequence[OrderRecord]) -> None:
        executions.give_back(db, taken, self.process.id)

    def claim(self, records: Sequence[OrderRecord]) -> list[OrderRecord]:
        """Follow abandoned orders from now on; return those that no other was faster to claim."""
        held: list[str] = []
        try:
            return self._claim(records, held)
        except BaseException:
            self.process.held.difference_update(held)
            raise

    @_writes
    def _claim(
        self, db: sqlite3.Connection, records: Sequence[OrderRecord], held: list[str]
    ) -> list[OrderRecord]:
        claimed = []
        for record in records:
            if record.order_id in self.process.held:
                continue
            done = db.execute(
                "UPDATE orders SET follower = ?, updated_at = ? WHERE order_id = ? AND follower IS ?",
                (self.process.id, now(), record.order_id, record.follower),
            )
            if done.rowcount == 1:
                held.append(record.order_id)
                self.process.held.add(record.order_id)
                claimed.append(select(db, record.order_id))
        return claimed

    def release(self, order_id: str, error: str | None = None) -> OrderRecord:
        """Stop following the order, so that another run can claim it; `error` says why it is not finished."""
        record = self._release(order_id, error)
        self.process.held.discard(order_id)
        return record

    @_writes
    def _release(self, db: sqlite3.Connection, order_id: str, error: str | None) -> OrderRecord:
        update(db, order_id, follower=None, **({} if error is None else {"error": error}))
        return select(db, order_id)

    def let_go(self, order_ids: Collection[str], why: str | None = None) -> None:
        """Stop following those of the orders that this process follows; what is queued is withdrawn, unpaid.

        `why` is the error that ended the following. A description that was sent stays followed in the ledger:
        its request goes on by itself.
        """
        self._let_go(order_ids, why)
        self.process.held.difference_update(order_ids)

    @_writes
    def _let_go(self, db: sqlite3.Connection, order_ids: Collection[str], why: str | None) -> None:
        withdraw(db, order_ids, why or "It was stopped before it was sent.")
        db.executemany(
            "UPDATE orders SET follower = NULL, error = coalesce(?, error), updated_at = ? WHERE order_id = ?"
            " AND follower = ? AND NOT (target = 'describe' AND state = 'intended')",
            [(why, now(), order_id, self.process.id) for order_id in order_ids],
        )

    def is_followed(self, record: OrderRecord) -> bool:
        """Return whether a live process follows the order."""
        if record.follower == self.process.id:
            return record.order_id in self.process.held
        return record.follower is not None and self.process.is_alive(record.follower)

    def _hold(self, order_ids: Sequence[str], write: Callable[[], T]) -> T:
        new = [each for each in order_ids if each not in self.process.held]
        self.process.held.update(new)
        try:
            return write()
        except BaseException:
            self.process.held.difference_update(new)
            raise

    # Executions.

    @_writes
    def continue_last(self, db: sqlite3.Connection, run: Execution) -> None:
        """Let a run of a cell continue the last one, unless that ended well."""
        executions.begin(db, run, self.process.id)
        executions.continue_last(db, run, self.process.id, self.process.is_alive)

    def end_execution(self, execution: str, outcome: Outcome) -> list[OrderRecord]:
        """Record how a run of a cell ended.

        Returns the paid orders of the runs that it continues which it did not ask for, and nobody follows.
        """
        return [each for each in self._end_execution(execution, outcome) if not self.is_followed(each)]

    @_writes
    def _end_execution(self, db: sqlite3.Connection, execution: str, outcome: Outcome) -> list[OrderRecord]:
        return executions.end(db, execution, outcome)

    @_reads
    def left_over(self, db: sqlite3.Connection) -> list[OrderRecord]:
        """Return the complete orders of interrupted runs that no later run asked for; resume shows them."""
        return executions.left_over(db)

    @_writes
    def record_shown(self, db: sqlite3.Connection, order_ids: Iterable[str]) -> None:
        """Record that resume has shown orders that were left over."""
        for order_id in order_ids:
            update(db, order_id, execution=None)

    @_writes
    def set_budget(self, db: sqlite3.Connection, session: str, mode: str, budget: Number | None) -> None:
        """Set the limit of a session for a mode, in credits; None is no limit."""
        spending.set_limit(db, session, mode, budget)

    @_reads
    def spent(self, db: sqlite3.Connection, session: str, mode: str) -> Number:
        """Return the credits that a session has spent in a mode, with what its open orders may still cost."""
        return spending.spent(db, session, mode)

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
    def last(
        self, db: sqlite3.Connection, *, mode: str | None = None, execution: str | None = None
    ) -> OrderRecord | None:
        """Return the order that `again` starts from, descriptions aside.

        The last of this execution, else the last before the runs that it continues.
        """
        return executions.last_of(db, execution, mode)

    @_reads
    def unfinished(self, db: sqlite3.Connection) -> list[OrderRecord]:
        """Return all orders that are queued, under way, abandoned or unknown, oldest first."""
        rows = db.execute(
            "SELECT * FROM orders WHERE state IN ('queued', 'intended', 'submitted', 'unknown')"
            " OR (state = 'succeeded' AND (fetched_at IS NULL OR credits IS NULL)) ORDER BY created_at, rowid"
        ).fetchall()
        return [OrderRecord.from_row(row) for row in rows]

    @_reads
    def withdrawn_beside(self, db: sqlite3.Connection, records: Iterable[OrderRecord]) -> list[OrderRecord]:
        """Return the withdrawn orders of the calls that placed the given ones as well."""
        known = {each.order_id for each in records}
        rows = [
            row
            for batch in dict.fromkeys(each.batch for each in records if not each.ended)
            for row in db.execute("SELECT * FROM orders WHERE batch = ? AND state = 'withdrawn'", (batch,))
        ]
        return [OrderRecord.from_row(row) for row in rows if row["order_id"] not in known]

    @_reads
    def get_all(self, db: sqlite3.Connection, order_ids: Iterable[str]) -> list[OrderRecord]:
        """Return those of the orders that are in the ledger, in the given order."""
        rows = [
            db.execute("SELECT * FROM orders WHERE order_id = ?", (order_id,)).fetchone()
            for order_id in order_ids
        ]
        return [OrderRecord.from_row(row) for row in rows if row is not None]

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
