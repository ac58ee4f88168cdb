"""A task that is under way, as the waiting thread sees it."""

import asyncio
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from functools import partial
from typing import Any, overload

from zooop_nb.contract.credits import Number, credits_text
from zooop_nb.errors import Action, LedgerError, PaidTaskError, TaskFailed, Withdrawn, ZooopError, remedy
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.results.values import Gallery, Result
from zooop_nb.tasks import loop
from zooop_nb.tasks.progress import Progress, ProgressFeed
from zooop_nb.tasks.promise import Promise, Signal
from zooop_nb.tasks.runner import TaskRunner


class WaitingStopped(KeyboardInterrupt):
    """An interrupt while an order was placed or waited for. The API offers no cancelling.

    `order_ids` are the orders that may be paid; none if nothing was submitted, nor will be. `ended` says that
    all of them had ended before the interrupt, `describing` that the order is a description, `on_their_way`
    that the API's answer to some is not known yet. `withdrawn` is the number of orders that were not sent,
    and cost nothing.
    """

    def __init__(
        self,
        order_ids: Sequence[str],
        *,
        ended: bool = False,
        describing: bool = False,
        on_their_way: bool = False,
        withdrawn: int = 0,
    ) -> None:
        if not order_ids:
            text = "Stopped. Nothing was submitted, and nothing is paid."
        elif ended:
            text = "Stopped; all that was ordered had already ended, and the ledger has it."
        elif describing:
            text = f"Waiting stopped; the description goes on and is paid: order {order_ids[0]} has it."
        else:
            text = f"Waiting stopped; {go_on(len(order_ids), on_their_way)}. "
            text += "Resume picks it up." if len(order_ids) == 1 else "Resume picks them up."
        super().__init__(" ".join(filter(None, (text, not_sent(withdrawn) if order_ids else ""))))
        self.order_ids = tuple(order_ids)
        self.ended = ended
        self.describing = describing
        self.on_their_way = on_their_way
        self.withdrawn = withdrawn

    @classmethod
    def of(cls, records: Sequence[OrderRecord]) -> "WaitingStopped":
        """Return the interrupt for orders as the ledger has them after they were let go."""
        sent = [each for each in records if each.sent_at is not None and each.state != "refused"]
        return cls(
            [each.order_id for each in sent],
            ended=all(each.ended for each in sent),
            describing=any(each.target == "describe" for each in sent),
            on_their_way=any(each.state == "intended" for each in sent),
            withdrawn=sum(each.state == "withdrawn" for each in records),
        )


def go_on(number: int, on_their_way: bool) -> str:
    """Return what becomes of orders that nobody waits for any more."""
    if on_their_way:
        return (
            "the order is on its way and may be paid" if number == 1 else "the orders go on and may be paid"
        )
    return "the task goes on and is paid" if number == 1 else "the tasks go on and are paid"


