"""How long to wait between two polls of a task: pure.

API documentation: "Streaming progress: poll instead"; the official scripts poll every 3 s.
"""

from typing import Final

FIRST: Final = 0.02
SHORTEST: Final = 0.1
USUAL: Final = 3.0
LONGEST: Final = 10.0


def poll_interval(elapsed: float, eta: float | None) -> float:
    """Return the seconds until the next poll, `elapsed` seconds after the submit; `eta` is in seconds.

    Before the ETA, half of what is left, so that the end is seen soon after it. Without an ETA or past it, a
    fifth of the elapsed time: a quick task is seen quickly, a slow one costs few requests. At least 0.1 s, at
    most 3 s, and at most 10 s after ten minutes; but never more than half of what has elapsed, since the ETA
    is a median, and a task may end long before it. The first one is 0.02 s.
    """
    longest = min(max(elapsed / 2, FIRST), USUAL if elapsed < 600 else LONGEST)
    wait = (eta - elapsed) / 2 if eta is not None and elapsed < eta else elapsed / 5
    return min(max(wait, SHORTEST), longest)
