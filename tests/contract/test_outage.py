"""An outage is waited for: the task goes on meanwhile, and the line says so."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.conftest import CHEAP, WORLD, prepare
from tests.support.memory_backend import CHEAP as MEMORY
from tests.support.memory_backend import MemoryBackend, refused
from tests.support.orders import ago
from tests.support.sandbox_harness import SandboxHarness
from tests.support.waiting import until
from zooop_nb import errors
from zooop_nb.contract.backend import Fetched, Intent, OnWait
from zooop_nb.contract.shapes import Me, Submitted, TaskState
from zooop_nb.ledger import OrderRecord, Reservation
from zooop_nb.orders.order import Origin
from zooop_nb.orders.request import OrderRequest
from zooop_nb.sandbox.process import SandboxProcess
from zooop_nb.settings import Settings
from zooop_nb.studio import Studio
from zooop_nb.tasks import executions, loop
from zooop_nb.tasks.follower import Follower
from zooop_nb.tasks.progress import ProgressFeed
from zooop_nb.tasks.queue import queue_of
from zooop_nb.tasks.sender import Sender
from zooop_nb.tasks.task import Task

SUBMIT = {"method": "POST", "path": "/v1/tasks"}
TASK = {"method": "GET", "path": "/v1/tasks/*"}
FIVE_MINUTES = 300.0


class Away(MemoryBackend):
    """A server that cannot be reached from one moment to another, of a clock that only sleeping moves."""

    def __init__(self, what: str, *, arrives: bool = True) -> None:
        super().__init__(polls=2)
        self.what = what
        self.arrives = arrives
        """Whether a submit that is not answered may have arrived; the first one of them has."""
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
                raise errors.Unreachable("no answer", maybe_arrived=self.arrives)

    async def task(self, task_id: str) -> TaskState:
        if self.calls.count("task"):
            self.check("task")
        return await super().task(task_id)

    async def submit(self, intent: Intent) -> Submitted:
        if len(self.submitted) < 3:
            return await super().submit(intent)
        if self.what == "submit" and self.arrives and self.began is None:
            await super().submit(intent)
        self.check("submit")
        return await super().submit(intent)

    async def me(self, on_wait: OnWait | None = None) -> Me:
        if self.what == "submit" and self.began is not None:
            self.check("submit")
        return await super().me(on_wait)

    async def fetch(self, url: str, folder: Path, name: str) -> Fetched:
        self.check("fetch")
        return await super().fetch(url, folder, name)


class Sick(MemoryBackend):
    """A server that answers everything but one order's submit."""

    def __init__(self, error: errors.ZooopError, number: int) -> None:
        super().__init__()
        self.error = error
        self.number = number
        self.key: str | None = None
        self.tries = 0

    async def submit(self, intent: Intent) -> Submitted:
        if len(self.submitted) == self.number and self.key is None:
            self.key = intent.key
        if intent.key == self.key:
            self.tries += 1
            raise self.error
        return await super().submit(intent)


class Held(MemoryBackend):
    """A server whose answer to the first submit is held, and is an error."""

    def __init__(self, error: errors.ZooopError) -> None:
        super().__init__()
        self.error = error
        self.reached, self.opened = threading.Event(), threading.Event()

    async def submit(self, intent: Intent) -> Submitted:
        if self.reached.is_set():
            return await super().submit(intent)
        self.reached.set()
        while not self.opened.is_set():
            await asyncio.sleep(0.005)
        raise self.error


def no_answer(maybe_arrived: bool) -> errors.Unreachable:
    return errors.Unreachable("no answer", maybe_arrived=maybe_arrived)


@pytest.fixture
def studio_on(settings_of: Callable[..., Settings]) -> Iterator[Callable[..., Studio]]:
    """`studio_on(backend, **settings)`: create studios that are closed when the test ends."""
    made: list[Studio] = []

    def studio(backend: MemoryBackend, **call: object) -> Studio:
        made.append(Studio(settings=settings_of(**call), backend=backend))
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


def requests(number: int) -> list[OrderRequest]:
    return [OrderRequest("image", f"{each}", model=MEMORY) for each in range(number)]


def reserved(studio: Studio, number: int) -> list[OrderRecord]:
    backend = studio.backend
    records = prepare(studio, requests(number)).records
    studio.ledger.reserve(
        Reservation("s", backend.mode, backend.token, backend.host, records, lambda *_: None)
    )
    return studio.ledger.get_all(each.order_id for each in records)


def all_sent(
    studio: Studio,
    records: Sequence[OrderRecord],
    sleep: Callable[[float], Awaitable[None]],
    notes: list[str | None],
) -> list[OrderRecord | BaseException]:
    """Send orders as the runner does; return each as submitted, or why it is not."""
    sender = Sender(studio.backend, studio.ledger, sleep=sleep)

    async def sent(record: OrderRecord) -> OrderRecord:
        feed = ProgressFeed()
        feed.listen(lambda: notes.append(feed.latest.note if feed.latest else None))
        try:
            return await sender.send_in_turn(record, feed, background=False)
        finally:
            queue_of(record.host, record.token).leave(record.order_id)

    async def whole() -> list[OrderRecord | BaseException]:
        return await asyncio.gather(*map(sent, records), return_exceptions=True)

    return loop.shared().run(whole())


