"""Tells a live process from a dead one.

Each process holds an operating system lock on a file of its own for as long as it lives; a dead process
holds none, however it died. An order names the process that follows it, so any other can check whether it
is still followed. Where that cannot be told, a process counts as alive.
"""

import os
import sys
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final

from zooop_nb.errors import Action, LedgerError, remedy
from zooop_nb.ledger import forks

STALE_AFTER: Final = 24 * 3600.0
"""Seconds after which the lock file of a dead process is removed."""
FRESHEN_AFTER: Final = 3600.0
"""Seconds after which a live process renews its lock file's time: cleaners of folders go by it."""

_TRIES: Final = 20
_PAUSE: Final = 0.01

# The locks are the system's own, and not filelock's: its release in a forked child would release the
# parent's lock, which both share, and its check would need an exclusive lock.
if sys.platform == "win32":
    import msvcrt

    def _hold(fd: int) -> bool:
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _is_free(fd: int) -> bool:
        # Locks here are exclusive, and another process may be looking at this moment.
        for _ in range(_TRIES):
            if _hold(fd):
                msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
                return True
            time.sleep(_PAUSE)
        return False

else:
    import fcntl

    def _hold(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _is_free(fd: int) -> bool:
        # A shared lock: any number of processes may look at once, and none takes another for the holder.
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        fcntl.flock(fd, fcntl.LOCK_UN)
        return True


class ProcessLock:
    """The lock that shows other processes that this one is alive. Raises `LedgerError`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self.id = uuid.uuid4().hex
        self.held: set[str] = set()
        """The orders that something in this process follows now: the ledger names only the process."""
        self._file: str = str(self._path(self.id))
        self._fd: int | None = None
        self._pid = os.getpid()
        forks.enlist(self)
        self._take()
        self._remove_stale()

    def is_alive(self, process_id: str) -> bool:
        """Return whether the process with this lock id still runs."""
        return process_id == self.id or _is_held(self._path(process_id))

    def keep(self) -> None:
        """See to it that the lock file is still there: a cleaner of folders may have removed it."""
        try:
            seen = os.stat(self._file)  # noqa: PTH116 - asked for every step
            own = self._fd is not None and os.path.samestat(seen, os.fstat(self._fd))
            if own and time.time() - seen.st_mtime > FRESHEN_AFTER:
                os.utime(self._file)
        except OSError:
            own = False
        if not own:
            self._take()

    def close(self) -> None:
        """Release the lock; the orders that this process followed count as abandoned from now on."""
        fd, self._fd = self._fd, None
        if fd is not None and self._pid == os.getpid():
            os.close(fd)
            with suppress(OSError):
                Path(self._file).unlink(missing_ok=True)

    def before_fork(self) -> None:
        """Nothing: the parent goes on holding the lock."""

    def after_fork_in_child(self) -> None:
        """Let go of the parent's lock without releasing it, or it would outlive the parent."""
        fd, self._fd = self._fd, None
        if fd is not None:
            # An unlock would unlock for both; to close is to leave it to the parent.
            os.close(fd)

    def _path(self, process_id: str) -> Path:
        return self._folder / f"{process_id}.lock"

    def _take(self) -> None:
        fd: int | None = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
            if not _in_time(fd):
                raise OSError("it is locked by another process")
        except OSError as error:
            if fd is not None:
                os.close(fd)
            raise LedgerError(
                f"This process cannot show others that it lives: {self._file} cannot be locked ({error}). "
                "Nothing is ordered without that, since another process might take over its orders.",
                value=str(self._folder),
                remedies=[remedy(Action.CHOOSE_FOLDER, variable="ZOOOP_NB_LEDGER")],
            ) from error
        # The lock on a deleted file is released as soon as the new one is held.
        old, self._fd = self._fd, fd
        if old is not None:
            os.close(old)

    def _remove_stale(self) -> None:
        for path in self._folder.glob("*.lock"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > STALE_AFTER and not _is_held(path):
                    path.unlink(missing_ok=True)


def _in_time(fd: int) -> bool:
    """Take the lock of an own file: another process is in the way only while it looks."""
    for _ in range(_TRIES):
        if _hold(fd):
            return True
        time.sleep(_PAUSE)
    return False


def _is_held(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return not _is_free(fd)
    finally:
        os.close(fd)


_locks: dict[Path, ProcessLock] = {}


class _Guard:
    """The lock on `_locks`; a forked child has its own, and none of the parent's `ProcessLock`s."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        forks.enlist(self)

    def before_fork(self) -> None:
        """Nothing to let go of."""

    def after_fork_in_child(self) -> None:
        """Start afresh."""
        self.lock = threading.Lock()
        _locks.clear()


_guard: Final = _Guard()


def current(folder: Path) -> ProcessLock:
    """Return this process's lock for the ledger in `folder`, held; a forked child gets its own."""
    with _guard.lock:
        if folder not in _locks:
            _locks[folder] = ProcessLock(folder / "sessions")
        lock = _locks[folder]
        lock.keep()
        return lock
