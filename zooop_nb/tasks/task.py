"""A task that is under way, as the thread that waits for it sees it."""

import asyncio
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final, overload

import zooop_nb.results.render  # noqa: F401 - it registers how results show themselves
from zooop_nb.contract.shapes import Number
from zooop_nb.errors import Action, PaidTaskError, TaskFailed, ZooopError, remedy
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.results.values import Gallery, Output, Result
from zooop_nb.tasks.progress import Progress, ProgressFeed

PATIENCE: Final = 2.0
"""Seconds to wait for the engine to write down that a task is not followed any more."""


class WaitingStopped(KeyboardInterrupt):
    """An interrupt while waiting. The API offers no cancelling: the tasks go on and are paid."""

    def __init__(self, order_ids: Sequence[str], *, ended: bool = False) -> None:
        if ended:
            text = "Stopped; what was ordered has come to its end before, and the ledger has it."
        elif len(order_ids) == 1:
            text = (
                "Waiting stopped; the task goes on and is paid. "
                "Run the cell again to attach to it, or resume."
            )
        else:
            text = "Waiting stopped; the tasks go on and are paid. Run the cell again to attach, or resume."
        super().__init__(text)
        self.order_ids = tuple(order_ids)


class Task:
    """One order under way. `result()` blocks, `await task` does not; both raise `TaskFailed` where the
    task ends without success. Safe from any thread.

    Cancelling an `await` (`asyncio.wait_for`, an interrupted cell) stops the following: the order is
    abandoned, and `resume` finds it. `result(timeout)` gives up waiting, and it is followed on."""

    def __init__(
        self,
        entry: OrderRecord,
        track: ProgressFeed,
        submitted: "Future[OrderRecord]",
        future: "Future[OrderRecord]",
        ledger: Ledger,
    ) -> None:
        self._entry = entry
        self._submitted = submitted
        self._future = future
        self._ledger = ledger
        self.track = track

    def __repr__(self) -> str:
        state = self.progress.state if self.progress else "new"
        return f"<Task of order {self.order_id}: {state}>"

    @property
    def order_id(self) -> str:
        """The order's id."""
        return self._entry.order_id

    @property
    def task_id(self) -> str | None:
        """The API's id of the task; None before it is accepted."""
        if self._submitted.done() and not self._submitted.cancelled() and self._submitted.exception() is None:
            return self._submitted.result().task_id
        return self._entry.task_id

    @property
    def quote(self) -> Number | None:
        """The quote, in credits."""
        return self._entry.quoted

    @property
    def progress(self) -> Progress | None:
        """The last that was heard."""
        return self.track.latest

    def done(self) -> bool:
        """Whether it has ended, or is no longer followed."""
        return self._future.done()

    def accepted(self) -> "Task":
        """Block until the API has accepted the order; raises what it refused with."""
        try:
            self._submitted.result()
        except CancelledError:
            raise self._let_go() from None
        except BaseException as error:
            self._stop(error)
            raise
        return self

    def result(self, timeout: float | None = None) -> Result:
        """Block until the task has ended and its outputs are here.

        Raises `TaskFailed` where it failed or was cancelled, `TimeoutError` after `timeout` seconds (it is
        followed on), and `WaitingStopped`, a KeyboardInterrupt, where the waiting was interrupted.
        """
        return checked(self.outcome(timeout))

    def outcome(self, timeout: float | None = None) -> Result:
        """As `result`, but a task that failed is returned, not raised."""
        try:
            return result_of(self._future.result(timeout))
        except CancelledError:
            raise self._let_go() from None
        except TimeoutError:
            raise
        except BaseException as error:
            self._stop(error)
            raise

    def final_result(self) -> Result:
        """As `outcome`, but where the order was refused or lost sight of, that stands in the result."""
        try:
            return self.outcome()
        except ZooopError:
            return result_of(self._ledger.get(self.order_id))

    def when_done(self, call: Callable[[], None]) -> None:
        """Call once it has ended or is no longer followed, on whichever thread notices."""
        self._future.add_done_callback(lambda _: call())

    def stop_waiting(self) -> None:
        """Follow it no longer. It goes on and is paid; the ledger knows it as abandoned when this returns,
        so that whoever asks for the same next finds it."""
        self._future.cancel()
        if not self.track.wait(PATIENCE):
            # Cancelled before its first step, so that it could not write this itself.
            self._ledger.abandon(self.order_id)
            self._submitted.cancel()
            self.track.close()

    def __await__(self) -> Generator[Any, None, Result]:
        entry = yield from asyncio.wrap_future(self._future).__await__()
        return checked(result_of(entry))

    def _let_go(self) -> PaidTaskError:
        return PaidTaskError(
            "The task is not followed any more.",
            order_id=self.order_id,
            task_id=self.task_id,
            remedies=[remedy(Action.FOLLOW_AGAIN, order=self.order_id)],
        )

    def _stop(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            return
        self.stop_waiting()
        if isinstance(error, KeyboardInterrupt):
            raise WaitingStopped([self.order_id]) from None


class Tasks(Sequence[Task]):
    """The tasks of one call."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tuple(tasks)

    def __repr__(self) -> str:
        return f"<{len(self)} tasks, {sum(task.done() for task in self)} done>"

    @overload
    def __getitem__(self, index: int) -> Task: ...

    @overload
    def __getitem__(self, index: slice) -> "Tasks": ...

    def __getitem__(self, index: int | slice) -> "Task | Tasks":
        return Tasks(self._tasks[index]) if isinstance(index, slice) else self._tasks[index]

    def __len__(self) -> int:
        return len(self._tasks)

    def moments(self, every: float = 0.5) -> Iterator[list[Progress]]:
        """Where each of them is: at each change and every `every` seconds until all have ended; blocks in
        between. An interrupt stops the waiting for all of them."""
        changed = threading.Event()
        for task in self._tasks:
            task.track.listen(changed.set)
        try:
            while not all(task.track.closed for task in self._tasks):
                yield [task.progress.now() for task in self._tasks if task.progress is not None]
                changed.wait(every)
                changed.clear()
        except KeyboardInterrupt:
            raise self.interrupted() from None

    def result(self) -> Gallery:
        """Block until all have ended. A task that failed stands in the gallery with its error; where all
        failed, the first one's error is raised. An interrupt stops the waiting for all of them."""
        try:
            results = [task.final_result() for task in self._tasks]
        except KeyboardInterrupt:
            raise self.interrupted() from None
        return self._gathered(results)

    def accepted(self) -> "Tasks":
        """Block until the API has answered to each. What it refused stands in the result, unless it is
        the only task: then the refusal is raised."""
        try:
            for task in self._tasks:
                try:
                    task.accepted()
                except ZooopError:
                    if len(self._tasks) == 1:
                        raise
        except KeyboardInterrupt:
            raise self.interrupted() from None
        return self

    def stop_waiting(self) -> None:
        """Follow none of them any longer."""
        for task in self._tasks:
            task._future.cancel()
        for task in self._tasks:
            task.stop_waiting()

    def interrupted(self) -> WaitingStopped:
        """Follow none of them any longer; the interrupt to raise."""
        ended = all(task.done() and not task._future.cancelled() for task in self._tasks)
        self.stop_waiting()
        return WaitingStopped([task.order_id for task in self._tasks], ended=ended)

    def __await__(self) -> Generator[Any, None, Gallery]:
        async def every() -> Gallery:
            waits = (asyncio.wrap_future(task._future) for task in self._tasks)
            await asyncio.gather(*waits, return_exceptions=True)
            return self._gathered([task.final_result() for task in self._tasks])

        return every().__await__()

    def _gathered(self, results: Sequence[Result]) -> Gallery:
        if self._tasks and all(result.status != "succeeded" for result in results):
            # The first one's own error tells more than the ledger's line about it.
            self._tasks[0].result()
        return Gallery(tuple(results))


def checked(result: Result) -> Result:
    """The result of a task that succeeded. Raises `TaskFailed` otherwise, with what it cost."""
    if result.status == "succeeded":
        return result
    cost = "what it cost is not known" if result.credits is None else f"{result.credits} credits were charged"
    raise TaskFailed(
        f"{result.model or 'The task'} {result.status}: {result.error or 'no reason was given'}; {cost}.",
        order_id=result.order_id,
        task_id=result.task_id,
        result=result,
    )


def result_of(entry: OrderRecord) -> Result:
    """The result of an order as the ledger holds it."""
    begun, ended = entry.task_created_at, entry.task_completed_at
    seconds = None
    if begun and ended:
        seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()
    status = entry.state if entry.state in {"refused", "unknown"} else entry.status or entry.state
    is_model = entry.target == "model"
    return Result(
        order_id=entry.order_id,
        task_id=entry.task_id,
        status=status,
        credits=entry.credits,
        quote=entry.quoted,
        category=f"{entry.type}/{entry.subtype}" if is_model and entry.type else None,
        model=entry.model if is_model else entry.tool or entry.template or entry.target,
        version=entry.version,
        params=entry.params,
        seconds=seconds,
        error=entry.error,
        created_at=begun or entry.sent_at,
        completed_at=ended,
        outputs=() if entry.target == "describe" else tuple(_output(each) for each in entry.outputs),
        mode=entry.mode,
        prompt=entry.prompt,
        tags=entry.tags,
    )


def _output(held: Mapping[str, Any]) -> Output:
    path = held.get("path")
    names = {each.name for each in fields(Output)}
    known = {name: value for name, value in held.items() if name in names}
    return Output(**{**known, "path": Path(path) if path else None})
