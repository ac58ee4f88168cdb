"""The sandbox's own time, which a test can move forward: caps, windows, keys and tasks all go by it."""

import asyncio
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Runs as fast as real time from `start`, and jumps when it is told to; it never goes back."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start or datetime.now(UTC)
        self._origin = time.monotonic()
        self._advanced = 0.0
        self._jumped = asyncio.Event()

    def elapsed(self) -> float:
        """Seconds since the start, jumps included."""
        return time.monotonic() - self._origin + self._advanced

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed())

    def advance(self, seconds: float) -> None:
        """Jump forward; whoever waits for a moment that has now passed goes on."""
        self._advanced += seconds
        self._jumped.set()
        self._jumped = asyncio.Event()

    async def wait_until(self, moment: float) -> None:
        """Return once `elapsed()` has reached `moment` (seconds)."""
        while (left := moment - self.elapsed()) > 0:
            try:
                await asyncio.wait_for(self._jumped.wait(), timeout=left)
            except TimeoutError:
                continue


def stamp(moment: datetime) -> str:
    """The wire's timestamp: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
