"""Time that a test can afford: the client's clock and the sandbox's move together, as soon as all wait."""

import asyncio
import time
from typing import Any

from tests.support.sandbox_harness import SandboxHarness
from zooop_nb.client import LiveBackend
from zooop_nb.contract.clock import ServerClock
from zooop_nb.settings import Settings


class VirtualTime:
    """A clock and a sleep for `LiveBackend`; one for all backends of a test, on one event loop.

    Time moves only while none of their requests is under way, and then to the next moment that somebody
    sleeps until.
    """

    def __init__(self, sandbox: SandboxHarness) -> None:
        self.slept = 0.0
        """Seconds that were slept and did not pass by themselves."""
        self._began = time.monotonic()
        self.under_way = 0
        self._sandbox = sandbox
        self._owed = 0.0
        """Seconds that the sandbox's clock is behind; it is moved before the next request."""
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._mover: asyncio.Task[None] | None = None

    def now(self) -> float:
        """Seconds, as `time.monotonic()` tells them, and those that were slept."""
        return time.monotonic() + self.slept

    @property
    def passed(self) -> float:
        """The seconds of this time since it was made."""
        return self.now() - self._began

    def server_clock(self) -> ServerClock:
        """Return a clock of the server that this time passes for."""
        return ServerClock(wall=lambda: time.time() + self.slept, boot=self.now)

    def was(self, seconds: float) -> bool:
        """Whether this is how long has been waited so far: what was slept, and what passed meanwhile."""
        return self.slept - 0.1 <= seconds <= self.passed + 0.1

    async def sleep(self, seconds: float) -> None:
        """Return when so many seconds of this time have passed."""
        sleeper = (self.now() + seconds, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        if self._mover is None or self._mover.done():
            self._mover = asyncio.create_task(self._move())
        try:
            await sleeper[1]
        finally:
            self._sleepers.remove(sleeper)

    def backend(self, settings: Settings) -> LiveBackend:
        """Open a backend that lives in this time."""
        return _Timed(settings, self)

    def catch_up(self) -> None:
        """Move the sandbox's clock to this time. Blocking: nothing is sent between the two clocks."""
        ahead, self._owed = self._owed, 0.0
        if ahead:
            self._sandbox.advance(ahead)

    async def _move(self) -> None:
        while self._sleepers:
            # Turns of the loop, so that whatever can go on does so before time moves: a request that is woken
            # takes about ten to be under way.
            for _ in range(50):
                await asyncio.sleep(0)
            if self.under_way:
                await asyncio.sleep(0.002)
                continue
            if not self._sleepers:
                return
            ahead = min(due for due, _ in self._sleepers) - self.now()
            if ahead > 0:
                self.slept += ahead
                self._owed += ahead
            for due, woken in self._sleepers:
                if due <= self.now() and not woken.done():
                    woken.set_result(None)


class _Timed(LiveBackend):
    """A backend that tells the time when a request of it is under way."""

    def __init__(self, settings: Settings, time: VirtualTime) -> None:
        super().__init__(settings, sleep=time.sleep, monotonic=time.now, clock=time.server_clock())
        self._time = time

    async def _send(self, *args: Any, **more: Any) -> Any:
        self._time.catch_up()
        self._time.under_way += 1
        try:
            return await super()._send(*args, **more)
        finally:
            self._time.under_way -= 1
