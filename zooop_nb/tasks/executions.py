"""What the checkouts of this process share: the tasks followed here, and the runs of cells that order.

An execution ends in every ledger that has orders of it, whichever checkouts placed them.
"""

from functools import partial
from pathlib import Path
from typing import Final, Protocol
from weakref import WeakSet

from zooop_nb.errors import LedgerError
from zooop_nb.ledger import Ledger, OrderRecord, Outcome
from zooop_nb.tasks.task import Task


class Member(Protocol):
    """A checkout, as the others know it."""

    ledger: Ledger

    @property
    def following(self) -> list[Task]:
        """The tasks that it follows."""

    def stop(self, execution: str) -> None:
        """Place no more orders of an execution, and let go of what it waits for."""

    async def cancelled_are_let_go(self) -> None:
        """Wait until the ledger has what was cancelled so far as abandoned or withdrawn."""


_members: Final[WeakSet[Member]] = WeakSet()
_ledgers_of: Final[dict[str, set[Path]]] = {}
"""The ledgers of each running execution that orders. Its cell may let go of its studio before it ends."""


def enlist(member: Member) -> None:
    """Share what a checkout follows, for as long as it lives."""
    _members.add(member)


def dismiss(member: Member) -> None:
    """Forget a checkout that was closed."""
    _members.discard(member)


def take_part(execution: str, ledger: Ledger) -> None:
    """Note that an execution orders. This goes before its row: an interrupt can come at once after that."""
    _ledgers_of.setdefault(execution, set()).add(ledger.path)


def takes_part(execution: str) -> bool:
    """Return whether a running execution has ordered."""
    return execution in _ledgers_of


def end(execution: str, outcome: Outcome) -> list[OrderRecord]:
    """End an execution, in every ledger that has orders of it.

    Unless it ended well, what it waits for is let go. Returns the paid orders of the runs that it continues
    which it did not ask for. Raises `LedgerError` if a ledger cannot be written now; it is owed.
    """
    if outcome != "well":
        for member in list(_members):
            member.stop(execution)
    left: dict[str, OrderRecord] = {}
    failure: LedgerError | None = None
    for path in list(_ledgers_of.get(execution, ())):
        try:
            left |= {record.order_id: record for record in _recorded_end(path, execution, outcome)}
        except LedgerError as error:
            failure = failure or error
    # Only now: an interrupt before would leave it open.
    _ledgers_of.pop(execution, None)
    if failure is not None:
        raise failure
    return list(left.values())


def followed_here() -> dict[str, Task]:
    """Return the tasks by which this process follows orders, by the orders' ids."""
    followed = (task for member in list(_members) for task in member.following)
    return {task.order_id: task for task in followed if task.here and not task.done()}


async def cancelled_are_let_go() -> None:
    """Wait until nothing that was just stopped or cancelled counts as followed any more."""
    for member in list(_members):
        await member.cancelled_are_let_go()


def _recorded_end(path: Path, execution: str, outcome: Outcome) -> list[OrderRecord]:
    in_use = next((each.ledger for each in list(_members) if each.ledger.path == path), None)
    ledger = in_use or Ledger(path)
    record = partial(ledger.end_execution, execution, outcome)
    try:
        return record()
    except LedgerError:
        ledger.owe(record, f"a cell that placed orders ended: {outcome}")
        raise
    finally:
        if in_use is None:
            ledger.close()
