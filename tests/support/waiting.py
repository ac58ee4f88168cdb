"""Waiting for what another thread, process or server does."""

import selectors
import time
from collections.abc import Callable, Sequence
from socket import socket
from typing import TypeVar

F = TypeVar("F", int, socket)

PATIENCE = 60.0
"""Seconds after which a test that waits has failed; a loaded machine is slow."""


def until(true: Callable[[], object], what: str = "it") -> None:
    """Return as soon as the call returns something true. Raises `AssertionError` if it never does."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"{what} has not come"
        time.sleep(0.01)


def readable(files: Sequence[F], timeout: float | None) -> list[F]:
    """Return which files can be read, as soon as one can; none after `timeout` seconds.

    Not by `select`, which knows no descriptor above 1023.
    """
    with selectors.DefaultSelector() as selector:
        for each in files:
            selector.register(each, selectors.EVENT_READ)
        ready = {key.fileobj for key, _ in selector.select(timeout)}
    return [each for each in files if each in ready]
