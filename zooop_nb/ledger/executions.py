"""The ledger's statements about executions: which one continues which, and what it takes up.

An execution is one run of a cell. A re-run of the same cell continues the last run, unless that ended well,
and takes up the orders that it left. They run in the caller's transaction.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from zooop_nb.ledger.record import Execution, OrderRecord, now

Outcome = Literal["well", "interrupted", "failed"]

LOOK_BACK: Final = 50
"""The number of earlier runs of a cell that are looked through for one that can be continued."""

_OPEN: Final = "(o.state IN ('intended', 'submitted') OR (o.state = 'succeeded' AND o.fetched_at IS NULL))"
_PAID: Final = "('intended', 'submitted', 'succeeded', 'unknown')"
_SAME_ORDER: Final = (
    "{0}.fingerprint = :fingerprint AND {0}.token = :token AND {0}.host = :host AND {0}.mode = :mode"
)
_SAME_CELL: Final = (
    "((x.cell_hash = :cell_hash AND x.notebook IS :notebook)"
    " OR (x.kernel = :kernel AND x.cell_id = :cell_id))"
)
_CHAIN: Final = """WITH RECURSIVE chain (execution) AS (
    VALUES (:execution)
    UNION SELECT x.continues FROM executions x JOIN chain USING (execution) WHERE x.continues IS NOT NULL
) """


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """What a re-run asks for: so many orders of one fingerprint."""

    fingerprint: str
    count: int
    token: str
    host: str
    mode: str
    paid_since: str
    """Succeeded orders are taken up if they were sent since then."""
    named_since: str
    """Open orders of other places are named if they were sent since then."""


@dataclass(frozen=True, slots=True)
class TakenUp:
    """What a re-run finds for one `OrderQuery`."""

    orders: tuple[OrderRecord, ...] = ()
    """As they were before, oldest first: with a follower only where this process followed them already."""
    lost: tuple[OrderRecord, ...] = ()
    """Orders of the same cell that may be paid, and can neither be followed nor sent again."""
    elsewhere: tuple[OrderRecord, ...] = ()
    """Open orders for the same that another place left."""


@dataclass(frozen=True, slots=True)
class Continued:
    """The run that is continued, for the line that says so."""

    started_at: str
    outcome: Outcome | None
    """None if it died."""


@dataclass(frozen=True, slots=True)
class TakeUp:
    """What one call takes up: an entry for each `OrderQuery`, and the run that is continued."""

    found: tuple[TakenUp, ...] = ()
    continued: Continued | None = None


def begin(db: sqlite3.Connection, run: Execution, kernel: str) -> None:
    """Write the execution's row, once."""
    db.execute(
        "INSERT OR IGNORE INTO executions (execution, kernel, notebook, cell_hash, cell_id, started_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (run.execution, kernel, run.notebook, run.cell_hash, run.cell_id, now()),
    )


def continue_last(
    db: sqlite3.Connection, run: Execution, kernel: str, is_alive: Callable[[str], bool]
) -> Continued | None:
    """Claim the last run of the same cell unless it ended well; return what this run continues, if any.

    Only one run may claim another. A run that is active in a live kernel is not continued.
    """
    own = db.execute(
        "SELECT rowid, continues FROM executions WHERE execution = ?", (run.execution,)
    ).fetchone()
    if own["continues"] is None:
        last = _last(db, run, kernel, own["rowid"], is_alive)
        if last is None:
            return None
        db.execute("UPDATE executions SET continues = ? WHERE execution = ?", (last, run.execution))
    row = db.execute(
        "SELECT p.started_at, p.outcome FROM executions p JOIN executions x ON x.continues = p.execution"
        " WHERE x.execution = ?",
        (run.execution,),
    ).fetchone()
    return Continued(row["started_at"], row["outcome"])


