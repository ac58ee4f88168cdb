"""Runs an order from its reservation, or from wherever it stands, to its end.

Each step is in the ledger before the next begins, so that after a crash the next session continues from
there. These coroutines return values and report progress; they display nothing. The ledger is written off
the event loop.
"""

import asyncio
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakMethod

from zooop_nb.contract.backend import Backend
from zooop_nb.errors import (
    Action,
    APIError,
    LedgerError,
    OrderUnknown,
    PaidTaskError,
    Withdrawn,
    ZooopError,
    remedy,
)
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.results.values import Result
from zooop_nb.tasks import loop
from zooop_nb.tasks.follower import Follower
from zooop_nb.tasks.progress import ProgressFeed
from zooop_nb.tasks.promise import Promise
from zooop_nb.tasks.queue import queue_of
from zooop_nb.tasks.resending import age
from zooop_nb.tasks.sender import Sender


class TaskRunner:
    """Runs orders over one backend."""

    def __init__(self, backend: Backend, ledger: Ledger, folder: Path) -> None:
        self._backend = backend
        self._ledger = ledger
        self._folder = folder
        self._sender = Sender(backend, ledger)
        self._follower = Follower(backend, ledger, folder)
        self._loop: loop.BackgroundLoop | None = None
        """The loop on which orders are followed; it stops that at the end of the process."""
        self._running: dict[str, asyncio.Task[Any]] = {}
        """What follows each order now, by its id."""
        self._stopping: set[str] = set()
        self._letting_go: set[asyncio.Future[None]] = set()

    def result_of(self, record: OrderRecord) -> Result:
        """Return an order as a result, its files in the folder."""
        return Result.of(record, self._folder)

    async def run(
        self, record: OrderRecord, feed: ProgressFeed, submitted: Promise[OrderRecord], *, background: bool
    ) -> OrderRecord:
        """Run an order that this process follows to its end; return its last record.

        If this is cancelled or fails before the end, the order is left abandoned in the ledger, and withdrawn
        if it was not sent.
        """
        order_id = record.order_id
        queue = queue_of(record.host, record.token)
        elapsed = age(record, self._backend.clock.now()) or 0.0
        started = time.monotonic() - min(elapsed, 3600.0)
        self._register(order_id)
        try:
            if record.target == "describe":
                record = await self._sender.describe(record, feed)
                submitted.settle(record)
            else:
                if record.state == "queued":
                    record = await self._sender.send_in_turn(record, feed, background=background)
                    started = time.monotonic()
                elif record.task_id is None:
                    queue.occupy(order_id)
                    record = await self._sender.send_again(record, feed)
                    started = time.monotonic()
                elif not record.ended:
                    queue.occupy(order_id)
                submitted.settle(record)
                record = await self._follower.follow(record, feed, started)
            self._ledger.process.held.discard(order_id)
            return record if record.follower is None else await self._released(record)
        except BaseException as error:
            if isinstance(error, LedgerError) and record.state != "queued":
                error.remedies = (*error.remedies, remedy(Action.RESUME, order=order_id))
            if (end := _end_of(error)) is not None:
                feed.say(record, end)
            if order_id not in self._stopping:
                self._let_go(order_id, error)
            submitted.fail(error)
            raise
        finally:
            queue.leave(order_id)
            self._running.pop(order_id, None)
            feed.close()

    async def stop(self, order_ids: Collection[str]) -> None:
        """Stop following the orders; when this returns, the ledger has them as abandoned or withdrawn.

        A request that is on its way goes on.
        """
        self._here()
        order_ids = tuple(order_ids)
        if not order_ids:
            return
        self._stopping.update(order_ids)
        try:
            with self.letting_go():
                running = [self._running[each] for each in order_ids if each in self._running]
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
                try:
                    await loop.off_loop(self._ledger.let_go, order_ids)
                except LedgerError:
                    self._owe_release(order_ids)
        finally:
            self._stopping.difference_update(order_ids)

    @contextmanager
    def letting_go(self) -> Iterator[None]:
        """Let `cancelled_are_let_go` wait for the end of this."""
        self._here()
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._letting_go.add(end)
        try:
            yield
        finally:
            self._letting_go.discard(end)
            end.set_result(None)

    async def cancelled_are_let_go(self) -> None:
        """Wait until the ledger has what was stopped or cancelled so far as abandoned or withdrawn."""
        self._here()
        cancelled = [task for task in self._running.values() if task.cancelling()]
        if cancelled or self._letting_go:
            await asyncio.wait([*cancelled, *self._letting_go])

    def foreground(self, order_id: str) -> None:
        """Somebody waits for the order from now on. Called on the background thread."""
        queue_of(self._backend.host, self._backend.token).foreground(order_id)

    def _here(self) -> None:
        """Start anew on the loop of a forked child: what the parent follows is not followed here."""
        here = loop.shared()
        if self._loop is not here:
            self._loop = here
            self._running, self._stopping, self._letting_go = {}, set(), set()
            # Weakly: the loop outlives the studios.
            here.before_stop.append(WeakMethod(self._stop_all))

    async def _stop_all(self) -> None:
        await self.stop(tuple(self._running))

    def _register(self, order_id: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._here()
        self._running[order_id] = task

    async def _released(self, record: OrderRecord) -> OrderRecord:
        try:
            return await loop.off_loop(self._ledger.release, record.order_id)
        except LedgerError:
            self._owe_release([record.order_id])
            return record

    def _let_go(self, order_id: str, error: BaseException) -> None:
        try:
            self._ledger.let_go([order_id], error.message if isinstance(error, ZooopError) else None)
        except LedgerError:
            self._owe_release([order_id])

    def _owe_release(self, order_ids: Collection[str]) -> None:
        self._ledger.process.held.difference_update(order_ids)
        self._ledger.owe(
            lambda: self._ledger.let_go(order_ids), f"orders not followed any more: {len(order_ids)}"
        )


def _end_of(error: BaseException) -> str | None:
    """Return the state in which an error leaves the order, for the progress; None if it goes on."""
    ends = {OrderUnknown: "unknown", PaidTaskError: None, Withdrawn: "withdrawn", APIError: "refused"}
    return next((end for kind, end in ends.items() if isinstance(error, kind)), None)
