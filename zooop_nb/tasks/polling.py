"""How long to wait between two polls of a task: pure.

API documentation: "Streaming progress: poll instead"; the official scripts ask every 3 s.
"""

from typing import Final

SHORTEST: Final = 0.1
USUAL: Final = 3.0
LONGEST: Final = 10.0


def poll_interval(gone: float, eta: float | None) -> float:
    """Seconds until the next poll, `gone` seconds after the submit, with the ETA in seconds if known.

    Before the ETA, half of what is left, so that the end is met within a moment of it; where no ETA is
    known, or it is past, a fifth of what has gone: a quick task is seen quickly, a slow one costs few
    calls. Never under 0.1 s; up to 3 s, and after ten minutes up to 10 s.
    """
    longest = USUAL if gone < 600 else LONGEST
    wait = (eta - gone) / 2 if eta is not None and gone < eta else gone / 5
    return min(max(wait, SHORTEST), longest)
