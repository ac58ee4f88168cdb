"""What every step of the ledger is: one durable transaction on the file, after what is owed is written."""

import functools
import inspect
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from zooop_nb.ledger import liveness
from zooop_nb.ledger.database import Database
from zooop_nb.ledger.debts import Debts

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="LedgerFile")


class LedgerFile:
    """A ledger's file, open. Every method raises `LedgerError` if it cannot be read or written."""

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


def writes(step: Callable[Concatenate[S, sqlite3.Connection, P], T]) -> Callable[Concatenate[S, P], T]:
    """Make a method of the step: it is called without `db`, and is one durable transaction."""
    return _given_connection(step, Database.change)


def reads(query: Callable[Concatenate[S, sqlite3.Connection, P], T]) -> Callable[Concatenate[S, P], T]:
    """Make a method of the query: it is called without `db`."""
    return _given_connection(query, Database.read)


def _given_connection(
    step: Callable[Concatenate[S, sqlite3.Connection, P], T], run: Callable[..., Any]
) -> Callable[Concatenate[S, P], T]:
    @functools.wraps(step)
    def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        self._debts.settle_before(writing=run is Database.change)
        done: T = run(self._db, lambda db: step(self, db, *args, **kwargs))
        return done

    signature = inspect.signature(step)
    shown = [each for each in signature.parameters.values() if each.name != "db"]
    method.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    return method
