"""The one event loop, on the one background thread, that runs everything asynchronous.

A notebook's own loop may be blocked by the very cell that waits here, so this one has its own thread. It is
a daemon thread, so that a script can end while tasks are followed; they are abandoned then, and `resume`
finds them.
"""

import asyncio
import atexit
import inspect
import os
import threading
from collections.abc import Callable, Collection, Coroutine
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar
from weakref import WeakMethod

from zooop_nb.tasks.promise import Promise

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")

SHUTDOWN_TIMEOUT: Final = 2.0
"""Seconds that coroutines have at the end of the process to record that nothing follows their orders."""


class BackgroundLoop:
    """A loop on a thread. `run` waits, `start` does not; call both from any thread but its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.before_stop: list[WeakMethod[Callable[[], Coroutine[Any, Any, object]]]] = []
        """What has to be done at the end of the process, before everything is cancelled."""
        self._thread = threading.Thread(target=self._serve, name="zooop-loop", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and return its value. An interrupt cancels it."""
        promise: Promise[T] | None = None
        try:
            promise = self.start(coroutine)
            return promise.result()
        except BaseException:
            if promise is not None:
                promise.cancel()
            elif inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                # Interrupted before it was started: Python would print that it was never awaited.
                coroutine.close()
            raise

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Promise[T]:
        """Start a coroutine and return at once; cancelling the promise cancels the coroutine."""
        started: list[asyncio.Task[T]] = []
        cancelled: list[bool] = []

        def cancel() -> None:
            cancelled.append(True)
            if started:
                started[0].cancel()

        promise: Promise[T] = Promise(lambda: self.call(cancel))

        def begin() -> None:
            if cancelled:
                coroutine.close()
                promise.fail(asyncio.CancelledError())
                return
            task = self._loop.create_task(coroutine)
            started.append(task)
            task.add_done_callback(end)

        def end(task: "asyncio.Task[T]") -> None:
            if task.cancelled():
                promise.fail(asyncio.CancelledError())
            elif (error := task.exception()) is not None:
                promise.fail(error)
            else:
                promise.settle(task.result())

        self.call(begin)
        return promise

    def call(self, function: Callable[[], object]) -> None:
        """Call a function on the loop's thread, some time soon."""
        self._loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        """Cancel what runs, give it a moment to clean up, and end the thread."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._wind_up(), self._loop)
            self._thread.join(SHUTDOWN_TIMEOUT)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _wind_up(self) -> None:
        steps = [step for each in self.before_stop if (step := each()) is not None]
        await asyncio.gather(*(step() for step in steps), return_exceptions=True)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._loop.stop()


async def off_loop(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call on another thread, so that the loop goes on meanwhile; at the end of the process on this one."""
    try:
        done = asyncio.get_running_loop().run_in_executor(None, partial(call, *args, **kwargs))
    except RuntimeError:
        # Once the interpreter ends, no thread is started any more.
        return call(*args, **kwargs)
    return await done


async def side_by_side(work: Collection[Coroutine[Any, Any, T]]) -> list[T]:
    """Return the results in the given order. If one fails, the others are cancelled, and end first."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def both(one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, S]) -> tuple[T, S]:
    """Return what both return; as `side_by_side`."""
    works: list[Coroutine[Any, Any, Any]] = [one, other]
    first, second = await side_by_side(works)
    return first, second


_loops: dict[int, BackgroundLoop] = {}
_guard = threading.Lock()


def _after_fork() -> None:
    global _guard
    # The parent's may have been held at the fork.
    _guard = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def shared() -> BackgroundLoop:
    """Return the loop of this process; a forked child gets its own, since threads do not survive a fork."""
    with _guard:
        pid = os.getpid()
        if pid not in _loops:
            _loops[pid] = BackgroundLoop()
            atexit.register(_loops[pid].stop)
        return _loops[pid]
