"""An outage is waited for: the task goes on meanwhile, and the line says so."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.conftest import CHEAP, WORLD, prepare
from tests.support.memory_backend import CHEAP as MEMORY
from tests.support.memory_backend import MemoryBackend
from tests.support.sandbox_harness import SandboxHarness
from tests.support.waiting import until
from zooop_nb import errors
from zooop_nb.contract.backend import Fetched
from zooop_nb.contract.shapes import TaskState
from zooop_nb.ledger import OrderRecord, Reservation
from zooop_nb.orders.request import OrderRequest
from zooop_nb.sandbox.process import SandboxProcess
from zooop_nb.settings import Settings
from zooop_nb.studio import Studio
from zooop_nb.tasks import loop
from zooop_nb.tasks.follower import Follower
from zooop_nb.tasks.progress import ProgressFeed

SUBMIT = {"method": "POST", "path": "/v1/tasks"}
TASK = {"method": "GET", "path": "/v1/tasks/*"}
FIVE_MINUTES = 300.0


class Away(MemoryBackend):
    """A server that cannot be reached from one moment to another, of a clock that only sleeping moves."""

    def __init__(self, what: str) -> None:
        super().__init__(polls=2)
        self.what = what
        self.now = 0.0
        self.pauses: list[float] = []
        self.began: float | None = None

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.began is not None and self.now - self.began < FIVE_MINUTES:
            self.pauses.append(seconds)

    def check(self, what: str) -> None:
        if what == self.what:
            self.began = self.now if self.began is None else self.began
            if self.now - self.began < FIVE_MINUTES:
                raise errors.Unreachable("no answer", maybe_arrived=True)

    async def task(self, task_id: str) -> TaskState:
        if self.calls.count("task"):
            self.check("task")
        return await super().task(task_id)

    async def fetch(self, url: str, folder: Path, name: str) -> Fetched:
        self.check("fetch")
        return await super().fetch(url, folder, name)


@pytest.fixture
def studio_on(settings_of: Callable[..., Settings]) -> Iterator[Callable[[MemoryBackend], Studio]]:
    made: list[Studio] = []

    def studio(backend: MemoryBackend) -> Studio:
        made.append(Studio(settings=settings_of(), backend=backend))
        return made[-1]

    yield studio
    for each in made:
        each.close()


def accepted(studio: Studio) -> OrderRecord:
    [record] = prepare(studio, [OrderRequest("image", "a", model=MEMORY)]).records
    backend, ledger = studio.backend, studio.ledger
    ledger.reserve(Reservation("s", backend.mode, backend.token, backend.host, [record], lambda *_: None))
    ledger.record_intent(record.order_id, record.created_at)
    answer = loop.shared().run(backend.submit(record.intent()))
    ledger.record_submission(record.order_id, answer.task_id, answer.status)
    return ledger.get(record.order_id)


@pytest.mark.parametrize("what", ["task", "fetch"])
def test_five_minutes_are_waited_for_with_growing_pauses_up_to_one_minute(
    studio_on: Callable[[MemoryBackend], Studio], tmp_path: Path, what: str
) -> None:
    backend = Away(what)
    studio = studio_on(backend)
    record = accepted(studio)
    feed, notes = ProgressFeed(), []
    feed.listen(lambda: notes.append(feed.latest.note if feed.latest else None))
    follower = Follower(backend, studio.ledger, tmp_path, clock=lambda: backend.now, sleep=backend.sleep)
    ended = loop.shared().run(follower.follow(record, feed, 0.0))
    assert (ended.state, ended.credits) == ("succeeded", 1)
    assert ended.fetched_at is not None
    assert backend.pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert set(backend.pauses[6:]) == {60}
    # One line, from the first failure to the end.
    [note] = {each for each in notes if each}
    assert note.startswith("no answer since ")
    assert note.endswith("; the task goes on")
    assert notes[-1] is None or what == "fetch"


def test_a_background_task_comes_back_by_itself(studio: Studio, books: SandboxHarness) -> None:
    books.faults({**TASK, "do": "drop_before", "times": 4})
    task = studio.start("image", "a red panda", model=CHEAP)
    until(task.done)
    assert task.result().status == "succeeded"
    assert books.spent() == 1


def test_a_task_whose_waiting_failed_returns_what_resume_has_finished_meanwhile(
    studio: Studio, books: SandboxHarness
) -> None:
    books.faults({**TASK, "do": {"status": 401, "code": "invalid_token"}})
    task = studio.start("image", "a red panda", model=CHEAP)
    with pytest.raises(errors.PaidTaskError):
        task.result()
    [found] = studio.resume()
    assert task.result() == found
    assert books.spent() == 1


def test_an_outage_of_the_submit_leaves_the_order_open_and_it_is_paid_once(
    studio: Studio, books: SandboxHarness
) -> None:
    books.faults({**SUBMIT, "do": "drop_after", "times": 3})
    with pytest.raises(errors.OrderUnknown) as caught:
        studio.image("a red panda", model=CHEAP)
    books.advance(FIVE_MINUTES)
    [found] = studio.resume()
    assert (found.order_id, found.status, found.credits) == (caught.value.order_id, "succeeded", 1)
    assert books.spent() == len(books.tasks) == 1


def test_an_outage_before_the_submit_sends_nothing_and_says_so(
    studio_of: Callable[..., Studio],
) -> None:
    with SandboxProcess.start(world=WORLD, speed=0) as short_lived:
        studio = studio_of(host=short_lived.url)
        batch = prepare(studio, [OrderRequest("image", "a red panda", model=CHEAP)])
    [task] = studio.checkout.place(batch)
    with pytest.raises(errors.Unreachable) as caught:
        task.result()
    assert not isinstance(caught.value, errors.PaidTaskError)
    assert studio.ledger.get(task.order_id).state == "refused"
    with pytest.raises(errors.Unreachable) as caught:
        studio.image("a red panda", model=CHEAP)
    assert not isinstance(caught.value, errors.PaidTaskError)
    assert studio.tasks().empty
    assert len(studio.ledger.frame().query("event == 'charge'")) == 0
