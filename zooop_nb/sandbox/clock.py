"""The sandbox's clock, which a test can advance; caps, rate limits, idempotency keys and tasks all use it."""

import asyncio
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that runs at real speed from `start` and can be advanced; it never goes back."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start or datetime.now(UTC)
        self._origin = time.monotonic()
        self._advanced = 0.0
        self._jumped = asyncio.Event()

    def elapsed(self) -> float:
        """Return the seconds since the start, including advances."""
        return time.monotonic() - self._origin + self._advanced

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed())

    def advance(self, seconds: float) -> None:
        """Jump forward and wake the waiters whose moment has passed."""
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
    """Format a timestamp as the API does: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
