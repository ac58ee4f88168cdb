"""Late imports: heavy modules are imported when they are first needed, whole even if it is interrupted."""

import _thread
import importlib
import sys
import threading
from contextlib import suppress
from types import ModuleType


def module(name: str) -> ModuleType:
    """Import a module on a thread of its own, and return it.

    An interrupt in the middle of an import leaves parts of a package behind, and every later import of it may
    fail on them. Only the main thread is interrupted: here that stops the waiting, and the import goes on.
    """
    if name not in sys.modules and threading.current_thread() is threading.main_thread():
        done = threading.Lock()
        done.acquire()

        def work() -> None:
            try:
                # What it raises, it raises again below.
                with suppress(Exception):
                    importlib.import_module(name)
            finally:
                done.release()

        try:
            # Not `Thread.start`, which waits in Python: an interrupt there may lose the thread.
            _thread.start_new_thread(work, ())
        except RuntimeError:
            # Once the interpreter ends, no thread is started any more.
            work()
        done.acquire()
    return importlib.import_module(name)
