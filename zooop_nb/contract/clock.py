"""The server's clock, as far as its `Date` headers tell it."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

_BOOT_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", None)


class ServerClock:
    """The time at the server: its last `Date`, plus what has passed here since; this machine's until then.

    What has passed includes a suspend. Where the clocks of this machine disagree, it is the longer time: an
    order that seems older than it is becomes `unknown`, one that seems younger might be paid twice.
    """

    def __init__(self) -> None:
        self._heard: tuple[datetime, float, float] | None = None

    @property
    def heard(self) -> bool:
        """Whether the server has told its time."""
        return self._heard is not None

    def hear(self, date: datetime) -> None:
        """Take the time that the server tells now."""
        self._heard = date.astimezone(UTC), time.time(), _since_boot()

    def now(self) -> datetime:
        """Return the time in UTC."""
        if self._heard is None:
            return datetime.now(UTC)
        date, wall, boot = self._heard
        return date + timedelta(seconds=max(time.time() - wall, _since_boot() - boot))


def _since_boot() -> float:
    """Return seconds of a clock that nobody sets; where the system has one, it counts through a suspend."""
    return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)
