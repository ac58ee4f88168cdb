"""Interrupts at every moment of a call, and whether they leave anything locked."""

import gc
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType


def interrupted_at_each_moment(call: Callable[[], object]) -> Iterator[KeyboardInterrupt]:
    """Repeat the call, interrupted at its first moment, its second, and so on, until it is not interrupted.

    The moments are those at which Python looks for signals: when a function starts, and when one written in C
    has returned. Each interrupt is kept, as a notebook keeps the last traceback, together with whatever it
    left half done.
    """
    kept: list[KeyboardInterrupt] = []
    while True:
        try:
            interrupted_at(len(kept), call)
        except KeyboardInterrupt as interrupt:
            kept.append(interrupt)
        else:
            return
        yield kept[-1]


def ends_on_another_thread(call: Callable[[], object]) -> bool:
    """Return whether the call ends if another thread makes it, or waits for a lock that this one holds."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(20)
    return not thread.is_alive()


def interrupted_at(moment: int, call: Callable[[], object]) -> None:
    """Call, interrupted at a moment; raises that interrupt unless the call has ended before."""
    moments = itertools.count()

    def profile(_frame: FrameType, event: str, _arg: object) -> None:
        if event in ("call", "c_return") and next(moments) == moment:
            sys.setprofile(None)
            raise KeyboardInterrupt

    # A finalizer that the collector calls would swallow the interrupt, and the call pass for a whole one.
    gc.disable()
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
        gc.enable()
