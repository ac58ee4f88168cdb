"""Opens the ledger's SQLite file: its journal mode, its durability, its schema."""

import importlib.resources
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from zooop_nb.errors import LedgerError

STATEMENT_TIMEOUT: Final = 0.1
"""Seconds that one statement waits for another process. SQLite sleeps in C, where no interrupt is heard; so
it sleeps briefly, and whoever waits longer asks again."""


def connect(file: Path) -> tuple[sqlite3.Connection, str]:
    """Return a connection to the file, made and migrated if need be, and its journal mode.

    Raises `sqlite3.Error`; and `LedgerError` if the file is a newer version's.
    """
    connection = plain_connection(file)
    try:
        journal = _set_journal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        # A migration replaces tables that others refer to.
        _migrate(connection, file)
        connection.execute("PRAGMA foreign_keys = ON")
        # The first read creates the log and its index, so that their identity can be noted.
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection, journal


def plain_connection(file: Path) -> sqlite3.Connection:
    """Return a connection to the file as it is. The caller begins and ends its transactions."""
    connection = sqlite3.connect(
        file, timeout=STATEMENT_TIMEOUT, check_same_thread=False, isolation_level=None
    )
    connection.row_factory = sqlite3.Row
    return connection


def begin_reading(db: sqlite3.Connection) -> None:
    """Begin a transaction that has its lock already: no query in it waits for another process."""
    db.execute("BEGIN")
    db.execute("SELECT 1 FROM sqlite_schema").fetchone()


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether the statement failed because another connection was at work."""
    return primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def primary_code(error: sqlite3.Error) -> int | None:
    """Return SQLite's primary result code; none for an error of the Python module itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _set_journal(connection: sqlite3.Connection) -> str:
    try:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    except sqlite3.OperationalError as error:
        if is_busy(error):
            raise
        # A file system without shared memory refuses WAL with such an error.
        mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
    return str(mode)


def _migrate(connection: sqlite3.Connection, file: Path) -> None:
    steps = _steps()
    newest = max(steps)
    version = _version(connection)
    if version > newest:
        raise LedgerError(
            f"The ledger {file} was written by a newer zooop-nb (schema {version}). "
            "Update zooop-nb to read it.",
            value=str(file),
        )
    if version == newest:
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have been faster.
        version = _version(connection)
        for number in sorted(each for each in steps if each > version):
            for statement in _statements(steps[number]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _steps() -> dict[int, str]:
    files = importlib.resources.files("zooop_nb.ledger").joinpath("schema").iterdir()
    return {
        int(file.name[:4]): file.read_text(encoding="utf-8") for file in files if file.name.endswith(".sql")
    }


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script: `executescript` would end the migration's transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
