"""The API's rate limits, kept before the server has to say 429: one sliding window per token and endpoint.

The windows belong to the process: backends with the same host and token share them. A request takes a place
before it is sent, and the place is free again a window's length after its response was heard. The server's
stamp lies between the two, so it never sees more than the limit in its own window.

Written here because no library fits: aiolimiter is a leaky bucket, which lets up to twice its rate into one
window; pyrate-limiter and limits stamp a request when it is admitted, know no place that is held until the
response, and serve waiters in no order.
"""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from zooop_nb.contract.backend import OnWait
from zooop_nb.contract.limits import RATE_WINDOW, RATES, TOLD_RATES

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

FIRST_PAUSE: Final = 1.0
PAUSE_GROWTH: Final = 3.0
LONGEST_PAUSE: Final = 60.0
"""Seconds: the pauses after a 429 that names no time grow from the first to the longest."""

TELL_EVERY: Final = 1.0
"""Seconds between two calls of `on_wait`."""

_Key = tuple[int, str, str, str, Clock]
_windows: "dict[_Key, Window]" = {}


def window(host: str, token: str, endpoint: str, clock: Clock) -> "Window":
    """Return the window of an endpoint (a key of `RATES`) for a token, given by its digest.

    A forked child has windows of its own: it cannot hear what its parent sends. So has each clock.
    """
    key = (os.getpid(), host, token, endpoint, clock)
    # One step, so that two threads never make two.
    return _windows.get(key) or _windows.setdefault(key, Window(RATES[endpoint], clock))


def learn(host: str, token: str, clock: Clock, limits: Mapping[str, Any]) -> None:
    """Take the rates that `GET /v1/me` tells. What is no positive whole number is ignored."""
    for name, endpoint in TOLD_RATES.items():
        rate = limits.get(name)
        if isinstance(rate, int) and not isinstance(rate, bool) and rate > 0:
            window(host, token, endpoint, clock).set_limit(rate)


def forget() -> None:
    """Forget every window. Requests that are under way or waiting keep the one that they have."""
    _windows.clear()


class Place:
    """One request in a window: in flight until `heard`, then counted from there."""

    __slots__ = ("heard", "loop", "unused")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.heard: float | None = None
        self.unused = False

    def give_back(self) -> None:
        """The request certainly never left: its place is free at once."""
        self.unused = True


class _Waiter:
    """A request that waits for its turn; woken through its own loop, whichever thread that runs on."""

    __slots__ = ("loop", "turn")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.turn = asyncio.Event()

    def wake(self) -> None:
        # A loop may be closed while something of it still waits; `_drop_dead` removes that.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.turn.set)


