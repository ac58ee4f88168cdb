"""Processes whose coverage is not measured: they would take a third longer."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SWITCH: Final = "COVERAGE_PROCESS_CONFIG"
"""The variable by which coverage.py reaches child processes."""


@contextmanager
def unmeasured() -> Iterator[None]:
    """Let the processes that are started meanwhile be unmeasured."""
    switch = os.environ.pop(_SWITCH, None)
    try:
        yield
    finally:
        if switch is not None:
            os.environ[_SWITCH] = switch