@pytest.mark.parametrize("arrives", [True, False])
def test_a_batch_waits_for_the_end_of_an_outage_and_each_order_is_paid_once(
    studio_on: Callable[[MemoryBackend], Studio], arrives: bool
) -> None:
    backend = Away("submit", arrives=arrives)
    studio = studio_on(backend)
    records = reserved(studio, 9)
    notes: list[str | None] = []
    sent = all_sent(studio, records, backend.sleep, notes)
    assert [each.state for each in sent if isinstance(each, OrderRecord)] == ["submitted"] * 9
    assert [each.key for each in backend.submitted] == [each.key for each in records]
    assert backend.spent() == 9
    assert backend.pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert set(backend.pauses[6:]) == {60}
    # The first one that was not answered waits before the others.
    [note] = {each for each in notes if each}
    assert note.startswith("no answer since ")
    assert note.endswith("; whether it arrived is not known yet" if arrives else "; not sent yet")


@pytest.mark.parametrize("arrives", [True, False])
def test_one_order_that_the_api_never_answers_does_not_hold_up_the_others(
    studio_on: Callable[..., Studio], arrives: bool
) -> None:
    backend = Sick(no_answer(arrives), 1)
    studio = studio_on(backend)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    records = reserved(studio, 4)
    first, sick, *others = all_sent(studio, records, sleep, [])
    assert isinstance(sick, errors.OrderUnknown if arrives else errors.Unreachable)
    assert all(isinstance(each, OrderRecord) for each in (first, *others))
    assert studio.ledger.get(records[1].order_id).state == ("intended" if arrives else "refused")
    assert backend.spent() == 3
    assert (backend.tries, pauses) == (4, [1, 2, 4])


@pytest.mark.parametrize("error", [refused(429, "rate_limited"), no_answer(False)])
def test_resumed_while_its_first_sending_is_on_its_way_an_order_is_sent_again_in_its_turn(
    studio_on: Callable[..., Studio], error: errors.ZooopError
) -> None:
    backend = Held(error)
    studio = studio_on(backend, concurrency=1)
    tasks = studio.checkout.place(prepare(studio, requests(2)))
    assert backend.reached.wait(60)
    loop.shared().run(Task.stop_all(tasks))
    with ThreadPoolExecutor(1) as pool:
        resumed = pool.submit(studio.resume)
        until(lambda: studio.ledger.is_followed(studio.ledger.get(tasks[0].order_id)))
        backend.opened.set()
        assert "succeeded" in {each.status for each in resumed.result(60)}
    record = studio.ledger.get(tasks[0].order_id)
    # Without it, nothing would say that it may be paid.
    assert record.sent_at is not None
    assert backend.spent() == len(backend.submitted) == 1


def test_taken_up_and_refused_before_it_is_followed_an_order_says_so(
    studio_on: Callable[..., Studio],
) -> None:
    backend = Held(refused(402, "insufficient_credits"))
    studio = studio_on(backend)
    tasks = studio.checkout.place(studio.checkout.prepare(requests(1), Origin("a.ipynb", "c", "1")))
    assert backend.reached.wait(60)
    loop.shared().run(Task.stop_all(tasks))
    executions.end("1", "interrupted")
    again = studio.checkout.prepare(requests(1), Origin("a.ipynb", "c", "2"))
    assert [each.order_id for each in again.taken_up] == [tasks[0].order_id]
    backend.opened.set()
    until(lambda: studio.ledger.get(tasks[0].order_id).state == "refused")
    [task] = studio.checkout.place(again)
    with pytest.raises(errors.Withdrawn, match="insufficient_credits"):
        task.result()
    assert backend.spent() == 0


def test_what_may_have_arrived_is_not_sent_again_by_itself_at_a_higher_price(
    studio_on: Callable[..., Studio],
) -> None:
    backend = Sick(no_answer(True), 0)
    studio = studio_on(backend)
    records = reserved(studio, 2)
    with closing(sqlite3.connect(studio.ledger.path)) as db:
        db.execute("UPDATE orders SET created_at = ?, quoted = 0.5", (ago(minutes=20),))
        db.commit()

    lost, other = all_sent(studio, records, at_once, [])
    assert isinstance(lost, errors.OrderUnknown)
    assert "The price has risen" in lost.message
    assert (isinstance(other, OrderRecord), backend.tries) == (True, 1)


async def at_once(seconds: float) -> None:
    """Let no time pass."""


def aged(studio: Studio) -> None:
    """Let the quotes be of twenty minutes ago."""
    with closing(sqlite3.connect(studio.ledger.path)) as db:
        db.execute("UPDATE orders SET created_at = ?", (ago(minutes=20),))
        db.commit()