class Window:
    """The places of one endpoint for one token. `limit` None: as many as there are.

    Waiting requests go in the order in which they came. Only the first of them watches the clock, and each
    one that goes wakes the next.
    """

    def __init__(self, limit: int | None, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._places: list[Place] = []
        self._waiters: deque[_Waiter] = deque()
        self._shut_until = 0.0
        self._refusals = 0

    def set_limit(self, limit: int) -> None:
        """Take another limit; places that are taken stay taken."""
        self._limit = limit
        self._wake_first()

    def shut(self, seconds: float | None) -> None:
        """Send nothing for some time, because the server said 429; None if it named no time.

        A time under a second counts as none: a server that names 0 would be asked without a pause.
        """
        if seconds is None or seconds < FIRST_PAUSE:
            seconds = min(FIRST_PAUSE * PAUSE_GROWTH ** min(self._refusals, 9), LONGEST_PAUSE)
        self._refusals += 1
        self._shut_until = max(self._shut_until, self._clock() + seconds)

    def admitted(self) -> None:
        """The server took a request: the refusals before it are over."""
        self._refusals = 0

    @contextlib.asynccontextmanager
    async def place(
        self, sleep: Sleep, on_wait: OnWait | None = None, *, ahead: bool = False
    ) -> AsyncIterator[Place]:
        """Wait for a place and hold it for one request; cancelling the wait costs nobody a place.

        `on_wait` gets the seconds that are left, at first and then once a second. What it raises ends the
        wait. `ahead` is for a request that had its turn and was refused: it goes before those that wait.
        """
        place = await self._take(sleep, on_wait, ahead)
        try:
            yield place
        finally:
            if place.unused:
                self._remove(place)
            else:
                place.heard = self._clock()
            self._wake_first()

    async def _take(self, sleep: Sleep, on_wait: OnWait | None, ahead: bool) -> Place:
        self._drop_dead()
        waiter = _Waiter(asyncio.get_running_loop())
        if ahead:
            self._waiters.appendleft(waiter)
        else:
            self._waiters.append(waiter)
        told: float | None = None
        try:
            while True:
                waiter.turn.clear()
                now = self._clock()
                first = self._waiters[0] is waiter
                opens = self._opens(now) if first else None
                if opens is not None and opens <= now:
                    place = Place(waiter.loop)
                    self._places.append(place)
                    return place
                if on_wait is not None and (told is None or now - told >= TELL_EVERY):
                    told = now
                    on_wait(self._left(waiter, now))
                pause = LONGEST_PAUSE if opens is None else min(opens - now, LONGEST_PAUSE)
                if on_wait is not None:
                    pause = min(pause, TELL_EVERY)
                if on_wait is None and opens is None:
                    await waiter.turn.wait()
                else:
                    await _first_of(waiter.turn, sleep, pause)
        finally:
            # `_drop_dead` may have been here before.
            with contextlib.suppress(ValueError):
                self._waiters.remove(waiter)
            self._wake_first()

    def _opens(self, now: float) -> float | None:
        """Return when the first waiter may go; None while only a response can tell."""
        for each in [each for each in self._places if _is_over(each, now)]:
            self._remove(each)
        # After a 429 one request tries alone: the others would be refused with it.
        if self._refusals and any(each.heard is None for each in self._places):
            return None
        if self._limit is None or len(self._places) < self._limit:
            return max(now, self._shut_until)
        heard = sorted(each.heard for each in self._places if each.heard is not None)
        due = len(self._places) - self._limit
        return None if due >= len(heard) else max(heard[due] + RATE_WINDOW, self._shut_until)

    def _left(self, waiter: _Waiter, now: float) -> float:
        """Return the seconds until a waiter's turn, as far as it can be told: what is in flight ends now."""
        opens = now
        if self._limit is not None:
            free = sorted((now if each.heard is None else each.heard) + RATE_WINDOW for each in self._places)
            rounds, turn = divmod(self._waiters.index(waiter), self._limit)
            turn += len(free) - self._limit
            opens = (now if turn < 0 else free[turn]) + rounds * RATE_WINDOW
        # Its turn may have come and those before it not gone yet.
        return max(opens - now, self._shut_until - now, 0.0)

    def _wake_first(self) -> None:
        first = next(iter(self._waiters), None)
        if first is not None:
            first.wake()

    def _remove(self, place: Place) -> None:
        # A loop on another thread may have been faster.
        with contextlib.suppress(ValueError):
            self._places.remove(place)

    def _drop_dead(self) -> None:
        """Remove what a loop left uncancelled when it was closed, so that it does not block a turn."""
        for waiter in [each for each in self._waiters if each.loop.is_closed()]:
            self._waiters.remove(waiter)
        for place in self._places:
            if place.heard is None and place.loop.is_closed():
                place.heard = self._clock()


def _is_over(place: Place, now: float) -> bool:
    return place.heard is not None and place.heard + RATE_WINDOW <= now


async def _first_of(turn: asyncio.Event, sleep: Sleep, seconds: float) -> None:
    """Wait until `turn` is set or `seconds` have passed."""
    waits = [asyncio.ensure_future(turn.wait()), asyncio.ensure_future(sleep(seconds))]
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
        # Until both have ended, or an injected sleep would go on behind the next one.
        await asyncio.gather(*waits, return_exceptions=True)
    for each in done:
        each.result()
