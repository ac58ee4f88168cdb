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
    # A finalizer that the collector calls would swallow the interrupt, and the call pass for a whole one.
    gc.disable()
    try:
        interrupt_at(moment)
        call()
    finally:
        sys.setprofile(None)
        gc.enable()


def interrupt_at(moment: int, note: Callable[[], object] = lambda: None) -> None:
    """Interrupt this thread at a moment from now on, noted first; `sys.setprofile(None)` takes that back."""
    moments = itertools.count()

    def profile(frame: FrameType, event: str, _arg: object) -> None:
        # Python swallows what is raised when it tells a weak set that a member is gone.
        of_weak_set = frame.f_code.co_name == "_remove"
        if event in ("call", "c_return") and not of_weak_set and next(moments) == moment:
            sys.setprofile(None)
            note()
            raise KeyboardInterrupt

    sys.setprofile(profile)
