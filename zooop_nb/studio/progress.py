"""How far an order is: values that the engine puts down and the waiting thread picks up."""

import queue
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of an order. Seconds count from the submit."""

    state: str
    """sending, queued, running, fetching, or the task's end."""
    seconds: float
    eta: float | None
    """The median seconds of the model's last ten successes; None where the API does not know."""
    model: str | None = None
    order_id: str | None = None
    task_id: str | None = None


class Track:
    """A thread-safe line of `Progress` from the engine to one waiting thread."""

    def __init__(self) -> None:
        self._moments: queue.SimpleQueue[Progress | None] = queue.SimpleQueue()
        self.latest: Progress | None = None

    def put(self, moment: Progress) -> None:
        """From the engine's thread."""
        self.latest = moment
        self._moments.put(moment)

    def close(self) -> None:
        """No more comes."""
        self._moments.put(None)

    def moments(self) -> Iterator[Progress]:
        """Each moment as it comes, until the end; blocks in between."""
        while (moment := self._moments.get()) is not None:
            yield moment
