"""Who follows an order, and which run of a cell asked for it: reserved, taken up, claimed, let go.

The ledger names the process that follows an order; that process's `ProcessLock` knows which orders it follows
at the moment.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from zooop_nb.contract.credits import Number
from zooop_nb.ledger import executions, spending
from zooop_nb.ledger.executions import OrderQuery, Outcome, TakeUp
from zooop_nb.ledger.record import Execution, OrderRecord, now
from zooop_nb.ledger.rows import insert, select, update, updated, withdraw
from zooop_nb.ledger.transactions import LedgerFile, reads, writes

T = TypeVar("T")


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
    resent: Sequence[str] = ()
    """Orders whose task is not known and that are sent again: their cost moves to this session."""


class Following(LedgerFile):
    """The steps of a ledger that change who follows an order. Safe from any thread."""

    def reserve(self, reservation: Reservation) -> None:
        """Reserve the cost of orders and queue them, all or none: from now on this process follows them.

        What the session has spent is handed to `reservation.approve` within the transaction; what that
        raises cancels it.
        """
        self._hold(
            [*(each.order_id for each in reservation.records), *reservation.resent],
            lambda: self._reserve(reservation),
        )

    @writes
    def _reserve(self, db: sqlite3.Connection, it: Reservation) -> None:
        process = self.process
        spending.withdraw_of_the_dead(db, process.is_alive)
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
            executions.begin(db, it.run, process.id)
        queued = {
            "state": "queued",
            "follower": process.id,
            "session": it.session,
            "execution": it.run.execution if it.run else None,
        }
        for record in it.records:
            if record.target == "describe":
                # Nothing quotes a description, so it has no row yet.
                insert(db, record)
            update(db, record.order_id, asked_at=now(), **queued)
        for order_id in it.resent:
            # Whoever sends it again may be the one that pays.
            update(db, order_id, session=it.session)

    def take_up(
        self,
        run: Execution | None,
        queries: Sequence[OrderQuery],
        *,
        can_follow: Callable[[OrderRecord], bool],
    ) -> TakeUp:
        """Take up what earlier runs of this cell left: this process follows it from now on.

        Without a run, nothing is taken up; what asks for the same is only named. `can_follow` tells whether
        an open order can be followed or sent again.
        """
        held: list[str] = []
        try:
            return self._take_up(run, queries, held, can_follow)
        except BaseException:
            self.process.held.difference_update(held)
            raise

    @writes
    def _take_up(
        self,
        db: sqlite3.Connection,
        run: Execution | None,
        queries: Sequence[OrderQuery],
        held: list[str],
        can_follow: Callable[[OrderRecord], bool],
    ) -> TakeUp:
        if run is None:
            return TakeUp(tuple(executions.open_elsewhere(db, each, self.is_followed) for each in queries))
        kernel = self.process.id
        executions.begin(db, run, kernel)
        continued = executions.continue_last(db, run, kernel, self.process.is_alive)
        found = []
        for each in queries:
            taken = executions.take_up(
                db, run, each, kernel, is_followed=self.is_followed, can_follow=can_follow
            )
            # Within the transaction, so that no other thread finds them unfollowed.
            held += [record.order_id for record in taken.orders if record.follower is None]
            self.process.held.update(held)
            found.append(taken)
        return TakeUp(tuple(found), continued)

    def give_back(self, taken: Sequence[OrderRecord]) -> None:
        """Undo `take_up`, for orders that were not placed after all."""
        self._give_back(taken)
        self.process.held.difference_update(each.order_id for each in taken if each.follower is None)

    @writes
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

    @writes
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

    @writes
    def _release(self, db: sqlite3.Connection, order_id: str, error: str | None) -> OrderRecord:
        return updated(db, order_id, follower=None, **({} if error is None else {"error": error}))

    def let_go(self, order_ids: Collection[str], why: str | None = None) -> None:
        """Stop following those of the orders that this process follows; what is queued is withdrawn, unpaid.

        `why` is the error that ended the following. A description that was sent stays followed in the ledger:
        its request goes on by itself.
        """
        self._let_go(order_ids, why)
        self.process.held.difference_update(order_ids)

    @writes
    def _let_go(self, db: sqlite3.Connection, order_ids: Collection[str], why: str | None) -> None:
        withdraw(db, order_ids, why or "It was stopped before it was sent.", follower=self.process.id)
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
        held = self.process.held
        new = [each for each in order_ids if each not in held]
        try:
            held.update(new)
            return write()
        except BaseException:
            held.difference_update(new)
            raise

    # Executions.

    @writes
    def continue_last(self, db: sqlite3.Connection, run: Execution) -> None:
        """Let a run of a cell continue the last one, unless that ended well."""
        executions.begin(db, run, self.process.id)
        executions.continue_last(db, run, self.process.id, self.process.is_alive)

    def end_execution(self, execution: str, outcome: Outcome) -> list[OrderRecord]:
        """Record how a run of a cell ended.

        Returns the paid orders of the runs that it continues which it did not ask for, and nobody follows.
        """
        return [each for each in self._end_execution(execution, outcome) if not self.is_followed(each)]

    @writes
    def _end_execution(self, db: sqlite3.Connection, execution: str, outcome: Outcome) -> list[OrderRecord]:
        return executions.end(db, execution, outcome)

    @reads
    def left_over(self, db: sqlite3.Connection) -> list[OrderRecord]:
        """Return the complete orders of interrupted runs that no later run asked for; resume shows them."""
        return executions.left_over(db)

    @writes
    def record_shown(self, db: sqlite3.Connection, order_ids: Iterable[str]) -> None:
        """Record that resume has shown orders that were left over."""
        for order_id in order_ids:
            update(db, order_id, execution=None)

    @writes
    def set_budget(self, db: sqlite3.Connection, session: str, mode: str, budget: Number | None) -> None:
        """Set the limit of a session for a mode, in credits; None is no limit."""
        spending.set_limit(db, session, mode, budget)

    @reads
    def spent(self, db: sqlite3.Connection, session: str, mode: str) -> Number:
        """Return the credits that a session has spent in a mode, with what its open orders may still cost."""
        return spending.spent(db, session, mode)
