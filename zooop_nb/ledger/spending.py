"""The ledger's statements about what a session has spent. They run in the caller's transaction."""

import sqlite3
from collections.abc import Callable
from typing import Final

from zooop_nb.contract.credits import Number
from zooop_nb.contract.limits import DESCRIPTION_CREDITS
from zooop_nb.ledger.record import now

# Nothing quotes a description; its price is documented.
_QUOTED: Final = f"iif(o.target = 'describe', {DESCRIPTION_CREDITS}, coalesce(o.quoted, 0))"
_CHARGED: Final = "(SELECT coalesce(sum(e.spent), 0) FROM events e WHERE e.order_id = o.order_id)"
UNSETTLED: Final = "state IN ('queued', 'intended', 'submitted', 'unknown')"
"""The condition of the index `orders_unsettled`; a query that has it uses the index."""
_QUEUED: Final = f"{UNSETTLED} AND state = 'queued'"
_MAY_STILL_COST: Final = f"(o.{UNSETTLED} OR (o.state = 'succeeded' AND o.credits IS NULL))"


def spent(db: sqlite3.Connection, session: str, mode: str) -> Number:
    """Return the net charges of a session's orders, plus what those that may still cost were quoted at.

    No order counts below zero.
    """
    row = db.execute(
        f"SELECT coalesce(sum(max({_CHARGED}, iif({_MAY_STILL_COST}, {_QUOTED}, 0), 0)), 0) FROM orders o"
        " WHERE o.session = ? AND o.mode = ? AND o.state NOT IN ('quoted', 'withdrawn', 'refused')",
        (session, mode),
    ).fetchone()
    total: Number = row[0]
    return total


def queued(db: sqlite3.Connection, token: str, host: str) -> Number:
    """Return the quotes of what is reserved with a token, and not sent yet."""
    row = db.execute(
        f"SELECT coalesce(sum({_QUOTED}), 0) FROM orders o WHERE {_QUEUED} AND o.token = ? AND o.host = ?",
        (token, host),
    ).fetchone()
    total: Number = row[0]
    return total


def limit(db: sqlite3.Connection, session: str, mode: str) -> tuple[bool, Number | None]:
    """Return whether the session has a limit of its own for a mode, and the limit in credits."""
    row = db.execute("SELECT budget FROM sessions WHERE session = ? AND mode = ?", (session, mode)).fetchone()
    return (False, None) if row is None else (True, row["budget"])


def set_limit(db: sqlite3.Connection, session: str, mode: str, budget: Number | None) -> None:
    """Set the limit of a session for a mode; None is no limit."""
    db.execute(
        "INSERT INTO sessions (session, mode, budget) VALUES (?, ?, ?)"
        " ON CONFLICT (session, mode) DO UPDATE SET budget = excluded.budget",
        (session, mode, budget),
    )


def withdraw_of_the_dead(db: sqlite3.Connection, is_alive: Callable[[str], bool]) -> None:
    """Withdraw what is queued by processes that have ended: it was never sent."""
    followers = db.execute(f"SELECT DISTINCT follower FROM orders WHERE {_QUEUED}").fetchall()
    for (follower,) in followers:
        if follower is None or not is_alive(follower):
            db.execute(
                "UPDATE orders SET state = 'withdrawn', follower = NULL, updated_at = ?,"
                f" error = 'Its session ended before it was sent.' WHERE {_QUEUED} AND follower IS ?",
                (now(), follower),
            )
