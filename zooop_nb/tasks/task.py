"""A task that is under way, as the waiting thread sees it."""

import asyncio
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any, Final, overload

from zooop_nb.contract.credits import Number, credits_text
from zooop_nb.errors import Action, PaidTaskError, TaskFailed, ZooopError, remedy
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.results.values import Gallery, Result
from zooop_nb.tasks.progress import Progress, ProgressFeed

RELEASE_TIMEOUT: Final = 2.0
"""Seconds to wait for the background thread to record that a task is not followed any more."""


class WaitingStopped(KeyboardInterrupt):
    """An interrupt while an order was placed or waited for. The API offers no cancelling.

    `order_ids` are the orders that may be paid; none if nothing was submitted. `ended` says that all of them
    had ended before the interrupt, `describing` that the order is a description.
    """

    def __init__(self, order_ids: Sequence[str], *, ended: bool = False, describing: bool = False) -> None:
        if not order_ids:
            text = "Stopped. Nothing was submitted, and nothing is paid."
        elif ended:
            text = "Stopped; what was ordered has come to its end before, and the ledger has it."
        elif describing:
            text = f"Waiting stopped; the description goes on and is paid: order {order_ids[0]} has it."
        elif len(order_ids) == 1:
            text = "Waiting stopped; the task goes on and is paid. Resume picks it up."
        else:
            text = "Waiting stopped; the tasks go on and are paid. Resume picks them up."
        super().__init__(text)
        self.order_ids = tuple(order_ids)
        self.ended = ended
        self.describing = describing


class Task:
    """One order under way. `result()` blocks, `await task` does not; both raise `TaskFailed` if the task
    ends without success. Safe from any thread.

    Cancelling an `await` (`asyncio.wait_for`, an interrupted cell) stops following the task: the order is
    abandoned, and `resume` finds it. After `result(timeout)` has timed out it is still followed.
    """

    def __init__(
        self,
        record: OrderRecord,
        feed: ProgressFeed,
        submitted: "Future[OrderRecord]",
        future: "Future[OrderRecord]",
        ledger: Ledger,
    ) -> None:
        self._record = record
        self._submitted = submitted
        self._future = future
        self._ledger = ledger
        self.feed = feed

    def __repr__(self) -> str:
        state = self.progress.state if self.progress else "new"
        return f"<Task of order {self.order_id}: {state}>"

    @property
    def order_id(self) -> str:
        """The order's id."""
        return self._record.order_id

    @property
    def task_id(self) -> str | None:
        """The API's id of the task; None until the order is accepted."""
        if self._submitted.done() and not self._submitted.cancelled() and self._submitted.exception() is None:
            return self._submitted.result().task_id
        return self._record.task_id

    @property
    def quote(self) -> Number | None:
        """The quote, in credits."""
        return self._record.quoted

    @property
    def progress(self) -> Progress | None:
        """The latest progress."""
        return self.feed.latest

    def done(self) -> bool:
        """Return whether it has ended or is no longer followed."""
        return self._future.done()

    def accepted(self) -> "Task":
        """Block until the API has accepted the order; raises its refusal."""
        try:
            self._submitted.result()
        except CancelledError:
            raise self._not_followed() from None
        except BaseException as error:
            self._stop(error)
            raise
        return self

    def result(self, timeout: float | None = None) -> Result:
        """Block until the task has ended and its outputs are downloaded.

        Raises `TaskFailed` if it failed or was cancelled, `TimeoutError` after `timeout` seconds (it is
        still followed), and `WaitingStopped`, a KeyboardInterrupt, if the waiting was interrupted.
        """
        return checked(self.outcome(timeout))

    def outcome(self, timeout: float | None = None) -> Result:
        """Return the result as `result` does, but also that of a failed task."""
        return Result.of(self.record(timeout))

    def record(self, timeout: float | None = None) -> OrderRecord:
        """Block as `result` does; return the order's last record in the ledger."""
        try:
            return self._future.result(timeout)
        except CancelledError:
            raise self._not_followed() from None
        except TimeoutError:
            raise
        except BaseException as error:
            self._stop(error)
            raise

    def final_result(self) -> Result:
        """Return the result as `outcome` does; a refusal or an error is a result from the ledger too."""
        try:
            return self.outcome()
        except ZooopError:
            return Result.of(self._ledger.get(self.order_id))

    def when_done(self, call: Callable[[], None]) -> None:
        """Call once it has ended or is no longer followed, on any thread."""
        self._future.add_done_callback(lambda _: call())

    def stop_waiting(self) -> None:
        """Stop following the task. It goes on and is paid.

        When this returns, the ledger has it as abandoned, so that the next request for the same finds it.
        """
        self._future.cancel()
        if not self.feed.wait(RELEASE_TIMEOUT):
            # Cancelled before its first step, so it could not record this itself.
            self._ledger.release(self.order_id)
            self._submitted.cancel()
            self.feed.close()

    def __await__(self) -> Generator[Any, None, Result]:
        record = yield from asyncio.wrap_future(self._future).__await__()
        return checked(Result.of(record))

    def _not_followed(self) -> PaidTaskError:
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
            raise WaitingStopped([self.order_id], describing=self._record.target == "describe") from None


