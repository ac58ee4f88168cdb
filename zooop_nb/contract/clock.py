"""The server's clock, as far as its `Date` headers tell it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_BOOT_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", None)

RESOLUTION: Final = 1.0
"""Seconds: a `Date` header names no fraction."""


def since_boot() -> float:
    """Return seconds of a clock that nobody sets; where the system has one, it counts through a suspend."""
    return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)


class _Heard(NamedTuple):
    at: datetime
    wall: float
    boot: float
    error: float


class ServerClock:
    """The time at the server: its last `Date`, plus what has passed here since; this machine's until then.

    What has passed includes a suspend. Where the clocks of this machine disagree, it is the longer time: an
    order that seems older than it is becomes `unknown`, one that seems younger might be paid twice.
    `wall` is this machine's Unix time, `boot` its clock that nobody sets.
    """

    def __init__(
        self, *, wall: Callable[[], float] = time.time, boot: Callable[[], float] = since_boot
    ) -> None:
        self._wall = wall
        self._boot = boot
        self._heard: _Heard | None = None

    @property
    def heard(self) -> bool:
        """Whether the server has told its time."""
        return self._heard is not None

    def hear(self, date: datetime, took: float = 0.0) -> None:
        """Take the time that the server told in an exchange that took so many seconds and ended now.

        The server looked at its clock somewhere in the exchange, so its time is known to half of that. A
        slow exchange that agrees with a faster one tells nothing new; one that contradicts it does.
        """
        took = max(took, 0.0)
        error = (took + RESOLUTION) / 2
        # The middle of what is possible: the header cuts the fraction of the second off.
        at = date.astimezone(UTC) + timedelta(seconds=error)
        if self._heard is not None and self._heard.error < error:
            off = abs((at - self.now()).total_seconds())
            if off <= self._heard.error + error:
                return
        self._heard = _Heard(at, self._wall(), self._boot(), error)

    def now(self) -> datetime:
        """Return the time in UTC."""
        if self._heard is None:
            return datetime.fromtimestamp(self._wall(), UTC)
        heard = self._heard
        passed = max(self._wall() - heard.wall, self._boot() - heard.boot)
        return heard.at + timedelta(seconds=passed)
