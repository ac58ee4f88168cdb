"""Facts that are true already and cannot be written now: owed, and written later.

What was paid, accepted or charged stays so when the disk is full. Such a fact waits here, is written before
this process's next step that succeeds, and is said on standard error if the process ends before that.
"""

import atexit
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from zooop_nb.errors import LedgerError, ZooopError
from zooop_nb.ledger import forks


class _Debt(NamedTuple):
    write: Callable[[], object]
    what: str


class Debts:
    """What one ledger is owed by this process; safe from any thread.

    An interrupt may fall between a write and its being noted, and then it is written again: a write that is
    owed must do no harm the second time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owed: deque[_Debt] = deque()
        self._lock = threading.RLock()
        self._settling = False
        forks.enlist(self)

    def add(self, write: Callable[[], object], what: str) -> None:
        """Owe a write that failed. `what` is the fact, in words that a person can act upon."""
        self._owed.append(_Debt(write, what))
        # A debt outlives the ledger's last user.
        _creditors[id(self)] = self

    def settle(self) -> None:
        """Write all that is owed, in order. Raises `LedgerError` at the first that still fails."""
        with self._lock:
            # The writes are steps of the ledger, and each step settles first.
            if self._settling:
                return
            try:
                self._settling = True
                while self._owed:
                    debt = self._owed[0]
                    try:
                        debt.write()
                    except LedgerError:
                        raise
                    except ZooopError as error:
                        # It never will be, such as where another file has replaced the ledger.
                        self._say([f"{debt.what} ({error.message})"])
                    self._owed.popleft()
                _creditors.pop(id(self), None)
            finally:
                self._settling = False

    def settle_before(self, *, writing: bool) -> None:
        """Settle before a step. One that writes must not overtake what is owed; one that reads goes on."""
        if self._owed:
            try:
                self.settle()
            except LedgerError:
                if writing:
                    raise

    def close(self) -> None:
        """Settle for the last time, and say what could not be written."""
        with suppress(LedgerError):
            self.settle()
        left = [debt.what for debt in self._owed]
        self._owed.clear()
        _creditors.pop(id(self), None)
        if left:
            self._say(left)

    def before_fork(self) -> None:
        """Nothing to let go of."""

    def after_fork_in_child(self) -> None:
        """Leave the debts to the parent."""
        self._lock = threading.RLock()
        self._owed = deque()
        self._settling = False

    def _say(self, facts: list[str]) -> None:
        lines = [f"zooop-nb: these facts could not be written to the ledger {self._path}:"]
        sys.stderr.write("\n  ".join([*lines, *facts]) + "\n")
        sys.stderr.flush()


_creditors: Final[dict[int, Debts]] = {}


def _at_exit() -> None:
    for debts in list(_creditors.values()):
        with suppress(Exception):
            debts.close()


atexit.register(_at_exit)
