"""The one event loop, on the one background thread, that everything asynchronous runs on.

A notebook's own loop may be blocked by the very cell that waits here, so the engine has a thread of its
own; it is a daemon, so that a script can end while tasks are still followed (they are abandoned then, and
`resume` finds them).
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

T = TypeVar("T")

GOODBYE: Final = 2.0
"""Seconds that tasks have at the end of the process to write down that nobody follows them any more."""


class Engine:
    """A loop on a thread. `run` waits, `start` does not; both may be called from any thread but its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="zooop-engine", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The coroutine's value. An interrupt cancels it."""
        future = self.start(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def start(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Begin, and return at once; cancelling the future cancels the coroutine."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def stop(self) -> None:
        """Cancel what runs, let it clean up for a moment, and end the thread."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._wind_up(), self._loop)
            self._thread.join(GOODBYE)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _wind_up(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._loop.stop()


_engines: dict[int, Engine] = {}
_guard: Final = threading.Lock()


def shared() -> Engine:
    """The engine of this process; a forked child gets its own, since threads do not survive a fork."""
    with _guard:
        pid = os.getpid()
        if pid not in _engines:
            _engines[pid] = Engine()
            atexit.register(_engines[pid].stop)
        return _engines[pid]
