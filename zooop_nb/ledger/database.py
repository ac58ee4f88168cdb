"""The ledger's SQLite file: opened, migrated, and changed in durable transactions.

WAL mode with full synchronisation; a rollback journal if the file system does not support WAL (NFS).
"""

import importlib.resources
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import RLock
from typing import TypeVar

from zooop_nb.errors import Action, LedgerError, remedy

T = TypeVar("T")

BUSY_TIMEOUT = 30.0
"""Seconds to wait for another process that writes to the same file."""


class Database:
    """One connection to the file, safe from any thread of this process. Raises `LedgerError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT, check_same_thread=False, isolation_level=None
            )
            self.connection.row_factory = sqlite3.Row
            self.journal = self._set_journal()
            """`wal`, or the rollback journal's mode."""
            self.connection.execute("PRAGMA synchronous = FULL")
            # A migration replaces tables that others refer to.
            self._migrate()
            self.connection.execute("PRAGMA foreign_keys = ON")
        except (sqlite3.Error, OSError) as error:
            raise unusable(path, error) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self.connection.close()

    # These take functions, and are not context managers: an interrupt between a lock's acquisition in a
    # context manager of Python and the start of its block leaves the lock held, and other threads wait for
    # ever. The `with` of the lock itself is C and has no such moment.

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the work as one durable transaction: all of it is written, or none. Return what it returns."""
        try:
            with self._lock:
                self._roll_back()
                self.connection.execute("BEGIN IMMEDIATE")
                try:
                    done = work(self.connection)
                    self.connection.execute("COMMIT")
                except BaseException:
                    self._roll_back()
                    raise
                return done
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return what the query returns; no other thread uses the connection meanwhile."""
        try:
            with self._lock:
                self._roll_back()
                return query(self.connection)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    def _roll_back(self) -> None:
        """Undo a transaction that an interrupt left open: nothing of it was promised."""
        # A commit that fails because the disk is full has rolled back already.
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def _set_journal(self) -> str:
        try:
            mode = self.connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError:
            # A file system without shared memory or working locks refuses WAL with this error.
            mode = self.connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
        return str(mode)

    def _migrate(self) -> None:
        files = importlib.resources.files("zooop_nb.ledger").joinpath("schema").iterdir()
        steps = sorted(
            ((int(file.name[:4]), file) for file in files if file.name.endswith(".sql")),
            key=lambda step: step[0],
        )
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            version = self.connection.execute("PRAGMA user_version").fetchone()[0]
            if version > steps[-1][0]:
                raise LedgerError(
                    f"The ledger {self.path} was written by a newer zooop-nb (schema {version}). "
                    "Update zooop-nb to read it.",
                    value=str(self.path),
                )
            for number, file in steps:
                if number > version:
                    for statement in _statements(file.read_text(encoding="utf-8")):
                        self.connection.execute(statement)
                    self.connection.execute(f"PRAGMA user_version = {number}")
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script: `executescript` would end the migration's transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def unusable(path: Path, error: Exception) -> LedgerError:
    """Return the `LedgerError` for a failure of SQLite or of the file system."""
    return LedgerError(
        f"The ledger {path} cannot be used: {error}.",
        value=str(path),
        remedies=[remedy(Action.FREE_LEDGER, path=path)],
    )
