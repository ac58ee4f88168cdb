"""How far an order is: values that the background thread stores and the waiting thread reads."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from zooop_nb.ledger import OrderRecord


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of an order. Seconds count from the submit."""

    state: str
    """waiting, sending, queued, running, fetching, or the status at the task's end."""
    seconds: float
    eta: float | None
    """The median seconds of the model's last ten successes; None if the API does not know."""
    model: str | None = None
    order_id: str | None = None
    task_id: str | None = None
    note: str | None = None
    """What it waits for, in words, if it is not the task itself."""
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
        self._closed = False
        self._listeners: list[Callable[[], None]] = []

    @property
    def state(self) -> str | None:
        """The latest state."""
        return None if self.latest is None else self.latest.state

    @property
    def closed(self) -> bool:
        """Whether no more comes."""
        return self._closed

    def listen(self, call: Callable[[], None]) -> None:
        """Call `call` after each change, on the background thread; it must only set a flag."""
        self._listeners.append(call)

    def say(self, record: OrderRecord, state: str, seconds: float = 0.0, note: str | None = None) -> None:
        """Store how far an order is. Called on the background thread."""
        self.put(
            Progress(state, seconds, record.eta_s, record.model, record.order_id, record.task_id, note=note)
        )

    def on_wait(self, record: OrderRecord) -> Callable[[float], None]:
        """Return what a backend calls while a request waits for the API's rate limit."""
        return lambda seconds: self.say(
            record, "waiting", note=f"the API allows the next one in {max(seconds, 1):.0f} s"
        )

    def put(self, moment: Progress) -> None:
        """Store the latest moment. Called on the background thread."""
        self.latest = moment
        self._notify()

    def close(self) -> None:
        """Mark the end of the feed."""
        self._closed = True
        self._notify()

    def _notify(self) -> None:
        for call in self._listeners:
            call()
