"""What may be paid is not written off: it stays open or unknown, `resume` finds it, nobody buys it again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import CHEAP, cheap, prepare
from tests.support.memory_backend import CHEAP as MEMORY
from tests.support.memory_backend import MemoryBackend, refused
from tests.support.rewriting_proxy import RewritingProxy
from tests.support.sandbox_harness import SandboxHarness
from tests.support.scripted_frontend import ScriptedFrontend
from zooop_nb import errors
from zooop_nb.contract.shapes import TaskState
from zooop_nb.ledger import OrderRecord, Reservation
from zooop_nb.orders.request import OrderRequest
from zooop_nb.settings import Settings
from zooop_nb.studio import Studio
from zooop_nb.tasks import loop
from zooop_nb.tasks.follower import ODD_PATIENCE, Follower
from zooop_nb.tasks.progress import ProgressFeed

SUBMIT = {"method": "POST", "path": "/v1/tasks"}
TASK = {"method": "GET", "path": "/v1/tasks/*"}
CELL = "%zooop image a red panda"
REFUSALS = [
    (422, "token_project_unbound"),
    (404, "unknown_model"),
    (400, "invalid_payload"),
    (403, "account_banned"),
    (402, "insufficient_credits"),
    (401, "invalid_token"),
    (429, "token_daily_cap_reached"),
]


@pytest.mark.parametrize(("status", "code"), REFUSALS)
def test_a_re_send_that_is_refused_decides_nothing(
    studio: Studio, books: SandboxHarness, front: ScriptedFrontend, status: int, code: str
) -> None:
    front.run_cell(CELL, "run 1")
    books.faults({**SUBMIT, "do": "drop_after", "times": 3})
    with pytest.raises(errors.OrderUnknown) as caught:
        studio.image("a red panda", model=CHEAP)
    order_id = caught.value.order_id
    assert order_id is not None
    books.faults({**SUBMIT, "do": {"status": status, "code": code}, "times": 100})
    for _ in range(2):
        [result] = studio.resume()
        assert (result.order_id, result.credits) == (order_id, None)
        assert studio.ledger.get(order_id).state in {"intended", "unknown"}
    # The cell is run again: it asks for that order, and for no new one.
    front.run_cell(CELL, "run 2")
    with pytest.raises(errors.OrderUnknown) as caught:
        studio.image("a red panda", model=CHEAP)
    assert caught.value.order_id == order_id
    assert len(studio.tasks()) == 1
    books.faults()
    front.run_cell(CELL, "run 3")
    assert studio.image("a red panda", model=CHEAP).order_id == order_id
    assert len(books.tasks) == books.spent() == 1


def test_one_unknown_task_is_no_end(studio: Studio, books: SandboxHarness) -> None:
    books.faults({**TASK, "do": {"status": 404, "code": "unknown_task"}})
    assert studio.image("a red panda", model=CHEAP).status == "succeeded"
    assert books.spent() == 1


class Odd(MemoryBackend):
    """A server whose tasks answer what the test says, as often as it is asked."""

    said: TaskState | errors.ZooopError = TaskState("paused")

    async def task(self, task_id: str) -> TaskState:
        self.calls.append("task")
        if isinstance(self.said, errors.ZooopError):
            raise self.said
        return self.said


@pytest.fixture
def odd(settings_of: Callable[..., Settings]) -> Iterator[tuple[Odd, Studio]]:
    backend = Odd()
    studio = Studio(settings=settings_of(), backend=backend)
    yield backend, studio
    studio.close()


def accepted(studio: Studio) -> OrderRecord:
    """Return an order that the server has accepted."""
    [record] = prepare(studio, [OrderRequest("image", "a", model=MEMORY)]).records
    backend, ledger = studio.backend, studio.ledger
    ledger.reserve(Reservation("s", backend.mode, backend.token, backend.host, [record], lambda *_: None))
    ledger.record_intent(record.order_id, record.created_at)
    answer = loop.shared().run(backend.submit(record.intent()))
    ledger.record_submission(record.order_id, answer.task_id, answer.status)
    return ledger.get(record.order_id)


@pytest.mark.parametrize(
    "said",
    [
        TaskState("paused"),
        TaskState(""),
        TaskState("\u202e\U0001f9a5 完了"),
        refused(404, "unknown_task"),
        errors.InvalidResponse("The response is not what the API's documentation describes."),
    ],
    ids=["paused", "empty", "weird", "unknown task", "no task"],
)
def test_what_is_not_documented_ends_the_following_in_a_bounded_time_and_stays_open(
    odd: tuple[Odd, Studio], tmp_path: Path, said: Any
) -> None:
    backend, studio = odd
    record = accepted(studio)
    backend.said = said
    seconds = [0.0]

    async def sleep(pause: float) -> None:
        seconds[0] += pause

    follower = Follower(backend, studio.ledger, tmp_path, clock=lambda: seconds[0], sleep=sleep)
    with pytest.raises(errors.PaidTaskError, match="paid and under way, but cannot be asked about") as caught:
        loop.shared().run(follower.follow(record, ProgressFeed(), 0.0))
    assert caught.value.task_id == record.task_id
    assert "try again" not in str(caught.value)
    assert ODD_PATIENCE <= seconds[0] < 4 * ODD_PATIENCE
    assert len(backend.calls) < 200
    assert studio.ledger.get(record.order_id).state == "submitted"
    assert [each.order_id for each in studio.ledger.unfinished()] == [record.order_id]


def test_a_body_that_is_no_task_is_put_up_with_for_a_moment(
    studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    asked: list[object] = []

    def other_shape(state: object) -> object:
        asked.append(state)
        return [{"hello": "world"}, {"status": 7}, b"]"][len(asked) - 1] if len(asked) <= 3 else state

    with RewritingProxy(books.url) as proxy:
        proxy.rewrite("GET /v1/tasks/", other_shape)
        assert studio_of(host=proxy.url).image("a red panda", model=CHEAP).status == "succeeded"
    assert len(asked) > 3
    assert books.spent() == 1


def test_an_order_that_is_open_elsewhere_is_named_before_an_equal_one_is_paid(
    studio: Studio, books: SandboxHarness
) -> None:
    books.faults({**SUBMIT, "do": "drop_after", "times": 3})
    with pytest.raises(errors.OrderUnknown) as caught:
        studio.image("a red panda", model=CHEAP)
    books.faults()
    batch = prepare(studio, [cheap(params={"aspect_ratio": None})])
    assert [each.order_id for each in batch.elsewhere] == [caught.value.order_id]


def test_a_home_that_is_moved_keeps_its_results(
    studio: Studio, studio_of: Callable[..., Studio], clean_settings: Path
) -> None:
    made = studio.image("a red panda", model=CHEAP)
    studio.close()
    moved = clean_settings.with_name("moved")
    clean_settings.rename(moved)
    found = studio_of(home=moved).result(made.order_id)
    assert found.path is not None
    assert found.path.is_file()
    assert found.path.is_relative_to(moved)