class Tasks(Sequence[Task]):
    """The tasks of one call."""

    def __init__(self, tasks: Sequence[Task] = ()) -> None:
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
        """Yield the progress of all at each change and every `every` seconds, until all have ended.

        Blocks in between. An interrupt stops the waiting for all of them.
        """
        changed = threading.Event()
        for task in self._tasks:
            task.feed.listen(changed.set)
        try:
            while not all(task.feed.closed for task in self._tasks):
                yield [task.progress.now() for task in self._tasks if task.progress is not None]
                changed.wait(every)
                changed.clear()
        except KeyboardInterrupt:
            raise self.interrupted() from None

    def result(self) -> Gallery:
        """Block until all have ended.

        A failed task is in the gallery with its error; if all failed, the first one's error is raised. An
        interrupt stops the waiting for all of them.
        """
        try:
            results = [task.final_result() for task in self._tasks]
        except KeyboardInterrupt:
            raise self.interrupted() from None
        return self._gathered(results)

    def single_or_gallery(self) -> Result | Gallery:
        """Block as `result` does; return the result of a single task itself."""
        return self._tasks[0].result() if len(self._tasks) == 1 else self.result()

    def accepted(self) -> "Tasks":
        """Block until the API has answered to each.

        The refusal of a single task is raised; in a batch it is in the result.
        """
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
        """Stop following all of them."""
        for task in self._tasks:
            task._future.cancel()
        for task in self._tasks:
            task.stop_waiting()

    def interrupted(self) -> WaitingStopped:
        """Stop following all of them; return the interrupt to raise."""
        ended = all(task.done() and not task._future.cancelled() for task in self._tasks)
        describing = any(task._record.target == "describe" for task in self._tasks)
        self.stop_waiting()
        return WaitingStopped([task.order_id for task in self._tasks], ended=ended, describing=describing)

    def __await__(self) -> Generator[Any, None, Gallery]:
        async def every() -> Gallery:
            waits = (asyncio.wrap_future(task._future) for task in self._tasks)
            await asyncio.gather(*waits, return_exceptions=True)
            return self._gathered([task.final_result() for task in self._tasks])

        return every().__await__()

    def _gathered(self, results: Sequence[Result]) -> Gallery:
        if self._tasks and all(result.status != "succeeded" for result in results):
            # The first one's own error says more than the ledger's line about it.
            self._tasks[0].result()
        return Gallery(tuple(results))


def checked(result: Result) -> Result:
    """Return the result of a task that succeeded. Raises `TaskFailed` otherwise, with what it cost."""
    if result.status == "succeeded":
        return result
    cost = "what it cost is not known"
    if result.credits is not None:
        cost = f"{credits_text(result.credits)} {'was' if result.credits == 1 else 'were'} charged"
    raise TaskFailed(
        f"{result.model or 'The task'} {result.status}: {result.error or 'no reason was given'}; {cost}.",
        order_id=result.order_id,
        task_id=result.task_id,
        result=result,
    )
