"""What one call holds: the orders that it has taken up, claimed or reserved so far.

An interrupt can come at any moment on the caller's thread, while the steps run on others. So each step runs
to its end and enters what it holds here, and letting go waits for it.
"""

import asyncio
import os
from collections.abc import Callable, Container
from functools import partial
from typing import Any, TypeVar

from zooop_nb.errors import LedgerError, Withdrawn
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.tasks import loop
from zooop_nb.tasks.runner import TaskRunner
from zooop_nb.tasks.task import Task

T = TypeVar("T")


class Holding:
    """The orders of one call. Its methods run on the background loop.

    `execution` is the run of a cell that makes the call; nothing more is placed once it is among `stopped`.
    """

    def __init__(self, execution: str | None = None, stopped: Container[str] = ()) -> None:
        self.execution = execution
        self._stopped = stopped
        self.taken: list[OrderRecord] = []
        """Taken up, as they were before, and not placed yet."""
        self.order_ids: list[str] = []
        """Claimed or reserved."""
        self.tasks: list[Task] = []
        self._steps: set[asyncio.Future[Any]] = set()
        self._letting_go: asyncio.Task[list[str]] | None = None
        self._process = os.getpid()

    @property
    def here(self) -> bool:
        """Whether the call was made in this process, and not in the one that was forked."""
        return self._process == os.getpid()

    async def step(self, write: Callable[[], T]) -> T:
        """Do a step off the loop. Cancelled, this stops waiting for the step, and the step goes on."""
        self.check()
        step = asyncio.ensure_future(loop.off_loop(write))
        self._steps.add(step)
        return await asyncio.shield(step)

    def check(self) -> None:
        """Raise if nothing may be placed any more."""
        if self.execution is not None and self.execution in self._stopped:
            raise Withdrawn("Its cell was stopped before it was ordered; it costs nothing.")
        if self._letting_go is not None:
            raise asyncio.CancelledError

    async def let_go(self, runner: TaskRunner, ledger: Ledger) -> list[str]:
        """Let go of everything; return the ids of the orders that were placed.

        A second call, after an interrupt of the first, waits for the release that the first began.
        """
        if self._letting_go is None:
            self._letting_go = asyncio.ensure_future(self._all_let_go(runner, ledger))
        return await asyncio.shield(self._letting_go)

    async def _all_let_go(self, runner: TaskRunner, ledger: Ledger) -> list[str]:
        with runner.letting_go():
            await asyncio.gather(*self._steps, return_exceptions=True)
            await runner.stop(self.order_ids)
            await Task.stop_all(self.tasks)
            if self.taken:
                give_back = partial(ledger.give_back, self.taken)
                try:
                    await loop.off_loop(give_back)
                except LedgerError:
                    ledger.owe(give_back, f"orders taken up but not placed: {len(self.taken)}")
        return self.order_ids
