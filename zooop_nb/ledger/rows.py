"""The ledger's statements about one order: its row, and its events. They run in the caller's transaction."""

import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from zooop_nb.contract.credits import Number
from zooop_nb.errors import UnknownName
from zooop_nb.ledger.record import COLUMNS, JSON_COLUMNS, OrderRecord, now, to_json

_INSERT: Final = f"INSERT INTO orders ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"


def insert(db: sqlite3.Connection, record: OrderRecord) -> None:
    """Insert a new order."""
    db.execute(_INSERT, record.row())


def select(db: sqlite3.Connection, order_id: str) -> OrderRecord:
    """Return the order. Raises `UnknownName`."""
    row = db.execute("SELECT * FROM orders WHERE order_id = ?", (order_id,)).fetchone()
    if row is None:
        raise UnknownName("order", order_id)
    return OrderRecord.from_row(row)


def is_accepted(db: sqlite3.Connection, order_id: str) -> bool:
    """Return whether the server has accepted the order. Raises `UnknownName`."""
    row = db.execute("SELECT task_id FROM orders WHERE order_id = ?", (order_id,)).fetchone()
    if row is None:
        raise UnknownName("order", order_id)
    return row["task_id"] is not None


def update(db: sqlite3.Connection, order_id: str, **values: Any) -> None:
    """Set columns of the order, and when it was changed."""
    _set(db, order_id, values, "")


def updated(db: sqlite3.Connection, order_id: str, **values: Any) -> OrderRecord:
    """Set columns as `update` does; return the order as it is then. Raises `UnknownName`."""
    rows = _set(db, order_id, values, " RETURNING *").fetchall()
    if not rows:
        raise UnknownName("order", order_id)
    return OrderRecord.from_row(rows[0])


def _set(db: sqlite3.Connection, order_id: str, values: dict[str, Any], more: str) -> sqlite3.Cursor:
    values["updated_at"] = now()
    if unknown := values.keys() - COLUMNS:
        raise AssertionError(f"no such columns: {unknown}")
    for name in JSON_COLUMNS & values.keys():
        values[name] = to_json(values[name])
    names = ", ".join(f"{name} = ?" for name in values)
    return db.execute(f"UPDATE orders SET {names} WHERE order_id = ?{more}", [*values.values(), order_id])


def add_event(
    db: sqlite3.Connection, event: str, order_id: str, *, spent: Number | None, credits: Number | None
) -> None:
    """Add one event to the order. `spent` and `credits` are in credits; None is "not known"."""
    db.execute(
        "INSERT INTO events (event_id, at, event, order_id, spent, credits) VALUES (?, ?, ?, ?, ?, ?)",
        (str(uuid.uuid4()), now(), event, order_id, spent, credits),
    )


def withdraw(db: sqlite3.Connection, order_ids: Iterable[str], why: str, *, follower: str) -> None:
    """Withdraw those of the orders that are queued by a process."""
    db.executemany(
        "UPDATE orders SET state = 'withdrawn', follower = NULL, error = ?, updated_at = ?"
        " WHERE order_id = ? AND state = 'queued' AND follower = ?",
        [(why, now(), order_id, follower) for order_id in order_ids],
    )


def spent_on(db: sqlite3.Connection, order_id: str) -> Number:
    """Return the credits that the order has cost so far, refunds deducted."""
    row = db.execute("SELECT coalesce(sum(spent), 0) FROM events WHERE order_id = ?", (order_id,)).fetchone()
    spent: Number = row[0]
    return spent


def has_event(db: sqlite3.Connection, order_id: str, event: str) -> bool:
    """Return whether the order has an event of this kind."""
    found = db.execute("SELECT 1 FROM events WHERE order_id = ? AND event = ?", (order_id, event)).fetchone()
    return found is not None


def merge_outputs(
    known: Iterable[Mapping[str, Any]], said: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Combine the outputs that the server names now with what is known of their files already."""
    by_url = {each["url"]: each for each in known}
    return [{**by_url.get(each["url"], {}), **each} for each in said]
