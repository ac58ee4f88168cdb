"""How far an order is: values that the background thread stores and the waiting thread reads."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of an order. Seconds count from the submit."""

    state: str
    """sending, queued, running, fetching, or the status at the task's end."""
    seconds: float
    eta: float | None
    """The median seconds of the model's last ten successes; None if the API does not know."""
    model: str | None = None
    order_id: str | None = None
    task_id: str | None = None
    heard_at: float = field(default_factory=time.monotonic)
    """When this was true, by this machine's monotonic clock."""

    def now(self) -> "Progress":
        """Return the same state with the seconds that have elapsed until now."""
        moment = time.monotonic()
        return replace(self, seconds=self.seconds + moment - self.heard_at, heard_at=moment)


class ProgressFeed:
    """The latest `Progress` of one order, stored on the background thread, read from any."""

    def __init__(self) -> None:
        self.latest: Progress | None = None
        self._closed = threading.Event()
        self._listeners: list[Callable[[], None]] = []

    @property
    def closed(self) -> bool:
        """Whether no more comes."""
        return self._closed.is_set()

    def wait(self, seconds: float) -> bool:
        """Block until it is closed, for at most `seconds`; return whether it is."""
        return self._closed.wait(seconds)

    def listen(self, call: Callable[[], None]) -> None:
        """Call `call` after each change, on the background thread; it must only set a flag."""
        self._listeners.append(call)

    def put(self, moment: Progress) -> None:
        """Store the latest moment. Called on the background thread."""
        self.latest = moment
        self._notify()

    def close(self) -> None:
        """Mark the end of the feed."""
        self._closed.set()
        self._notify()

    def _notify(self) -> None:
        for call in self._listeners:
            call()
