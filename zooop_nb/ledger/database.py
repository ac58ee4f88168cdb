"""The ledger's SQLite file: opened, changed in durable transactions, and kept in sight.

WAL mode with full synchronisation; a rollback journal if the file system does not support WAL (NFS).
"""

import atexit
import os
import sqlite3
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from threading import RLock
from typing import Final, NoReturn, TypeVar
from weakref import WeakValueDictionary

from zooop_nb.errors import Action, LedgerError, remedy
from zooop_nb.ledger import forks, recovery, whereabouts
from zooop_nb.ledger.opening import begin_reading, connect, is_busy, plain_connection

T = TypeVar("T")

BUSY_TIMEOUT = 30.0
"""Seconds to wait for another process that writes to the same file."""
EXIT_TIMEOUT = 2.0
"""Seconds that the end of the process waits for a thread that is writing."""


class Database:
    """One connection to the file, safe from any thread of this process, and after a fork in the child too.

    Every method raises `LedgerError`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        """Absolute: the working directory may change later."""
        self.journal = ""
        """`wal`, or the rollback journal's mode."""
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = None
        self._watched: tuple[str, ...] = ()
        self._opened: whereabouts.Identity = ()
        """The files that were opened, or that were let go of last."""
        self._pid = os.getpid()
        self._apart: list[sqlite3.Connection] = []
        self._inherited: list[sqlite3.Connection] = []
        """A parent's connections. They are neither used nor closed, and so not given up to be finalised."""
        self._unsaid: LedgerError | None = None
        """An error found between calls: the next one raises it."""
        self._closed = False
        forks.enlist(self)
        _open[id(self)] = self
        try:
            self.read(lambda db: None)
        except BaseException:
            self._forget()
            raise

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection, for who looks at the file as it is."""

        def current() -> sqlite3.Connection:
            forks.wait_until_forked()
            with self._lock:
                return self._current()

        return _patiently(current)

    def close(self) -> None:
        """Write the log into the file and close it."""
        with self._lock:
            self._let_go()
            self._closed = True
        self._say_unsaid()
        self._forget()

    # These take functions, and are not context managers: an interrupt between a lock's acquisition in a
    # context manager of Python and the start of its block leaves the lock held, and other threads wait for
    # ever. The `with` of the lock and of the connection are C and have no such moment.

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the work as one durable transaction: all of it is written, or none. Return what it returns."""
        return self._transact(work, writing=True)

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return what the query returns, all of it as of one moment; no other thread is served meanwhile."""
        return self._transact(query, writing=False)

    def read_apart(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return what the query returns on a connection of its own: other threads are served meanwhile."""
        self.read(lambda db: None)
        try:
            forks.wait_until_forked()
            with closing(plain_connection(self._file)) as db:
                db.row_factory = None
                self._apart.append(db)
                try:
                    _patiently(lambda: begin_reading(db))
                    return query(db)
                finally:
                    self._apart.remove(db)
        except sqlite3.Error as error:
            if recovery.is_damage(error):
                self._recover(self._connection, error)
            raise unusable(self.path, error) from error

    def check(self) -> None:
        """Run SQLite's quick check. Raises `LedgerError` about damage, which is recovered from by then."""
        if self.read(recovery.problems):
            self._recover(self._connection, None)

    def _transact(self, work: Callable[[sqlite3.Connection], T], *, writing: bool) -> T:
        used: sqlite3.Connection | None = None
        begun = False

        def attempt() -> T:
            nonlocal used, begun
            forks.wait_until_forked()
            with self._lock:
                used = db = self._current()
                # What somebody left open was not promised.
                if db.in_transaction:
                    db.execute("ROLLBACK")
                with db:
                    if writing:
                        db.execute("BEGIN IMMEDIATE")
                    else:
                        begin_reading(db)
                    begun = True
                    done = work(db)
                    if writing:
                        # Readers are in the way only of a rollback journal.
                        _patiently(lambda: db.execute("COMMIT"))
                if writing and not whereabouts.is_unchanged(self._watched[:1], self._opened[:1]):
                    # A file that went away meanwhile took this transaction with it.
                    self._current()
                return done

        try:
            # The lock is free between two attempts, for other threads and for a fork.
            return _patiently(attempt, unless=lambda: begun)
        except sqlite3.Error as error:
            if recovery.is_damage(error):
                self._recover(used, error)
            raise unusable(self.path, error) from error
        except OSError as error:
            raise unusable(self.path, error) from error

    # All below is called with the lock held.

    @property
    def _file(self) -> Path:
        """The file itself, where the path is a link; SQLite keeps its log beside that."""
        return Path(self._watched[0])

    def _current(self) -> sqlite3.Connection:
        """Return the connection to the file that now lies under the path."""
        if self._closed:
            raise sqlite3.ProgrammingError("it is closed")
        if self._unsaid is not None:
            unsaid, self._unsaid = self._unsaid, None
            raise unsaid
        if self._inherited or self._pid != os.getpid():
            raise LedgerError(
                f"The ledger {self.path} was in use when this process was forked from another, and cannot be "
                "used here. Nothing is ordered. Fork at another moment, or start a new process.",
                value=str(self.path),
            )
        lost = self._connection is not None and not whereabouts.is_unchanged(self._watched, self._opened)
        if (self._connection is None or lost) and forks.under_way():
            raise forks.UnderWay
        if lost:
            self._follow()
        elif self._connection is None:
            self._open()
        assert self._connection is not None
        return self._connection

    def _open(self) -> None:
        file = Path(os.path.realpath(self.path))
        before = self._opened[:1]
        self._watched = whereabouts.names(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            unclean = recovery.ended_uncleanly(file)
            if recovery.lost_its_head(file) or (unclean and not recovery.is_sound_at_first(file)):
                self._recover(None, None)
            connection, journal = connect(file)
        except sqlite3.DatabaseError as error:
            if recovery.is_damage(error):
                self._recover(None, error)
            raise
        opened = whereabouts.identity(self._watched)
        # Together: an interrupt comes with a call.
        self._connection, self._opened, self.journal = connection, opened, journal
        if before and before != self._opened[:1]:
            raise LedgerError(
                f"The ledger {self.path} was deleted or replaced. Nothing was ordered; from now on the file "
                "that lies there is used.",
                value=str(self.path),
            )

    def _let_go(self) -> None:
        """Write the log into the file and close it, to be opened again when it is needed."""
        if self._connection is None:
            return
        if self._pid == os.getpid() and not self._inherited:
            # Other readers may be in the way; then the last of them does it.
            try:
                with suppress(sqlite3.Error, OSError, forks.UnderWay):
                    self._current().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except LedgerError as error:
                self._unsaid = error
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _follow(self) -> None:
        """Save what the open file holds, now that it has lost its name, and open what lies there instead."""
        connection, file, opened = self._connection, self._file, self._opened
        assert connection is not None
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        found = whereabouts.identity(self._watched)
        if whereabouts.is_emptied(found, opened):
            self._recover(connection, None)
        if whereabouts.only_log_deleted(found, opened):
            # What it held is still read, and goes into the file unless a reader is in the way.
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy:
                self._reopen()
                return
        try:
            copy = whereabouts.save_copy(connection, file)
        except sqlite3.DatabaseError as error:
            if not recovery.is_damage(error):
                # The connection is kept: the copy may be made when the disk has room.
                raise
            self._reopen()
            raise LedgerError(
                f"The ledger {self.path} was deleted or replaced while it was open, and what it held is "
                f"damaged: {error}. Nothing was ordered; from now on the file that lies there is used.",
                value=str(self.path),
            ) from error
        try:
            if found[0] != opened[0]:
                whereabouts.remove_own_log(file, opened)
            if found[0] is None and whereabouts.put_back(copy, file):
                self._reopen()
                said = f"The ledger {self.path} was deleted while it was open. It is written there again"
                # All is well again, also where warnings are made errors.
                with suppress(RuntimeWarning):
                    warnings.warn(f"{said}, with all of its orders.", RuntimeWarning, stacklevel=2)
                return
            self._replace(copy)
        finally:
            copy.unlink(missing_ok=True)

    def _replace(self, copy: Path) -> None:
        """Use the file that another process put there; say so unless it holds all that the copy does."""
        failure: Exception | None = None
        # First of all: the old connection may go only when the copy is safe from an interrupt.
        kept = whereabouts.keep_beside(copy, self._file)
        try:
            self._reopen()
            assert self._connection is not None
            if whereabouts.has_all_of(self._connection, kept):
                kept.unlink()
                return
        except (sqlite3.Error, LedgerError) as error:
            failure = error
        raise LedgerError(
            f"The ledger {self.path} was replaced by another file while it was open. What it held is in "
            f"{kept}. Nothing was ordered; "
            + (
                "from now on the file that lies there is used."
                if failure is None
                else f"the file that lies there cannot be used: {failure}."
            ),
            value=str(self.path),
        ) from failure

    def _reopen(self) -> None:
        old, self._connection, self._opened = self._connection, None, ()
        if old is not None:
            # SQLite leaves the log alone where the file has moved.
            old.close()
        self._open()

    def _recover(self, used: sqlite3.Connection | None, cause: sqlite3.Error | None) -> NoReturn:
        """Set the damaged file aside and say so; the next call finds what could be read of it."""
        with self._lock:
            if self._connection is not None and self._connection is used:
                # Closing writes the log into the file, as far as that can be done.
                self._connection = None
                used.close()
            elif used is not None:
                # Another thread has seen to it.
                raise unusable(self.path, cause) from cause
            self._opened = ()
            file = self._file
            if not recovery.was_ledger(file):
                raise unusable(self.path, cause or "file is not a database") from cause
            if cause is not None and recovery.is_sound(file):
                # What this process had in memory was not what is in the file.
                raise unusable(self.path, cause) from cause
            try:
                done = recovery.recover(file)
            except (sqlite3.Error, OSError) as error:
                raise LedgerError(
                    f"The ledger {self.path} is damaged, and cannot be set aside: {error}. "
                    "Nothing was ordered.",
                    value=str(self.path),
                    remedies=[remedy(Action.FREE_LEDGER, path=self.path)],
                ) from error
        orders = f"{done.orders} {'order' if done.orders == 1 else 'orders'}"
        raise LedgerError(
            f"The ledger {self.path} was damaged. It was set aside as {done.aside}; {orders} could be read "
            "from it and go on in a new file. Nothing was ordered now; an order that could not be read may "
            "have been paid.",
            value=str(self.path),
        ) from cause

    def before_fork(self) -> None:
        """Close the file; parent and child open it again when they need it. See `forks`."""
        until = time.monotonic() + EXIT_TIMEOUT
        while self._apart and time.monotonic() < until:
            time.sleep(0.001)
        with self._lock:
            self._let_go()

    def after_fork_in_child(self) -> None:
        """Start with a lock of its own: the parent's may be held by a thread that is not here."""
        self._lock = RLock()
        self._inherited = [each for each in (self._connection, *self._apart) if each is not None]
        self._connection = None
        self._apart = []
        self._pid = os.getpid()

    def at_exit(self) -> None:
        """Write the log into the file; what still runs may open it again."""
        if self._lock.acquire(timeout=EXIT_TIMEOUT):
            try:
                self._let_go()
            finally:
                self._lock.release()
        self._say_unsaid()

    def _say_unsaid(self) -> None:
        if self._unsaid is not None:
            sys.stderr.write(f"zooop-nb: {self._unsaid}\n")
            self._unsaid = None

    def _forget(self) -> None:
        _open.pop(id(self), None)


_open: Final[WeakValueDictionary[int, Database]] = WeakValueDictionary()
"""What is written into the file at the end of the process: a copy of the file alone then has everything."""


def _patiently(attempt: Callable[[], T], unless: Callable[[], bool] = lambda: False) -> T:
    """Return what the attempt returns; repeat it while another process is at work, up to the timeout.

    SQLite would wait by itself, but in C: an interrupt would be heard only at the end.
    """
    until = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            return attempt()
        except forks.UnderWay:
            continue
        except sqlite3.OperationalError as error:
            if unless() or not is_busy(error) or time.monotonic() > until:
                raise
        time.sleep(0.01)


def _at_exit() -> None:
    for database in list(_open.values()):
        # The folder may be gone by now. What is left in the log is read by the next process.
        with suppress(Exception):
            database.at_exit()


atexit.register(_at_exit)


def unusable(path: Path, error: object) -> LedgerError:
    """Return the `LedgerError` for a failure of SQLite or of the file system."""
    return LedgerError(
        f"The ledger {path} cannot be used: {error}.",
        value=str(path),
        remedies=[remedy(Action.FREE_LEDGER, path=path)],
    )
