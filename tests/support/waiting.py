"""Waiting for what another thread, process or server does."""

import time
from collections.abc import Callable

PATIENCE = 60.0
"""Seconds after which a test that waits has failed; a loaded machine is slow."""


def until(true: Callable[[], object], what: str = "it") -> None:
    """Return as soon as the call returns something true. Raises `AssertionError` if it never does."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"{what} has not come"
        time.sleep(0.01)
