"""A second interrupt while the first one is dealt with: the end of the execution lets go of what is left."""

import itertools
import sys
from collections.abc import Callable

import pytest

from tests.support.interrupts import interrupt_at
from tests.support.memory_backend import CHEAP, MemoryBackend
from tests.support.scripted_frontend import ScriptedFrontend
from zooop_nb.orders.order import Origin
from zooop_nb.orders.request import OrderRequest
from zooop_nb.settings import Settings
from zooop_nb.studio import Studio
from zooop_nb.tasks import executions
from zooop_nb.tasks.batch import PricedBatch
from zooop_nb.tasks.checkout import Checkout
from zooop_nb.tasks.task import Tasks, WaitingStopped

NUMBER = 3
ORDERS = [OrderRequest("image", f"panda {each}", model=CHEAP) for each in range(NUMBER)]


class InterruptedFrontend(ScriptedFrontend):
    """Interrupts the call when all is priced, and again at a moment of the answer to that."""

    def __init__(self, moment: int) -> None:
        super().__init__()
        self._moment = moment
        self.twice = False

    def announce(self, batch: PricedBatch) -> None:
        interrupt_at(self._moment, self._note)
        raise KeyboardInterrupt

    def _note(self) -> None:
        self.twice = True


def order(checkout: Checkout, front: ScriptedFrontend, run: str) -> Tasks:
    return checkout.order(ORDERS, front, Origin("a.ipynb", "c", run), yes=True)


# Interrupted before a coroutine is started, Python can only warn.
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_the_end_of_an_execution_lets_go_of_what_a_second_interrupt_has_left(
    settings_of: Callable[..., Settings],
) -> None:
    backend = MemoryBackend(polls=1_000_000)
    studio = Studio(settings=settings_of(), backend=backend)
    checkout, ledger = studio.checkout, studio.ledger
    first = order(checkout, ScriptedFrontend(), "first").accepted()
    order_ids = [each.order_id for each in first]
    first.stop_waiting()
    executions.end("first", "interrupted")
    left_held = 0
    for moment in itertools.count():
        front, run = InterruptedFrontend(moment), f"run {moment}"
        caught: KeyboardInterrupt | None = None
        try:
            order(checkout, front, run)
        except KeyboardInterrupt as interrupt:
            sys.setprofile(None)
            caught = interrupt
        assert caught is not None
        if not front.twice:
            assert isinstance(caught, WaitingStopped)
            break
        left_held += any(ledger.is_followed(each) for each in ledger.get_all(order_ids))
        executions.end(run, "interrupted")
        followed = [each.order_id for each in ledger.get_all(order_ids) if ledger.is_followed(each)]
        assert followed == [], f"interrupted again at moment {moment}"
    assert left_held > 0
    executions.end(run, "interrupted")
    tasks, others = checkout.resume()
    assert (len(tasks), len(others), len(backend.submitted)) == (NUMBER, 0, NUMBER)
    studio.close()