def _last(
    db: sqlite3.Connection, run: Execution, kernel: str, before: int, is_alive: Callable[[str], bool]
) -> str | None:
    earlier = db.execute(
        "SELECT x.*, EXISTS (SELECT 1 FROM executions y WHERE y.continues = x.execution) AS continued"
        f" FROM executions x WHERE x.rowid < :before AND {_SAME_CELL} ORDER BY x.rowid DESC LIMIT :limit",
        {**_cell(run, kernel), "before": before, "limit": LOOK_BACK},
    )
    for row in earlier:
        if row["outcome"] is None and row["kernel"] is not None and is_alive(row["kernel"]):
            continue
        # Without a notebook's name, equal source in another kernel is no proof that it is the same cell.
        known = row["notebook"] is not None or row["kernel"] == kernel
        return None if row["outcome"] == "well" or row["continued"] or not known else str(row["execution"])
    return None


def take_up(
    db: sqlite3.Connection,
    run: Execution,
    query: OrderQuery,
    kernel: str,
    *,
    is_followed: Callable[[OrderRecord], bool],
    can_follow: Callable[[OrderRecord], bool],
) -> TakenUp:
    """Take up orders of earlier runs of the same cell that ask for the same, up to `query.count`.

    An order is taken up that is open; or that has succeeded in the chain of runs that this one continues,
    unless an equal order was paid since then outside of the chain. What the chain left in the background of
    this process is followed on. `can_follow` tells whether an open order can be followed or sent again.
    """
    given = {**vars_of(query), **_cell(run, kernel), "execution": run.execution}
    chain = {row[0] for row in db.execute(f"{_CHAIN} SELECT execution FROM chain", given)}
    found: list[OrderRecord] = []
    lost: list[OrderRecord] = []
    for record in _left(db, given):
        if is_followed(record):
            joins = record.follower == kernel and record.execution in chain
            if joins and len(found) < query.count:
                found.append(record)
        elif record.state == "queued":
            # Nobody sends it any more.
            continue
        elif record.state == "unknown" or not can_follow(record):
            lost.append(record)
        elif len(found) < query.count:
            found.append(replace(record, follower=None))
    db.executemany(
        "UPDATE orders SET follower = ?, execution = ?, asked_at = ?, updated_at = ? WHERE order_id = ?",
        [(kernel, run.execution, now(), now(), each.order_id) for each in found],
    )
    elsewhere = () if len(found) == query.count else _elsewhere(db, given, is_followed, (*found, *lost))
    return TakenUp(tuple(found), tuple(lost), tuple(elsewhere))


def _left(db: sqlite3.Connection, given: dict[str, object]) -> Sequence[OrderRecord]:
    rows = db.execute(
        f"""{_CHAIN}
        SELECT o.* FROM orders o JOIN executions x USING (execution)
        WHERE {_SAME_ORDER.format("o")} AND o.execution <> :execution
        AND x.rowid < (SELECT rowid FROM executions WHERE execution = :execution)
        AND (
            ({_SAME_CELL} AND ({_OPEN} OR o.state = 'unknown'))
            OR (o.state = 'queued' AND o.execution IN chain)
            OR (
                o.state = 'succeeded' AND o.sent_at >= :paid_since AND o.execution IN chain
                AND NOT EXISTS (
                    SELECT 1 FROM orders p LEFT JOIN executions y ON y.execution = p.execution
                    WHERE {_SAME_ORDER.format("p")} AND p.state IN {_PAID} AND p.sent_at > o.sent_at
                    AND p.notebook IS :notebook AND (:notebook IS NOT NULL OR y.kernel = :kernel)
                    AND (p.execution IS NULL OR p.execution NOT IN chain)
                )
            )
        )
        ORDER BY o.created_at, o.rowid""",
        given,
    )
    return [OrderRecord.from_row(row) for row in rows.fetchall()]


