"""The queue: what is confirmed is sent one by one, within the limits, and what was not sent is not paid."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import CHEAP, MAIN, cheap, prepare
from tests.support.holding_proxy import HoldingProxy
from tests.support.memory_backend import CHEAP as MEMORY
from tests.support.memory_backend import MemoryBackend, refused
from tests.support.rewriting_proxy import RewritingProxy
from tests.support.sandbox_harness import SandboxHarness
from tests.support.virtual_time import VirtualTime
from tests.support.waiting import until
from zooop_nb import errors
from zooop_nb.contract.backend import Intent, OnWait
from zooop_nb.contract.shapes import Quote
from zooop_nb.ledger import OrderRecord
from zooop_nb.orders.order import Origin
from zooop_nb.orders.request import OrderRequest
from zooop_nb.settings import Settings
from zooop_nb.studio import Studio
from zooop_nb.tasks import loop
from zooop_nb.tasks.follower import Follower
from zooop_nb.tasks.progress import ProgressFeed
from zooop_nb.tasks.queue import SubmitQueue, queue_of
from zooop_nb.tasks.task import Tasks, WaitingStopped

SUBMIT = {"method": "POST", "path": "/v1/tasks"}
POSTED = r"POST /v1/tasks "
POLLED = r"GET /v1/tasks/"
LIMITED = {"status": 429, "code": "rate_limited"}

MANY = int(os.environ.get("MANY_ORDERS", "120"))
"""Orders at the documented rates, in virtual time: 600 take a minute and a half of ours."""


@pytest.fixture
def clock(books: SandboxHarness) -> VirtualTime:
    return VirtualTime(books)


@pytest.fixture
def timed(clock: VirtualTime, settings_of: Callable[..., Settings]) -> Iterator[Callable[..., Studio]]:
    """`timed(**settings)`: create studios that live in virtual time."""
    made: list[Studio] = []

    def studio(**call: object) -> Studio:
        settings = settings_of(**call)
        made.append(Studio(settings=settings, backend=clock.backend(settings)))
        return made[-1]

    yield studio
    for each in made:
        each.close()


class Slow:
    """Tasks that run until they are let go, behind a proxy; the most that were under way at once."""

    def __init__(self, sandbox: SandboxHarness, polls: int | None = None) -> None:
        self.proxy = RewritingProxy(sandbox.url)
        self.proxy.rewrite(POSTED, self._submitted)
        self.proxy.rewrite(POLLED, self._polled)
        self.proxy.rewrite(r"POST /v1/quote", lambda quote: {**quote, "estimatedSeconds": None})
        self.go_on = threading.Event()
        self.most = 0
        self._polls = polls
        self._asked: Counter[str] = Counter()
        self._open: set[str] = set()
        self._guard = threading.Lock()

    def _submitted(self, answer: Any) -> Any:
        with self._guard:
            self._open.add(answer["taskId"])
            self.most = max(self.most, len(self._open))
        return answer

    def _polled(self, state: Any) -> Any:
        with self._guard:
            task = state["taskId"]
            self._asked[task] += 1
            ends = self.go_on.is_set() if self._polls is None else self._asked[task] > self._polls
            if ends:
                self._open.discard(task)
                return state
            return {"taskId": task, "status": "running", "createdAt": state.get("createdAt")}


@pytest.fixture
def slow(books: SandboxHarness) -> Iterator[Slow]:
    slow = Slow(books)
    with slow.proxy:
        yield slow


def states(studio: Studio, tasks: Sequence[Any]) -> list[str]:
    return [studio.ledger.get(each.order_id).state for each in tasks]


def place(studio: Studio, *requests: OrderRequest, background: bool = False) -> Tasks:
    return studio.order_all(requests, {"yes": True}, background=background)


def prompts(number: int) -> list[OrderRequest]:
    return [cheap(f"panda {each}") for each in range(number)]


def one_under_way(studio: Studio, number: int = 3) -> Tasks:
    """Place orders of which the first is under way and the others are queued."""
    tasks = place(studio, *prompts(number))
    tasks[0].accepted()
    assert states(studio, tasks) == ["submitted", *["queued"] * (number - 1)]
    return tasks


# Reserved together, sent one by one.


def test_all_are_reserved_before_the_first_is_sent_and_the_others_are_queued(
    studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    with HoldingProxy(books.url) as proxy:
        studio = studio_of(host=proxy.url, concurrency=5, budget=5)
        hold = proxy.hold(POSTED, "request")
        tasks = place(studio, *prompts(5))
        assert hold.reached.wait(60)
        # As another process sees it: what was committed.
        db = sqlite3.connect(studio.settings.ledger_path)
        rows = db.execute("SELECT state, sent_at IS NULL, session FROM orders ORDER BY rowid").fetchall()
        db.close()
        assert [row[:2] for row in rows] == [("intended", 0), *[("queued", 1)] * 4]
        assert len({row[2] for row in rows}) == 1
        assert books.tasks == []
        with pytest.raises(errors.OverBudget, match="the budget of 5 has 0 left"):
            studio.image("a fox", model=CHEAP)
        proxy.release()
        assert [each.status for each in tasks.result()] == ["succeeded"] * 5
    assert books.spent() == 5


def test_they_are_sent_in_their_order_and_each_after_the_answer_to_the_one_before(
    studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    with HoldingProxy(books.url) as proxy:
        studio = studio_of(host=proxy.url, concurrency=10)
        holds = [proxy.hold(POSTED, "answer") for _ in range(3)]
        tasks = place(studio, *prompts(4))
        for number, hold in enumerate(holds, 1):
            assert hold.reached.wait(60)
            assert len(books.tasks) == number
            assert states(studio, tasks)[number - 1 :] == ["intended", *["queued"] * (4 - number)]
            hold.opened.set()
        tasks.result()
    keys = [studio.ledger.get(each.order_id).key for each in tasks]
    assert [each["idempotencyKey"] for each in books.tasks] == keys


# How many at once.


@pytest.mark.parametrize("told", [None, 2])
def test_so_many_are_under_way_at_once_as_the_setting_says_or_the_api_tells(
    studio_of: Callable[..., Studio], books: SandboxHarness, told: int | None
) -> None:
    slow = Slow(books, polls=2)
    with slow.proxy:
        if told:
            slow.proxy.rewrite(
                r"GET /v1/me", lambda me: {**me, "limits": {**me["limits"], "maxConcurrency": told}}
            )
        studio = studio_of(host=slow.proxy.url, concurrency=3)
        assert len(place(studio, *prompts(8)).result()) == 8
        assert slow.most == (told or 3)
    assert books.spent() == 8


def test_several_calls_share_the_places(studio_of: Callable[..., Studio], books: SandboxHarness) -> None:
    slow = Slow(books, polls=2)
    with slow.proxy:
        studios = [studio_of(host=slow.proxy.url, concurrency=2) for _ in range(2)]
        placed = [place(studio, *prompts(3)) for studio in studios for _ in range(2)]
        for tasks in placed:
            assert len(tasks.result()) == 3
        assert slow.most == 2
    assert books.spent() == 12


def test_foreground_goes_before_background_and_whoever_is_waited_for_becomes_foreground(
    studio_of: Callable[..., Studio], books: SandboxHarness, slow: Slow
) -> None:
    studio = studio_of(host=slow.proxy.url, concurrency=1)
    background = place(studio, *prompts(4), background=True)
    background[0].accepted()
    foreground = place(studio, cheap("a fox"))
    # Somebody waits for the last one of them now.
    with pytest.raises(TimeoutError):
        background[3].result(timeout=0.05)
    slow.go_on.set()
    for each in (*foreground, *background):
        each.result()
    order = [background[0], foreground[0], background[3], background[1], background[2]]
    keys = [each["idempotencyKey"] for each in books.tasks]
    # The last one is in the foreground too, and came before the fox.
    expected = [studio.ledger.get(each.order_id).key for each in order]
    assert keys[0] == expected[0]
    assert set(keys[1:3]) == set(expected[1:3])
    assert keys[3:] == expected[3:]


def record_of(studio: Studio, words: str = "a") -> OrderRecord:
    """Return an order of a backend in memory, reserved."""
    batch = prepare(studio, [OrderRequest("image", words, model=MEMORY)])
    studio.ledger.reserve(_reservation(studio, batch.records))
    return studio.ledger.get(batch.records[0].order_id)


def _reservation(studio: Studio, records: Sequence[OrderRecord]) -> Any:
    from zooop_nb.ledger import Reservation

    backend = studio.backend
    return Reservation("s", backend.mode, backend.token, backend.host, records, lambda *_: None)


def test_a_task_that_does_not_move_for_30_minutes_gives_its_place_back_and_is_followed_on(
    studio_of: Callable[..., Studio], tmp_path: Path
) -> None:
    backend = MemoryBackend(polls=10**9)
    studio = Studio(settings=studio_of().settings, backend=backend)
    stuck, other = record_of(studio), record_of(studio, "b")
    seconds, opened = [0.0], []

    async def sleep(pause: float) -> None:
        seconds[0] += pause
        if seconds[0] > 7200:
            backend.polls = 0

    async def both() -> OrderRecord:
        import asyncio

        queue = queue_of(backend.host, backend.token)
        queue.places = 1
        queue.occupy(stuck.order_id)
        answer = await backend.submit(stuck.intent())
        studio.ledger.record_intent(stuck.order_id, stuck.created_at)
        studio.ledger.record_submission(stuck.order_id, answer.task_id, answer.status)
        follower = Follower(backend, studio.ledger, tmp_path, clock=lambda: seconds[0], sleep=sleep)
        turn = asyncio.ensure_future(queue.turn(other, background=False))
        turn.add_done_callback(lambda _: opened.append(seconds[0]))
        ended = await follower.follow(studio.ledger.get(stuck.order_id), ProgressFeed(), 0.0)
        await turn
        queue.leave(other.order_id)
        return ended

    assert loop.shared().run(both()).state == "succeeded"
    # It moved once, from queued to running, and it is asked about every ten seconds.
    assert 1800 <= opened[0] <= 1800 + 30
    studio.ledger.close()


# What is queued when a session ends is withdrawn, and not paid.


def check_withdrawn(studio: Studio, books: SandboxHarness, tasks: Sequence[Any], slow: Slow) -> None:
    """The first is under way and abandoned; the others were not sent, and resume says so."""
    assert states(studio, tasks) == ["submitted", "withdrawn", "withdrawn"]
    assert books.spent() == 1
    slow.go_on.set()
    gallery = studio.resume()
    assert Counter(each.status for each in gallery) == {"succeeded": 1, "withdrawn": 2}
    assert {each.order_id for each in gallery} == {each.order_id for each in tasks}
    assert books.spent() == 1
    assert len(studio.resume()) == 0


def test_an_interrupt_withdraws_what_is_queued(
    studio_of: Callable[..., Studio], books: SandboxHarness, slow: Slow
) -> None:
    studio = studio_of(host=slow.proxy.url, concurrency=1)
    tasks = one_under_way(studio)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(WaitingStopped, match="2 more were not sent, and cost nothing") as caught:
        tasks.result()
    assert caught.value.order_ids == (tasks[0].order_id,)
    assert caught.value.withdrawn == 2
    check_withdrawn(studio, books, tasks, slow)


def test_stop_waiting_withdraws_what_is_queued(
    studio_of: Callable[..., Studio], books: SandboxHarness, slow: Slow
) -> None:
    studio = studio_of(host=slow.proxy.url, concurrency=1)
    tasks = one_under_way(studio)
    tasks.stop_waiting()
    with pytest.raises(errors.Withdrawn):
        tasks[1].result()
    check_withdrawn(studio, books, tasks, slow)


def test_one_task_can_be_withdrawn_and_the_others_go_on(
    studio_of: Callable[..., Studio], books: SandboxHarness, slow: Slow
) -> None:
    studio = studio_of(host=slow.proxy.url, concurrency=1)
    tasks = one_under_way(studio)
    tasks[1].stop_waiting()
    assert states(studio, tasks) == ["submitted", "withdrawn", "queued"]
    slow.go_on.set()
    assert [each.status for each in tasks.final_results()] == ["succeeded", "withdrawn", "succeeded"]
    assert books.spent() == 2


def test_close_withdraws_what_is_queued(
    studio_of: Callable[..., Studio], books: SandboxHarness, slow: Slow
) -> None:
    studio = studio_of(host=slow.proxy.url, concurrency=1)
    tasks = one_under_way(studio)
    studio.close()
    check_withdrawn(studio_of(host=slow.proxy.url), books, tasks, slow)


PROGRAM = """
    import os, sys
    from zooop_nb import Studio
    studio = Studio()
    requests = [f"panda {each}" for each in range(COUNT)]
    from zooop_nb.orders.request import OrderRequest
    ask = [OrderRequest("image", each, model="Z-Image Turbo") for each in requests]
    tasks = studio.order_all(ask, {"yes": True})
