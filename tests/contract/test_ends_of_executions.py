"""The end of an execution is recorded, however early it came: the run after the next one continues it too."""

import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.memory_backend import CHEAP, MemoryBackend
from tests.support.scripted_frontend import ScriptedFrontend
from tests.support.waiting import until
from zooop_nb.errors import LedgerError
from zooop_nb.orders.order import Origin
from zooop_nb.orders.request import OrderRequest
from zooop_nb.settings import Settings
from zooop_nb.studio import Studio
from zooop_nb.tasks import executions
from zooop_nb.tasks.task import Tasks, WaitingStopped


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
def studio(settings_of: Callable[..., Settings], backend: MemoryBackend) -> Iterator[Studio]:
    studio = Studio(settings=settings_of(), backend=backend)
    yield studio
    studio.close()


def cell(run: str) -> Origin:
    return Origin("a.ipynb", "c", run)


def order(studio: Studio, run: str) -> Tasks:
    return studio.checkout.order(
        [OrderRequest("image", "a panda", model=CHEAP)], ScriptedFrontend(), cell(run)
    )


@pytest.fixture
def paid(studio: Studio, backend: MemoryBackend) -> None:
    """An order that is paid, of a first run that was interrupted after it."""
    order(studio, "1").result()
    executions.end("1", "interrupted")
    assert len(backend.submitted) == 1


def waits_for_the_ledger() -> bool:
    for frame in sys._current_frames().values():
        while frame is not None:
            if frame.f_code.co_name == "_patiently":
                return True
            frame = frame.f_back  # type: ignore[assignment]
    return False


def test_an_interrupt_while_it_takes_up(studio: Studio, backend: MemoryBackend, paid: None) -> None:
    with closing(sqlite3.connect(studio.ledger.path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")

        def interrupt() -> None:
            until(waits_for_the_ledger)
            os.kill(os.getpid(), signal.SIGINT)
            other.execute("ROLLBACK")

        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(WaitingStopped):
            order(studio, "2")
    executions.end("2", "interrupted")
    [task] = order(studio, "3")
    assert task.result().status == "succeeded"
    assert len(backend.submitted) == 1


def test_an_error_after_again_has_looked_up_the_last_order(
    studio: Studio, backend: MemoryBackend, paid: None
) -> None:
    # Of the run that it continues, it starts from what that one had started from: nothing.
    assert studio.checkout.last(cell("2")) is None
    executions.end("2", "failed")
    [task] = order(studio, "3")
    assert task.result().status == "succeeded"
    assert len(backend.submitted) == 1


def test_a_ledger_that_cannot_be_opened_keeps_no_other_ledger_from_the_end(
    settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    backends = [MemoryBackend() for _ in range(3)]
    homes = [tmp_path / f"{number}" for number in range(3)]
    studios = [
        Studio(settings=settings_of(home=home), backend=backend)
        for home, backend in zip(homes, backends, strict=True)
    ]
    for studio in studios:
        order(studio, "1").result()
    broken = studios.pop(1)
    broken.close()
    path = broken.ledger.path
    path.unlink()
    path.mkdir()
    with pytest.raises(LedgerError):
        executions.end("1", "failed")
    for studio in studios:
        [task] = order(studio, "2")
        assert task.result().status == "succeeded"
        studio.close()
    assert [len(backend.submitted) for backend in backends] == [1, 1, 1]
