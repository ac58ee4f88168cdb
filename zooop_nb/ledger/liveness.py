"""Tells a live process from a dead one.

Each process holds an operating system lock on a file of its own for as long as it lives; a dead process
holds none, however it died. An order names the process that follows it, so any other can check whether it
is still followed.
"""

import os
import time
import uuid
from pathlib import Path
from threading import Lock
from typing import Final

import filelock

STALE_AFTER: Final = 24 * 3600.0
"""Seconds after which the lock file of a dead process is removed."""
PROBE: Final = "looking"
"""The file whose lock serialises the checks of other processes' locks."""


class ProcessLock:
    """The lock that shows other processes that this one is alive."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._remove_stale()
        self.id = uuid.uuid4().hex
        self.held: set[str] = set()
        """The orders that something in this process follows now: the ledger names only the process."""
        self._lock = filelock.FileLock(self._path(self.id), is_singleton=False)
        self._lock.acquire(blocking=False)

    def is_alive(self, process_id: str) -> bool:
        """Return whether the process with this lock id still runs."""
        path = self._path(process_id)
        return process_id == self.id or (path.exists() and _is_held(path))

    def close(self) -> None:
        """Release the lock; the orders that this process followed count as abandoned from now on."""
        self._lock.release()
        self._path(self.id).unlink(missing_ok=True)

    def _path(self, process_id: str) -> Path:
        return self._folder / f"{process_id}.lock"

    def _remove_stale(self) -> None:
        for path in self._folder.glob("*.lock"):
            try:
                old = time.time() - path.stat().st_mtime > STALE_AFTER
            except FileNotFoundError:
                continue
            if old and not _is_held(path):
                path.unlink(missing_ok=True)


def _is_held(path: Path) -> bool:
    # The check takes the lock for a moment. Checks run one at a time, or two would see each other as alive.
    with filelock.FileLock(path.parent / PROBE, is_singleton=False):
        probe = filelock.FileLock(path, is_singleton=False)
        try:
            probe.acquire(blocking=False)
        except filelock.Timeout:
            return True
        probe.release()
        return False


_locks: dict[tuple[Path, int], ProcessLock] = {}
_guard: Final = Lock()


def current(folder: Path) -> ProcessLock:
    """Return this process's lock for the ledger in `folder`; a forked child gets its own."""
    key = (folder, os.getpid())
    with _guard:
        if key not in _locks:
            _locks[key] = ProcessLock(folder / "sessions")
        return _locks[key]
