"""The ledger's store: every change is one durable transaction.

SQLite in WAL mode with full synchronisation; where the file system cannot do WAL (NFS), a rollback
journal. `journal` says which.
"""

import importlib.resources
import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from zooop_nb.errors import Action, LedgerError, UnknownName, remedy
from zooop_nb.ledger import liveness as sessions
from zooop_nb.ledger.record import COLUMNS, Number, OrderRecord, now

if TYPE_CHECKING:
    import pandas as pd

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
"""The task statuses after which nothing more comes. API documentation: `GET /v1/tasks/{id}`."""


class Ledger:
    """The store. Safe from any thread of this process, and beside other processes on the same file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            self.journal = self._journal()
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._migrate()
            self.session = sessions.current(path.parent)
        except (sqlite3.Error, OSError) as error:
            raise _unusable(path, error) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    # What happens to an order, in the order in which it happens.

    def quote(self, entry: OrderRecord) -> None:
        """A new order and its quote, not to be submitted yet."""
        with self._change() as db:
            _insert(db, entry)
            self._event(db, "quote", entry.order_id, spent=0, credits=entry.quoted)

    def intend(self, order_ids: Iterable[str], **known: Any) -> None:
        """The intent, for all of them or none: from here on the orders may have been sent, and this session
        follows them.

        `known` are columns that were learned since the quote (`wallet`, `project`, `key_label`).
        """
        with self._change() as db:
            for order_id in order_ids:
                _set(db, order_id, state="intended", sent_at=now(), follower=self.session.id, **known)

    def intend_description(self, entry: OrderRecord) -> None:
        """A picture is about to be described: from here on its credit may have been spent."""
        with self._change() as db:
            _insert(db, replace(entry, state="intended", sent_at=now(), follower=self.session.id))

    def described(self, order_id: str, credits: Number, words: Mapping[str, Any]) -> OrderRecord:
        """The description has come: it is paid, and the order has ended."""
        with self._change() as db:
            ended = {"state": "succeeded", "fetched_at": now(), "follower": None, "error": None}
            _set(db, order_id, credits=credits, outputs=[{"words": words}], **ended)
            self._event(db, "describe", order_id, spent=credits, credits=credits)
            return _get(db, order_id)

    def submitted(self, order_id: str, task_id: str, status: str) -> None:
        """The server has it. Told again (the same key was sent twice), nothing is added."""
        with self._change() as db:
            entry = _get(db, order_id)
            if entry.task_id is None:
                _set(db, order_id, state="submitted", task_id=task_id, status=status, error=None)
                self._event(db, "submit", order_id, spent=0, credits=None)

    def refused(self, order_id: str, error: str) -> None:
        """The server said no: nothing was charged, and nothing is left to do."""
        with self._change() as db:
            _set(db, order_id, state="refused", error=error, follower=None)

    def seen(
        self,
        order_id: str,
        *,
        status: str,
        credits: Number | None,
        created_at: str | None,
        completed_at: str | None,
        outputs: Sequence[Mapping[str, Any]],
        error: str | None,
    ) -> OrderRecord:
        """What the server says of the task now. A figure that differs from what it named before
        becomes a charge or a refund of the difference, once, whoever else follows the same task."""
        with self._change() as db:
            entry = _get(db, order_id)
            if entry.state in TERMINAL and status not in TERMINAL:
                # An answer that was overtaken by a later one, which another follower heard.
                return entry
            if credits is not None:
                spent = credits - _spent(db, order_id)
                if spent or (status == "succeeded" and not _has(db, order_id, "charge")):
                    self._event(
                        db, "refund" if spent < 0 else "charge", order_id, spent=spent, credits=credits
                    )
            _set(
                db,
                order_id,
                state=status if status in TERMINAL else "submitted",
                status=status,
                credits=entry.credits if credits is None else credits,
                task_created_at=created_at or entry.task_created_at,
                task_completed_at=completed_at or entry.task_completed_at,
                outputs=_merge(entry.outputs, outputs),
                error=error,
            )
            return _get(db, order_id)

    def fetched(self, order_id: str, outputs: Sequence[Mapping[str, Any]]) -> OrderRecord:
        """The outputs lie on this machine: the order has ended."""
        with self._change() as db:
            _set(db, order_id, outputs=list(outputs), fetched_at=now(), error=None, follower=None)
            return _get(db, order_id)

    def ended(self, order_id: str) -> OrderRecord:
        """Nobody needs to follow the order any more."""
        with self._change() as db:
            _set(db, order_id, follower=None)
            return _get(db, order_id)

    def abandon(self, order_id: str, error: str | None = None) -> None:
        """This session stops following the order, which is not finished."""
        with self._change() as db:
            if error is None:
                _set(db, order_id, follower=None)
            else:
                _set(db, order_id, follower=None, error=error)

    def unknown(self, order_id: str, why: str) -> None:
        """It cannot be told whether the order arrived, and it must not be sent again."""
        with self._change() as db:
            _set(db, order_id, state="unknown", follower=None, error=why)
            if _get(db, order_id).target == "describe" and not _has(db, order_id, "describe"):
                # So that the frame has a row of it: what it cost, the server did not say.
                self._event(db, "describe", order_id, spent=0, credits=None)

    def claim(self, entry: OrderRecord) -> bool:
        """Follow an abandoned order from now on; false where somebody else was faster."""
        with self._change() as db:
            done = db.execute(
                "UPDATE orders SET follower = ?, updated_at = ? WHERE order_id = ? AND follower IS ?",
                (self.session.id, now(), entry.order_id, entry.follower),
            )
            return done.rowcount == 1

    # What can be asked.

    def get(self, order_id: str) -> OrderRecord:
        """One order. Raises `UnknownName`."""
        with self._read() as db:
            return _get(db, order_id)

    def find(self, text: str) -> OrderRecord:
        """The order that an id names: an order's or a task's, or the beginning of one (4 characters or
        more). Raises `UnknownName`."""
        with self._read() as db:
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

    def last(self, *, mode: str | None = None) -> OrderRecord | None:
        """The newest order that was sent."""
        with self._read() as db:
            row = db.execute(
                "SELECT * FROM orders WHERE sent_at IS NOT NULL AND target <> 'describe'"
                " AND (:mode IS NULL OR mode = :mode) ORDER BY sent_at DESC, rowid DESC LIMIT 1",
                {"mode": mode},
            ).fetchone()
        return None if row is None else OrderRecord.from_row(row)

    def unfinished(self) -> list[OrderRecord]:
        """All orders that are under way, abandoned or unknown, oldest first."""
        with self._read() as db:
            rows = db.execute(
                "SELECT * FROM orders WHERE state IN ('intended', 'submitted', 'unknown')"
                " OR (state = 'succeeded' AND fetched_at IS NULL) ORDER BY created_at, rowid"
            ).fetchall()
        return [OrderRecord.from_row(row) for row in rows]

    def abandoned(
        self, fingerprint: str, cell_hash: str, notebook: str | None, run: str | None
    ) -> list[OrderRecord]:
        """The unfinished orders with this fingerprint that an earlier run of this cell left, and that
        nobody follows, oldest first. `run` is the current run of the cell, whose own orders do not count."""
        with self._read() as db:
            rows = db.execute(
                "SELECT * FROM orders WHERE fingerprint = ? AND cell_hash = ? AND notebook IS ?"
                " AND run IS NOT ?"
                " AND (state IN ('intended', 'submitted') OR (state = 'succeeded' AND fetched_at IS NULL))"
                " ORDER BY created_at, rowid",
                (fingerprint, cell_hash, notebook, run),
            ).fetchall()
        return [entry for entry in map(OrderRecord.from_row, rows) if not self.is_followed(entry)]

    def is_followed(self, entry: OrderRecord) -> bool:
        """Whether a live process follows the order."""
        return entry.follower is not None and self.session.is_alive(entry.follower)

    def committed(self, *, since: str, mode: str) -> Number:
        """The credits that left wallets in a mode since a time, and those that the orders sent since then
        may still cost: an order whose end nobody has seen counts with its quote."""
        with self._read() as db:
            spent: Number = db.execute(
                "SELECT coalesce(sum(e.spent), 0) FROM events e JOIN orders o USING (order_id)"
                " WHERE e.at >= ? AND o.mode = ?",
                (since, mode),
            ).fetchone()[0]
            open_: Number = db.execute(
                # A description is quoted by nobody; by the API's documentation it costs 1 credit.
                "SELECT coalesce(sum(max(iif(o.target = 'describe', 1, o.quoted)"
                " - (SELECT coalesce(sum(e.spent), 0) FROM events e"
                " WHERE e.order_id = o.order_id), 0)), 0) FROM orders o"
                " WHERE o.sent_at >= ? AND o.mode = ? AND o.state IN ('intended', 'submitted', 'unknown')",
                (since, mode),
            ).fetchone()[0]
        return spent + open_

    def frame(self) -> "pd.DataFrame":
        """The DataFrame: one row an event, oldest first; see `zooop_nb.ledger.dataframe`."""
        from zooop_nb.ledger.dataframe import frame

        # A connection of its own: a long ledger is read while orders go on being written.
        try:
            with closing(sqlite3.connect(self.path, timeout=30)) as db:
                return frame(db)
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    # Uploads.

    def upload_url(self, token: str, host: str, sha256: str) -> str | None:
        """Where this content lies already, for this token at this host."""
        with self._read() as db:
            row = db.execute(
                "SELECT url FROM uploads WHERE token = ? AND host = ? AND sha256 = ?", (token, host, sha256)
            ).fetchone()
        return None if row is None else str(row["url"])

    def keep_upload(self, token: str, host: str, sha256: str, url: str, content_type: str, size: int) -> None:
        """An upload that is ready."""
        with self._change() as db:
            db.execute(
                "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?)",
                (token, host, sha256, url, content_type, size, now()),
            )

    def content_of(self, url: str) -> str | None:
        """The content hash of an upload or an output of ours, by its ZOOOP URL."""
        with self._read() as db:
            row = db.execute("SELECT sha256 FROM uploads WHERE url = ?", (url,)).fetchone()
            if row is None:
                # The plain search first: it is many times quicker than reading each order's JSON.
                row = db.execute(
                    "SELECT value ->> 'sha256' AS sha256 FROM orders, json_each(orders.outputs)"
                    " WHERE instr(orders.outputs, :url) AND value ->> 'url' = :url",
                    {"url": url},
                ).fetchone()
        return None if row is None else row["sha256"]

    # How it is done.

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._db.in_transaction:
                    # Left open by an interrupt between two statements of ours; nothing of it was promised.
                    self._db.execute("ROLLBACK")
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                except BaseException:
                    # A commit that failed for want of room has rolled back by itself.
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise _unusable(self.path, error) from error

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise _unusable(self.path, error) from error

    @staticmethod
    def _event(
        db: sqlite3.Connection, event: str, order_id: str, *, spent: Number, credits: Number | None
    ) -> None:
        db.execute(
            "INSERT INTO events (event_id, at, event, order_id, spent, credits) VALUES (?, ?, ?, ?, ?, ?)",
            (str(uuid.uuid4()), now(), event, order_id, spent, credits),
        )

    def _journal(self) -> str:
        try:
            mode = self._db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError:
            # A file system without shared memory or proper locks refuses WAL in this way.
            mode = self._db.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
        return str(mode)

    def _migrate(self) -> None:
        scripts = sorted(
            (file for file in importlib.resources.files("zooop_nb.ledger").joinpath("schema").iterdir()),
            key=lambda file: file.name,
        )
        steps = [(int(file.name[:4]), file) for file in scripts if file.name.endswith(".sql")]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > steps[-1][0]:
                raise LedgerError(
                    f"The ledger {self.path} was written by a newer zooop-nb (schema {version}). "
                    "Update zooop-nb to read it.",
                    value=str(self.path),
                )
            for number, file in steps:
                if number > version:
                    for statement in _statements(file.read_text(encoding="utf-8")):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {number}")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would end the migration's transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _insert(db: sqlite3.Connection, entry: OrderRecord) -> None:
    row = entry.row()
    names = ", ".join(row)
    db.execute(f"INSERT INTO orders ({names}) VALUES ({', '.join('?' * len(row))})", [*row.values()])


def _get(db: sqlite3.Connection, order_id: str) -> OrderRecord:
    row = db.execute("SELECT * FROM orders WHERE order_id = ?", (order_id,)).fetchone()
    if row is None:
        raise UnknownName("order", order_id)
    return OrderRecord.from_row(row)


def _set(db: sqlite3.Connection, order_id: str, **values: Any) -> None:
    values["updated_at"] = now()
    if unknown := values.keys() - set(COLUMNS):
        raise AssertionError(f"no such columns: {unknown}")
    if "outputs" in values:
        values["outputs"] = json.dumps(values["outputs"], ensure_ascii=False, default=str)
    names = ", ".join(f"{name} = ?" for name in values)
    db.execute(f"UPDATE orders SET {names} WHERE order_id = ?", [*values.values(), order_id])


def _spent(db: sqlite3.Connection, order_id: str) -> Number:
    row = db.execute("SELECT coalesce(sum(spent), 0) FROM events WHERE order_id = ?", (order_id,)).fetchone()
    spent: Number = row[0]
    return spent


def _has(db: sqlite3.Connection, order_id: str, event: str) -> bool:
    found = db.execute("SELECT 1 FROM events WHERE order_id = ? AND event = ?", (order_id, event)).fetchone()
    return found is not None


def _merge(known: Iterable[Mapping[str, Any]], said: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the server says of the outputs now, with what is known of their files already."""
    by_url = {each["url"]: each for each in known}
    return [{**by_url.get(each["url"], {}), **each} for each in said]


def _unusable(path: Path, error: Exception) -> LedgerError:
    return LedgerError(
        f"The ledger {path} cannot be used: {error}.",
        value=str(path),
        remedies=[remedy(Action.FREE_LEDGER, path=path)],
    )
