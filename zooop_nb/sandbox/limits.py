"""Rate limits per token: the documented sliding windows of 60 seconds, by the sandbox's clock.

The windows are pyrate-limiter's, because its buckets accept the time of each request from the caller, as a
clock that can be advanced requires.
"""

import math
from collections.abc import Mapping

from pyrate_limiter import InMemoryBucket, Rate, RateItem

from zooop_nb.sandbox.clock import Clock
from zooop_nb.sandbox.refusal import Refusal

PER_MINUTE: Mapping[str, int] = {
    "tasks": 60,
    "quote": 120,
    "uploads": 30,
    "uploadPoll": 120,
    "me": 120,
    "aiTools": 120,
    "templates": 120,
    "describe": 10,
}
"""API documentation, "Limits". `GET /v1/models` and `GET /v1/tasks/{id}` are unbounded."""


class Limits:
    """One window per token and bucket. `overrides` are the limits from the world file."""

    def __init__(self, clock: Clock, overrides: Mapping[str, int]) -> None:
        self.per_minute = {**PER_MINUTE, **overrides}
        self.refused = 0
        """How many requests came too fast, of all tokens and buckets."""
        self._clock = clock
        self._windows: dict[tuple[str, str], InMemoryBucket] = {}

    def take(self, token: str, bucket: str) -> None:
        """Count one request. Raises Refusal 429 `rate_limited` with the seconds to wait."""
        limit = self.per_minute[bucket]
        window = self._windows.get((token, bucket))
        if window is None:
            window = self._windows[token, bucket] = InMemoryBucket([Rate(limit, 60_000)])
        moment = int(self._clock.elapsed() * 1000)
        window.leak(moment)
        call = RateItem(bucket, moment)
        if not window.put(call):
            wait = window.waiting(call)
            assert isinstance(wait, int), "an in-memory bucket returns immediately"
            self.refused += 1
            seconds = max(1, math.ceil(wait / 1000))
            raise Refusal(
                429,
                "rate_limited",
                f"Rate limit of {limit} requests a minute reached. Try again in {seconds} s.",
                retry_after=seconds,
            )
