"""What the ledger's room does around a fork.

SQLite keeps its locks on a file in the process's memory. A child inherits that memory but not the locks: a
connection that it opens to a file which was open at the fork believes itself protected and is not, and the
first process that closes the file deletes the log into which the child writes. So no connection is open
while a process forks, and parent and child open it again when they need it.
"""

import contextlib
import os
import threading
import time
import weakref
from typing import Final, Protocol


class Forkable(Protocol):
    """What must know of forks."""

    def before_fork(self) -> None:
        """Let go of what a child must not inherit."""

    def after_fork_in_child(self) -> None:
        """Replace what the child inherited: locks may be held by threads that it does not have."""


_members: Final[dict[int, "weakref.ref[Forkable]"]] = {}
_forking: Final[set[int]] = set()
"""The threads that are about to fork."""


def enlist(member: Forkable) -> None:
    """Tell the member of each fork from now on, for as long as it lives."""
    key = id(member)
    _members[key] = weakref.ref(member, lambda _: _members.pop(key, None))


class UnderWay(Exception):
    """What was to be done now must wait: another thread is about to fork."""


def under_way() -> bool:
    """Return whether another thread is about to fork: until it has, no connection may be opened."""
    return bool(_forking) and bool(_forking - {threading.get_ident()})


def wait_until_forked() -> None:
    """Wait until no other thread is about to fork. The caller holds no lock that a member may want."""
    while under_way():
        time.sleep(0.001)


def _living() -> list[Forkable]:
    return [member for ref in list(_members.values()) if (member := ref()) is not None]


def _before() -> None:
    _forking.add(threading.get_ident())
    for member in _living():
        # Nobody catches what is raised here, and the others must be told all the same.
        with contextlib.suppress(Exception):
            member.before_fork()


def _after_in_parent() -> None:
    _forking.discard(threading.get_ident())


def _after_in_child() -> None:
    _forking.clear()
    for member in _living():
        with contextlib.suppress(Exception):
            member.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