"""


def environment(host: str, home: Path, **more: str) -> dict[str, str]:
    given = {"ZOOOP_API_HOST": host, "ZOOOP_API_KEY": MAIN, "ZOOOP_NB_HOME": str(home)}
    return {**os.environ, **given, **more}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_what_a_killed_process_has_queued_is_withdrawn(
    studio_of: Callable[..., Studio], books: SandboxHarness, slow: Slow, clean_settings: Path
) -> None:
    program = PROGRAM.replace("COUNT", "3") + "    tasks[0].accepted(); os.kill(os.getpid(), 9)\n"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=environment(slow.proxy.url, clean_settings, ZOOOP_NB_CONCURRENCY="1"),
        timeout=90,
    )
    assert done.returncode == -signal.SIGKILL
    studio = studio_of(host=slow.proxy.url)
    # Its session has ended: nothing counts that was never sent.
    slow.go_on.set()
    gallery = studio.resume()
    assert Counter(each.status for each in gallery) == {"succeeded": 1, "withdrawn": 2}
    assert books.spent() == 1
    assert len(studio.resume()) == 0


def test_a_script_that_ends_withdraws_what_is_queued(
    studio_of: Callable[..., Studio], books: SandboxHarness, slow: Slow, clean_settings: Path
) -> None:
    program = PROGRAM.replace("COUNT", "3") + "    tasks[0].accepted()\n"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=environment(slow.proxy.url, clean_settings, ZOOOP_NB_CONCURRENCY="1"),
        timeout=90,
    )
    assert done.returncode == 0
    studio = studio_of(host=slow.proxy.url)
    slow.go_on.set()
    assert Counter(each.status for each in studio.resume()) == {"succeeded": 1, "withdrawn": 2}
    assert books.spent() == 1


# The API's rate limit is waited for.


@pytest.mark.parametrize("seconds", [1, 90, 900])
def test_a_rate_limit_is_waited_for_however_long_and_is_no_refusal(
    timed: Callable[..., Studio], clock: VirtualTime, books: SandboxHarness, seconds: int
) -> None:
    books.faults({**SUBMIT, "do": {**LIMITED, "retryAfter": seconds}})
    made = timed().image("a red panda", model=CHEAP)
    assert (made.status, made.credits) == ("succeeded", 1)
    assert books.spent() == 1
    assert books.pending_faults == 0
    assert clock.passed >= seconds * 0.99


def wait_for_note(tasks: Tasks, note: str) -> None:
    def noted() -> bool:
        latest = tasks[0].feed.latest
        return latest is not None and (latest.note or "").startswith(note)

    until(noted, note)


def test_while_it_waits_the_progress_says_so_the_order_is_queued_and_an_interrupt_pays_nothing(
    studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    books.faults({**SUBMIT, "do": {**LIMITED, "retryAfter": 40}})
    studio = studio_of()
    tasks = place(studio, *prompts(2))
    wait_for_note(tasks, "the API allows the next one in ")
    assert states(studio, tasks) == ["queued", "queued"]
    assert studio.ledger.get(tasks[0].order_id).sent_at is None
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(WaitingStopped, match="Nothing was submitted, and nothing is paid") as caught:
        tasks.result()
    assert caught.value.order_ids == ()
    assert states(studio, tasks) == ["withdrawn", "withdrawn"]
    assert len(studio.resume()) == 0
    assert books.tasks == []


def test_an_order_that_is_sent_again_waits_for_the_rate_limit_too_and_is_paid_once(
    timed: Callable[..., Studio], books: SandboxHarness
) -> None:
    studio = timed()
    books.faults({**SUBMIT, "do": "drop_after", "times": 3})
    with pytest.raises(errors.OrderUnknown):
        studio.image("a red panda", model=CHEAP)
    books.faults({**SUBMIT, "do": {**LIMITED, "retryAfter": 90}, "times": 2})
    [result] = studio.resume()
    assert (result.status, result.credits) == ("succeeded", 1)
    assert books.spent() == 1


@pytest.mark.timeout(400)
def test_many_orders_at_the_documented_limits_all_succeed_without_a_429(
    timed: Callable[..., Studio], clock: VirtualTime, books: SandboxHarness
) -> None:
    studio = timed(concurrency=60)
    gallery = studio.batch("image", [f"panda {each}" for each in range(MANY)], model=CHEAP, yes=True)
    assert Counter(each.status for each in gallery) == {"succeeded": MANY}
    assert books.books()["rateLimited"] == 0
    assert books.spent() == MANY
    assert len({each["idempotencyKey"] for each in books.tasks}) == MANY
    # 60 submits a minute: of 600, the last ones go after nine minutes.
    assert clock.passed >= (MANY // 60 - 1) * 60


def test_two_processes_on_one_token_cope(books: SandboxHarness, tmp_path: Path) -> None:
    # What the other process has sent, neither knows; the server tells it.
    books.faults({**SUBMIT, "do": {**LIMITED, "retryAfter": 1}, "after": 4, "times": 3})
    program = textwrap.dedent(PROGRAM.replace("COUNT", "8") + "    print([r.status for r in tasks.result()])")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=environment(books.url, tmp_path / name),
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for each in running:
        out, _ = each.communicate(timeout=120)
        assert out.strip() == str(["succeeded"] * 8)
    assert books.pending_faults == 0
    assert books.spent() == 16
    assert len({each["idempotencyKey"] for each in books.tasks}) == 16


# What concerns the others too.


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "token_daily_cap_reached", errors.DailyCapReached),
        (402, "insufficient_credits", errors.InsufficientCredits),
        (401, "invalid_token", errors.AuthenticationFailed),
        (403, "account_banned", errors.PermissionRefused),
        (422, "token_project_unbound", errors.InvalidRequest),
    ],
)
def test_a_refusal_that_concerns_all_withdraws_the_rest_with_one_message(
    studio_of: Callable[..., Studio], books: SandboxHarness, status: int, code: str, kind: type
) -> None:
    books.faults({**SUBMIT, "do": {"status": status, "code": code}, "after": 1, "times": 100})
    studio = studio_of(concurrency=5)
    tasks = place(studio, *prompts(5))
    results = tasks.final_results()
    assert [each.status for each in results] == ["succeeded", "refused", *["withdrawn"] * 3]
    [message] = {each.error for each in results[2:]}
    assert "Not sent, and not paid" in (message or "")
    assert (results[1].error or "") in (message or "")
    # Asked once, and nobody after it.
    assert books.pending_faults == 99
    assert books.spent() == 1
    with pytest.raises(kind):
        tasks[1].result()
    with pytest.raises(errors.Withdrawn):
        tasks[2].result()
    assert len(studio.resume()) == 0


def test_no_provider_withdraws_that_models_orders_only(
    studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    books.faults({**SUBMIT, "do": {"status": 503, "code": "no_provider"}, "times": 3})
    studio = studio_of()
    other = OrderRequest("image", "a fox", model="Flux 2 Flash")
    results = place(studio, *prompts(2), other, cheap("a crane")).final_results()
    assert [each.status for each in results] == ["refused", "withdrawn", "succeeded", "withdrawn"]
    assert books.spent() == 1


@pytest.mark.parametrize(("status", "code"), [(422, "moderation_blocked"), (400, "invalid_payload")])
def test_a_refusal_of_one_order_leaves_the_others_alone(
    studio: Studio, books: SandboxHarness, status: int, code: str
) -> None:
    books.faults({**SUBMIT, "do": {"status": status, "code": code}, "after": 1})
    results = place(studio, *prompts(4)).final_results()
    assert [each.status for each in results] == ["succeeded", "refused", "succeeded", "succeeded"]
    assert books.spent() == 3


# Old quotes.


class Repriced(MemoryBackend):
    """A server whose price changes."""

    def __init__(self) -> None:
        super().__init__()
        self.price = 1

    async def quote(self, intent: Intent, on_wait: OnWait | None = None) -> Quote:
        await super().quote(intent)
        return Quote(self.price, estimated_seconds=None)

    async def submit_allowed(self, on_wait: OnWait | None = None) -> None:
        self.calls.append("submit_allowed")


@pytest.fixture
def repriced(settings_of: Callable[..., Settings]) -> Iterator[tuple[Repriced, Studio]]:
    backend = Repriced()
    studio = Studio(settings=settings_of(concurrency=1), backend=backend)
    yield backend, studio
    studio.close()


def placed_later(studio: Studio, number: int, minutes: float) -> Tasks:
    """Place orders that were quoted some minutes ago."""
    batch = studio.checkout.prepare(
        [OrderRequest("image", f"panda {each}", model=MEMORY) for each in range(number)], Origin(), yes=True
    )
    then = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    studio.ledger._db.connection.execute("UPDATE orders SET created_at = ?", (then,))
    return studio.checkout.place(batch)


def test_a_quote_of_14_minutes_is_good_enough(repriced: tuple[Repriced, Studio]) -> None:
    backend, studio = repriced
    assert len(placed_later(studio, 2, 14).result()) == 2
    assert backend.calls.count("quote") == 2


def test_an_older_quote_is_renewed_and_the_same_price_goes_on(repriced: tuple[Repriced, Studio]) -> None:
    backend, studio = repriced
    assert len(placed_later(studio, 2, 16).result()) == 2
    assert backend.calls.count("quote") == 4


def test_a_cheaper_quote_goes_on_and_is_what_is_recorded(repriced: tuple[Repriced, Studio]) -> None:
    backend, studio = repriced
    studio.ledger  # noqa: B018 (opened before the price falls)
    backend.price = 3
    batch_price = backend.price
    batch = studio.checkout.prepare([OrderRequest("image", "a", model=MEMORY)], Origin())
    assert batch.total == batch_price
    studio.ledger._db.connection.execute("UPDATE orders SET created_at = '2026-01-01T00:00:00.000000Z'")
    backend.price = 1
    [result] = studio.checkout.place(batch).result()
    assert (result.status, result.quote) == ("succeeded", 1)
    quotes = studio.ledger.frame().query("event == 'quote'")
    assert quotes["credits"].tolist() == [3, 1]


def test_a_dearer_quote_stops_the_rest_and_says_so(repriced: tuple[Repriced, Studio]) -> None:
    backend, studio = repriced
    batch = studio.checkout.prepare(
        [OrderRequest("image", f"panda {each}", model=MEMORY) for each in range(3)], Origin(), yes=True
    )
    studio.ledger._db.connection.execute("UPDATE orders SET created_at = '2026-01-01T00:00:00.000000Z'")
    backend.price = 2
    tasks = studio.checkout.place(batch)
    results = tasks.final_results()
    assert [each.status for each in results] == ["withdrawn"] * 3
    for each in results:
        assert "risen from 1 credit to 2 credits" in (each.error or "")
    with pytest.raises(errors.Withdrawn, match="risen"):
        tasks[0].result()
    assert backend.submitted == []
    assert backend.spent() == 0


def test_the_quote_is_renewed_after_the_wait_for_the_rate_limit_not_before_it(
    repriced: tuple[Repriced, Studio],
) -> None:
    backend, studio = repriced
    placed_later(studio, 1, 16).result()
    sent = [each for each in backend.calls if each in {"quote", "submit_allowed", "submit"}]
    assert sent == ["quote", "submit_allowed", "quote", "submit"]


def test_a_refused_order_keeps_its_turn_while_the_rate_limit_is_waited_for(
    timed: Callable[..., Studio], books: SandboxHarness
) -> None:
    studio = timed(concurrency=3)
    books.faults({**SUBMIT, "do": {**LIMITED, "retryAfter": 90}, "times": 2})
    tasks = place(studio, *prompts(3))
    assert len(tasks.result()) == 3
    keys = [studio.ledger.get(each.order_id).key for each in tasks]
    assert [each["idempotencyKey"] for each in books.tasks] == keys


# What `start` returns and raises.


def test_start_returns_when_the_order_is_reserved_and_its_refusal_surfaces_in_the_result(
    studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    books.faults({**SUBMIT, "do": {"status": 422, "code": "moderation_blocked"}})
    with HoldingProxy(books.url) as proxy:
        studio = studio_of(host=proxy.url)
        proxy.hold(POSTED, "request")
        task = studio.start("image", "a red panda", model=CHEAP)
        assert studio.ledger.get(task.order_id).state in {"queued", "intended"}
        assert books.tasks == []
        proxy.release()
        with pytest.raises(errors.ModerationBlocked):
            task.result()
    assert studio.ledger.get(task.order_id).state == "refused"
    assert books.spent() == 0


def test_a_refused_reservation_is_raised_by_start_itself(
    studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    with pytest.raises(errors.OverBudget):
        studio_of(budget=0).start("image", "a red panda", model=CHEAP)
    assert books.tasks == []


# The rules themselves.


def test_a_withdrawn_turn_raises_what_it_was_withdrawn_for_and_the_next_goes_on(
    studio_of: Callable[..., Studio],
) -> None:
    import asyncio

    studio = Studio(settings=studio_of().settings, backend=MemoryBackend())
    records = [record_of(studio, each) for each in "abc"]

    async def all_of_them() -> list[object]:
        queue = SubmitQueue()
        turns = [asyncio.ensure_future(queue.turn(each, background=False)) for each in records]
        await asyncio.sleep(0)
        queue.withdraw({records[1].order_id}, refused(402, "insufficient_credits"))
        queue.leave(records[0].order_id)
        return list(await asyncio.gather(*turns, return_exceptions=True))

    first, second, third = loop.shared().run(all_of_them())
    assert first is None
    assert isinstance(second, errors.InsufficientCredits)
    assert third is None
    studio.ledger.close()
