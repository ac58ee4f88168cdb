"""An outage: the API, or the way to it, is out of order for a while. It is waited for with growing pauses."""

from collections.abc import Callable
from datetime import datetime

from zooop_nb.errors import APIError, InvalidResponse, Unreachable


def is_outage(error: BaseException) -> bool:
    """Return whether the API, or the way to it, is out of order for a while."""
    if isinstance(error, APIError):
        return error.status >= 500 or error.status == 429
    return isinstance(error, Unreachable) or (isinstance(error, InvalidResponse) and error.transient)


def outage_pause(tries: int) -> float:
    """Return the seconds until the next try during an outage, after `tries` of them: 1, 2, 4 and up to 60."""
    return float(min(2 ** min(tries, 6), 60))


class Patience:
    """Since when something has been failing, and how often it was tried since then."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: float | None = None
        self._began = ""
        self.tried = 0

    def seconds(self) -> float:
        """Return the seconds since this was first called."""
        if self._since is None:
            self._since = self._clock()
            self._began = f"{datetime.now():%H:%M:%S}"
        return self._clock() - self._since

    def count(self) -> int:
        """Return how often this was called before."""
        self.seconds()
        self.tried += 1
        return self.tried - 1

    def note(self, meanwhile: str) -> str:
        """Return the line for the reader; `meanwhile` says what becomes of the order."""
        self.seconds()
        return f"no answer since {self._began}; {meanwhile}"