def not_sent(number: int) -> str:
    """Return the sentence on orders that were withdrawn; empty if there are none."""
    if not number:
        return ""
    one = number == 1
    return f"{number} more {'was' if one else 'were'} not sent, and {'costs' if one else 'cost'} nothing."


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
        submitted: Promise[OrderRecord],
        future: Promise[OrderRecord],
        runner: TaskRunner,
        ledger: Ledger,
    ) -> None:
        self._record = record
        self._submitted = submitted
        self._future = future
        self._runner = runner
        self._ledger = ledger
        self._process = os.getpid()
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
        return (self._submitted.value() or self._record).task_id

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

    @property
    def here(self) -> bool:
        """Whether it belongs to this process, and not to the one that was forked."""
        return self._process == os.getpid()

    def accepted(self) -> "Task":
        """Block until the API has accepted the order; raises its refusal."""
        try:
            self._wait_for_acceptance()
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
        return self._runner.result_of(self.record(timeout))

    def record(self, timeout: float | None = None) -> OrderRecord:
        """Block as `result` does; return the order's last record in the ledger."""
        try:
            return self._wait(timeout)
        except BaseException as error:
            self._stop(error)
            raise

    def final_result(self) -> Result:
        """Return the result as `outcome` does; a refusal or an error is a result from the ledger too."""
        try:
            return self._final()
        except BaseException as error:
            self._stop(error)
            raise

    def when_done(self, call: Callable[[], None]) -> None:
        """Call once it has ended or is no longer followed, on any thread."""
        self._future.call_when_done(call)

    def foreground(self) -> None:
        """Somebody waits for the task: it is sent before those that nobody waits for."""
        if not self._submitted.done():
            loop.shared().call(partial(self._runner.foreground, self.order_id))

    def stop_waiting(self) -> None:
        """Stop following the task. It goes on and is paid; if it was not sent yet, it is withdrawn.

        When this returns, the ledger has it as abandoned, so that the next request for the same finds it.
        """
        Tasks([self]).stop_waiting()

    @staticmethod
    async def stop_all(tasks: "Sequence[Task]") -> None:
        """Stop following the tasks, each runner's together."""
        runners = {task._runner for task in tasks}
        for runner in runners:
            await runner.stop([task.order_id for task in tasks if task._runner is runner])
        for task in tasks:
            if not task.feed.closed:
                # Stopped before its first step, so it could not close this itself.
                task._future.cancel()
                task._submitted.fail(asyncio.CancelledError())
                task.feed.close()

    def __await__(self) -> Generator[Any, None, Result]:
        record = yield from self._future.__await__()
        return checked(self._runner.result_of(record))

    # These leave it to the caller what an interrupt stops: one task, or all of a call.

    def _wait_for_acceptance(self) -> None:
        self._check_process()
        try:
            self._submitted.result()
        except CancelledError:
            raise self._not_followed() from None

    def _wait(self, timeout: float | None = None) -> OrderRecord:
        self._check_process()
        self.foreground()
        try:
            return self._future.result(timeout)
        except CancelledError:
            return self._ended_elsewhere(self._not_followed())
        except PaidTaskError as error:
            return self._ended_elsewhere(error)

    def _final(self) -> Result:
        try:
            record = self._wait()
        except ZooopError:
            record = self._ledger.get(self.order_id)
        return self._runner.result_of(record)

    def _not_followed(self) -> PaidTaskError:
        return PaidTaskError(
            "The task is not followed any more.",
            order_id=self.order_id,
            task_id=self.task_id,
            remedies=[remedy(Action.FOLLOW_AGAIN, order=self.order_id)],
        )

    def _ended_elsewhere(self, error: PaidTaskError) -> OrderRecord:
        """Return the order's record if it has ended since it was followed here, by `resume` say."""
        record = self._ledger.get(self.order_id)
        if record.state == "withdrawn":
            raise Withdrawn(record.error or "It was not sent.", value=self.order_id) from None
        if not record.ended:
            raise error from None
        return record

    def _check_process(self) -> None:
        if not self.here:
            raise PaidTaskError(
                "The process that was forked follows the task, not this one.",
                order_id=self.order_id,
                remedies=[remedy(Action.FOLLOW_AGAIN, order=self.order_id)],
            )

    def _stop(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            return
        if isinstance(error, KeyboardInterrupt):
            raise Tasks([self]).interrupted() from None
        self.stop_waiting()


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
        try:
            changed = Signal()
            self._foreground()
            for task in self._tasks:
                task.feed.listen(changed.set)
            while not all(task.feed.closed for task in self._tasks):
                yield [task.progress.now() for task in self._tasks if task.progress is not None]
                changed.wait(every)
        except KeyboardInterrupt:
            raise self.interrupted() from None

    def result(self) -> Gallery:
        """Block until all have ended.

        A failed task is in the gallery with its error; if all failed, the first one's error is raised. An
        interrupt stops the waiting for all of them.
        """
        return self._gathered(self.final_results())

    def final_results(self) -> list[Result]:
        """Block as `result` does; return the result of each task, failed and refused ones too."""
        try:
            self._foreground()
            return [task._final() for task in self._tasks]
        except KeyboardInterrupt:
            raise self.interrupted() from None

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
                    task._wait_for_acceptance()
                except ZooopError:
                    if len(self._tasks) == 1:
                        raise
        except KeyboardInterrupt:
            raise self.interrupted() from None
        return self

    def stop_waiting(self) -> None:
        """Stop following all of them; those that were not sent yet are withdrawn.

        In a forked child, those of its parent are left to the parent.
        """
        own = [task for task in self._tasks if task.here]
        if own:
            # Started, not run: a second interrupt stops this waiting, and not the release.
            loop.shared().start(Task.stop_all(own)).result()

    def interrupted(self) -> WaitingStopped:
        """Stop following all of them; return the interrupt to raise."""
        self.stop_waiting()
        order_ids = [task.order_id for task in self._tasks]
        try:
            return WaitingStopped.of(self._ledger_of(order_ids))
        except LedgerError:
            # Where the ledger cannot be read, all of them may be paid.
            return WaitingStopped(order_ids)

    def _foreground(self) -> None:
        for task in self._tasks:
            task.foreground()

    def _ledger_of(self, order_ids: Sequence[str]) -> list[OrderRecord]:
        return self._tasks[0]._ledger.get_all(order_ids) if self._tasks else []

    def __await__(self) -> Generator[Any, None, Gallery]:
        async def every() -> Gallery:
            waits = (task._future.finished() for task in self._tasks)
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
