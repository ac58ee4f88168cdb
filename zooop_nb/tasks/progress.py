"""How far an order is: values that the engine puts down and the waiting thread picks up."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace


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
    heard_at: float = field(default_factory=time.monotonic)
    """When this was true, by this machine's monotonic clock."""

    def now(self) -> "Progress":
        """The same state with the seconds that have gone until now."""
        moment = time.monotonic()
        return replace(self, seconds=self.seconds + moment - self.heard_at, heard_at=moment)


class ProgressFeed:
    """The latest `Progress` of one order, put down on the engine's thread, read from any."""

    def __init__(self) -> None:
        self.latest: Progress | None = None
        self._closed = threading.Event()
        self._listeners: list[Callable[[], None]] = []

    @property
    def closed(self) -> bool:
        """Whether no more comes."""
        return self._closed.is_set()

    def wait(self, seconds: float) -> bool:
        """Block until it is closed, for so long at most; whether it is."""
        return self._closed.wait(seconds)

    def listen(self, call: Callable[[], None]) -> None:
        """Have `call` called after each change, on the engine's thread: it must only leave a sign."""
        self._listeners.append(call)

    def put(self, moment: Progress) -> None:
        """From the engine's thread."""
        self.latest = moment
        self._tell()

    def close(self) -> None:
        """No more comes."""
        self._closed.set()
        self._tell()

    def _tell(self) -> None:
        for call in self._listeners:
            call()
