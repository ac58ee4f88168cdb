"""Single flight: what several ask for at the same time is worked out once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Flight:
    task: "asyncio.Task[Any]"
    waiters: int = 0


class ById:
    """A key that is one object itself, whatever it equals. It holds the object, so the id is not reused."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __hash__(self) -> int:
        return id(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ById) and other._value is self._value


class SingleFlight:
    """Runs one coroutine at a time for each key; all who ask for the key meanwhile get its value or error.

    With `keep`, values are kept for as long as this object lives; errors never are. Use it on one event loop
    at a time: what a forked child finds under way belongs to its parent, and is started anew.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self._keep = keep
        self._flights: dict[Hashable, _Flight] = {}
        self._values: dict[Hashable, Any] = {}

    async def run(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the value of `make()`, or of the one that is under way for the key.

        Cancelling one of several who wait cancels only its waiting; when the last one is gone, the work is
        cancelled.
        """
        if key in self._values:
            kept: T = self._values[key]
            return kept
        flight = self._flights.get(key)
        if flight is None or flight.task.get_loop() is not asyncio.get_running_loop():
            flight = _Flight(asyncio.create_task(make()))
            self._flights[key] = flight
            # First of the task's callbacks: who waits finds the flight landed.
            flight.task.add_done_callback(partial(self._land, key, flight))
        flight.waiters += 1
        try:
            value: T = await asyncio.shield(flight.task)
            return value
        finally:
            flight.waiters -= 1
            if flight.waiters == 0 and not flight.task.done():
                flight.task.cancel()
                # Who asks from now on does not get a cancellation that was not meant for them.
                self._remove(key, flight)

    def _land(self, key: Hashable, flight: _Flight, task: "asyncio.Task[Any]") -> None:
        self._remove(key, flight)
        # The exception is retrieved here, as nobody may be left to do so.
        if not task.cancelled() and task.exception() is None and self._keep:
            self._values[key] = task.result()

    def _remove(self, key: Hashable, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
