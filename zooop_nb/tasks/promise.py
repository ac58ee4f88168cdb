"""A result of the background loop, for threads that wait for it and may be interrupted.

`concurrent.futures.Future` and `threading.Event` guard themselves with a `Condition`, which is entered by a
function of Python: an interrupt within it leaves the lock held, and then the loop's thread waits for ever.
Here a waiting thread acquires only a lock of its own, in C, that nobody else acquires.
"""

import asyncio
import threading
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Promise(Generic[T]):
    """A value or an error that is set once, on the loop's thread."""

    def __init__(self, cancel: Callable[[], None] = lambda: None) -> None:
        self._cancel = cancel
        self._end: tuple[T | None, BaseException | None] | None = None
        self._latches: list[threading.Lock] = []
        self._calls: list[Callable[[], None]] = []

    def done(self) -> bool:
        """Return whether it is set."""
        return self._end is not None

    def cancel(self) -> None:
        """Ask for the end of what would set it."""
        self._cancel()

    def value(self) -> T | None:
        """Return the value; None if it is not set, or an error."""
        return None if self._end is None else self._end[0]

    def result(self, timeout: float | None = None) -> T:
        """Block until it is set; return the value or raise the error.

        Raises `TimeoutError` after `timeout` seconds, and `CancelledError` of `concurrent.futures`.
        """
        if not self.done():
            latch = threading.Lock()
            latch.acquire()
            self._latches.append(latch)
            # Set in between, it may not have seen the latch.
            if not self.done() and not latch.acquire(timeout=-1 if timeout is None else max(timeout, 0)):
                raise TimeoutError
        assert self._end is not None
        value, error = self._end
        if error is not None:
            raise error
        return value  # type: ignore[return-value]

    def call_when_done(self, call: Callable[[], None]) -> None:
        """Call once it is set, on the loop's thread; at once if it is set already."""
        self._calls.append(call)
        if self._end is not None:
            # Unless the loop's thread has taken it.
            with suppress(ValueError):
                self._calls.remove(call)
                call()

    async def finished(self) -> None:
        """Wait on the running loop until it is set. Cancelled, this cancels what would set it."""
        here = asyncio.get_running_loop()
        waiter = here.create_future()

        def wake() -> None:
            if not waiter.done():
                waiter.set_result(None)

        def wake_there() -> None:
            # The waiting loop may be closed by now.
            with suppress(RuntimeError):
                here.call_soon_threadsafe(wake)

        self.call_when_done(wake_there)
        try:
            await waiter
        except asyncio.CancelledError:
            self.cancel()
            raise

    def __await__(self) -> Generator[Any, None, T]:
        yield from self.finished().__await__()
        return self.result()

    # On the loop's thread.

    def settle(self, value: T) -> None:
        """Set the value, unless it is set already."""
        self._set(value, None)

    def fail(self, error: BaseException) -> None:
        """Set the error, unless it is set already."""
        self._set(None, CancelledError() if isinstance(error, asyncio.CancelledError) else error)

    def _set(self, value: T | None, error: BaseException | None) -> None:
        if self._end is not None:
            return
        self._end = (value, error)
        while self._latches:
            self._latches.pop().release()
        while self._calls:
            self._calls.pop(0)()


class Signal:
    """Something that happens now and then, for one thread that waits for it."""

    def __init__(self) -> None:
        self._happened = False
        self._latch: threading.Lock | None = None

    def set(self) -> None:
        """It has happened. Called on the loop's thread."""
        self._happened = True
        latch = self._latch
        if latch is not None:
            # The waiting may have ended by itself.
            with suppress(RuntimeError):
                latch.release()

    def wait(self, seconds: float) -> None:
        """Block until it happens, for at most `seconds`."""
        latch = threading.Lock()
        latch.acquire()
        self._latch = latch
        if not self._happened:
            latch.acquire(timeout=seconds)
        self._happened = False
