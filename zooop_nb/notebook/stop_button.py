"""Keeps the stop button working for a magic in an asynchronous cell.

While ipykernel runs such a cell it handles an interrupt on its event loop. A magic blocks that loop, so the
interrupt would come when the magic has ended.
"""

import signal
import threading
from typing import Any, Final

_OF_IPYKERNEL: Final = "_cancel_on_sigint"
"""The function of ipykernel in which its handler is defined."""


def raise_interrupts() -> Any:
    """Raise `KeyboardInterrupt` at once from now on; return the handler to give back, None if there is none.

    If an interrupt keeps it from being given back, ipykernel restores its own at the end of the cell.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    handler = signal.getsignal(signal.SIGINT)
    if _OF_IPYKERNEL not in getattr(handler, "__qualname__", ""):
        return None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return handler


def give_back(handler: Any) -> None:
    """Restore the handler that `raise_interrupts` returned."""
    if handler is not None:
        signal.signal(signal.SIGINT, handler)
