"""Telling a live kernel from a dead one.

A session holds an operating system's lock on a file of its own for as long as its process lives; a dead
process holds none, however it died. An order names the session that follows it, so anybody can see
whether someone still does.
"""

import os
import time
import uuid
from pathlib import Path
from threading import Lock
from typing import Final

import filelock

STALE_AFTER: Final = 24 * 3600.0
LOOKING: Final = "looking"
"""The file whose lock is held by whoever looks at another's."""


class Session:
    """This process, as others can see it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        self.id = uuid.uuid4().hex
        self._lock = filelock.FileLock(self._path(self.id), is_singleton=False)
        self._lock.acquire(blocking=False)

    def is_alive(self, session_id: str) -> bool:
        """Whether the process of a session still runs."""
        path = self._path(session_id)
        return session_id == self.id or (path.exists() and _held(path))

    def close(self) -> None:
        """Give the lock back; what this session followed counts as abandoned from now on."""
        self._lock.release()
        self._path(self.id).unlink(missing_ok=True)

    def _path(self, session_id: str) -> Path:
        return self._folder / f"{session_id}.lock"

    def _sweep(self) -> None:
        """Remove the lock files of the long dead, so that they do not pile up."""
        for path in self._folder.glob("*.lock"):
            try:
                old = time.time() - path.stat().st_mtime > STALE_AFTER
            except FileNotFoundError:
                continue
            if old and not _held(path):
                path.unlink(missing_ok=True)


def _held(path: Path) -> bool:
    """Whether a process holds the lock. Looking takes the lock for a moment, so one looks at a time: else two
    that look at once would see each other."""
    with filelock.FileLock(path.parent / LOOKING, is_singleton=False):
        probe = filelock.FileLock(path, is_singleton=False)
        try:
            probe.acquire(blocking=False)
        except filelock.Timeout:
            return True
        probe.release()
        return False


_sessions: dict[tuple[Path, int], Session] = {}
_guard: Final = Lock()


def current(folder: Path) -> Session:
    """The session of this process for the ledger in `folder`; a forked child gets its own."""
    key = (folder, os.getpid())
    with _guard:
        if key not in _sessions:
            _sessions[key] = Session(folder / "sessions")
        return _sessions[key]