def test_an_outage_that_begins_with_the_renewal_of_a_quote_is_waited_for_too(
    studio_on: Callable[..., Studio],
) -> None:
    backend = MemoryBackend()
    studio = studio_on(backend)
    records = reserved(studio, 3)
    aged(studio)
    records = studio.ledger.get_all(each.order_id for each in records)
    backend.fail("quote", no_answer(False), no_answer(True))
    notes: list[str | None] = []
    sent = all_sent(studio, records, at_once, notes)
    assert [each.state for each in sent if isinstance(each, OrderRecord)] == ["submitted"] * 3
    assert backend.spent() == 3
    assert any("not sent yet" in (note or "") for note in notes)


def test_alone_an_order_whose_quote_cannot_be_renewed_is_given_up_unsent(
    studio_on: Callable[..., Studio],
) -> None:
    backend = MemoryBackend()
    studio = studio_on(backend)
    [record] = reserved(studio, 1)
    aged(studio)
    backend.fail("quote", no_answer(False))
    [error] = all_sent(studio, studio.ledger.get_all([record.order_id]), at_once, [])
    assert isinstance(error, errors.Unreachable)
    assert backend.submitted == []
    assert studio.ledger.get(record.order_id).state == "queued"


@pytest.mark.parametrize("number", [1, 2])
def test_a_ledger_that_fails_in_an_outage_does_not_hide_that_an_order_may_be_paid(
    studio_on: Callable[..., Studio], number: int
) -> None:
    studio = studio_on(backend := MemoryBackend())
    records = reserved(studio, 2)
    path = studio.ledger.path

    class Replaced(Sick):
        async def submit(self, intent: Intent) -> Submitted:
            if not path.is_dir():
                path.unlink()
                path.mkdir()
            return await super().submit(intent)

    replaced = studio_on(Replaced(no_answer(True), 0))
    sender = Sender(replaced.backend, studio.ledger, sleep=at_once)

    async def send() -> list[OrderRecord | BaseException]:
        work = [sender.send_in_turn(each, ProgressFeed(), background=False) for each in records[:number]]
        return await asyncio.gather(*work, return_exceptions=True)

    first, *_ = loop.shared().run(send())
    assert isinstance(first, errors.OrderUnknown)
    assert errors.Action.RESUME in {each.action for each in first.remedies}
    assert backend.submitted == []


def test_an_order_whose_first_sending_has_ended_meanwhile_is_not_sent_again(
    studio_on: Callable[..., Studio],
) -> None:
    backend = MemoryBackend()
    studio = studio_on(backend)
    stale, refused_since = (
        studio.ledger.get(each.order_id)
        for each in reserved(studio, 2)
        if studio.ledger.record_intent(each.order_id, ago(seconds=1))
    )
    studio.ledger.record_submission(stale.order_id, "t1", "queued")
    studio.ledger.record_refusal(refused_since.order_id, "The prompt was blocked.")
    sender = Sender(backend, studio.ledger)
    assert loop.shared().run(sender.send_again(stale, ProgressFeed())).task_id == "t1"
    with pytest.raises(errors.Withdrawn, match="The prompt was blocked"):
        loop.shared().run(sender.send_again(refused_since, ProgressFeed()))
    withdrawn = reserved(studio, 1)
    studio.ledger.withdraw([each.order_id for each in withdrawn], "no longer needed")
    [error] = all_sent(studio, withdrawn, at_once, [])
    assert isinstance(error, errors.Withdrawn)
    assert backend.submitted == []


def test_a_batch_goes_on_after_an_outage_of_the_api(studio: Studio, books: SandboxHarness) -> None:
    books.faults({**SUBMIT, "do": "drop_after", "after": 1, "times": 3})
    gallery = studio.batch("image", ["one", "two", "three", "four"], model=CHEAP, yes=True)
    assert [each.status for each in gallery] == ["succeeded"] * 4
    assert books.spent() == len(books.tasks) == 4
    assert books.pending_faults == 0


def test_stopped_in_an_outage_a_batch_withdraws_what_has_not_left(
    studio: Studio, books: SandboxHarness
) -> None:
    away = {"do": "drop_before", "times": 1000}
    batch = prepare(studio, [OrderRequest("image", f"{each}", model=CHEAP) for each in range(3)])
    books.faults({**SUBMIT, **away}, {"method": "GET", "path": "/v1/me", **away})
    tasks = studio.checkout.place(batch)
    until(lambda: "no answer since" in f"{tasks[0].progress}")
    loop.shared().run(Task.stop_all(tasks))
    states = [studio.ledger.get(each.order_id).state for each in tasks]
    assert states == ["intended", "withdrawn", "withdrawn"]
    books.faults()
    assert [each.status for each in studio.resume() if each.order_id == tasks[0].order_id] == ["succeeded"]
    assert books.spent() == len(books.tasks) == 1


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