def _elsewhere(
    db: sqlite3.Connection,
    given: dict[str, object],
    is_followed: Callable[[OrderRecord], bool],
    known: Sequence[OrderRecord] = (),
) -> list[OrderRecord]:
    rows = db.execute(
        f"SELECT o.* FROM orders o WHERE {_SAME_ORDER.format('o')} AND {_OPEN}"
        " AND (:execution IS NULL OR o.execution IS NOT :execution) AND o.sent_at >= :named_since"
        " ORDER BY o.created_at, o.rowid",
        given,
    )
    seen = {each.order_id for each in known}
    records = [OrderRecord.from_row(row) for row in rows.fetchall()]
    return [each for each in records if each.order_id not in seen and not is_followed(each)]


def open_elsewhere(
    db: sqlite3.Connection, query: OrderQuery, is_followed: Callable[[OrderRecord], bool]
) -> TakenUp:
    """Return what asks for the same as an order that no cell places."""
    found = _elsewhere(db, {**vars_of(query), "execution": None}, is_followed)
    return TakenUp(elsewhere=tuple(found))


def give_back(db: sqlite3.Connection, taken: Sequence[OrderRecord], kernel: str) -> None:
    """Undo `take_up` for those of the orders that this process still follows."""
    db.executemany(
        "UPDATE orders SET follower = ?, execution = ?, asked_at = ?, updated_at = ?"
        " WHERE order_id = ? AND follower = ?",
        [(each.follower, each.execution, each.asked_at, now(), each.order_id, kernel) for each in taken],
    )


def end(db: sqlite3.Connection, execution: str, outcome: Outcome) -> list[OrderRecord]:
    """Record how an execution ended; return the paid orders of its chain that it did not ask for."""
    db.execute("UPDATE executions SET outcome = ? WHERE execution = ?", (outcome, execution))
    left = db.execute(
        f"{_CHAIN} SELECT o.* FROM orders o WHERE o.execution IN chain AND o.execution <> :execution"
        " AND o.state IN ('intended', 'submitted', 'succeeded') ORDER BY o.created_at, o.rowid",
        {"execution": execution},
    )
    return [OrderRecord.from_row(row) for row in left.fetchall()]


def left_over(db: sqlite3.Connection) -> list[OrderRecord]:
    """Return the orders that are paid and complete, and that the continuation of their run, which ended well,
    did not ask for."""
    rows = db.execute(
        # In this order: few executions are continued.
        """SELECT o.* FROM executions x CROSS JOIN orders o ON o.execution = x.execution
        WHERE o.state = 'succeeded' AND x.outcome IS NOT 'well' AND EXISTS (
            WITH RECURSIVE later (execution) AS (
                VALUES (x.execution)
                UNION SELECT y.execution FROM executions y JOIN later ON y.continues = later.execution
            )
            SELECT 1 FROM later JOIN executions z USING (execution) WHERE z.outcome = 'well'
        ) ORDER BY o.created_at, o.rowid"""
    )
    return [OrderRecord.from_row(row) for row in rows.fetchall()]


def last_of(db: sqlite3.Connection, execution: str | None, mode: str | None) -> OrderRecord | None:
    """Return the order that `again` starts from.

    That is the last one that this execution asked for, else the last before the chain of runs that it
    continues. Descriptions aside.
    """
    plain = (
        "SELECT o.* FROM orders o WHERE o.sent_at IS NOT NULL AND o.target <> 'describe'"
        " AND (:mode IS NULL OR o.mode = :mode) AND {} ORDER BY o.asked_at DESC, o.rowid DESC LIMIT 1"
    )
    given = {"execution": execution, "mode": mode}
    # Null for an order, or a call, of no execution.
    for which in ("o.execution = :execution", "coalesce(o.execution NOT IN chain, TRUE)"):
        row = db.execute(_CHAIN + plain.format(which), given).fetchone()
        if row is not None:
            return OrderRecord.from_row(row)
    return None


def vars_of(query: OrderQuery) -> dict[str, object]:
    """Return the parameters of the statements."""
    return {name: getattr(query, name) for name in query.__slots__}


def _cell(run: Execution, kernel: str) -> dict[str, object]:
    return {
        "cell_hash": run.cell_hash,
        "notebook": run.notebook,
        "cell_id": run.cell_id,
        "kernel": kernel,
    }
