"""An interrupt stops the waiting for an import, and not the import."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import until
from zooop_nb import late

NAME = "a_slow_library"
SLOW = """
import threading
import {name}_hooks as hooks
hooks.begun.append(threading.current_thread())
assert hooks.go_on.wait(60)
value = 1
"""
HOOKS = "import threading\nbegun, go_on = [], threading.Event()"


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / f"{NAME}.py").write_text(SLOW.format(name=NAME))
    (tmp_path / f"{NAME}_hooks.py").write_text(HOOKS)
    (tmp_path / f"{NAME}_broken.py").write_text("raise ImportError('it lacks a part')")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in (NAME, f"{NAME}_hooks", f"{NAME}_broken"):
        sys.modules.pop(name, None)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows interrupts by other means")
def test_an_interrupt_stops_the_waiting_and_the_import_goes_on(library: None) -> None:
    hooks = late.module(f"{NAME}_hooks")

    def interrupt() -> None:
        until(lambda: bool(hooks.begun))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        late.module(NAME)
    thread.join()
    hooks.go_on.set()
    assert late.module(NAME).value == 1
    assert len(hooks.begun) == 1
    assert hooks.begun[0] is not threading.main_thread()


def test_what_cannot_be_imported_raises_as_an_import_does(library: None) -> None:
    with pytest.raises(ImportError, match="it lacks a part"):
        late.module(f"{NAME}_broken")
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_not_there"):
        late.module("a_library_that_is_not_there")


def test_at_the_end_of_the_process_it_imports_as_well() -> None:
    code = "import atexit, zooop_nb; atexit.register(lambda: print(zooop_nb.Studio.__name__))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("Studio", "")
