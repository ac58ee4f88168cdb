"""After a fork: a child orders by itself, and leaves its parent's tasks alone; nobody pays twice."""

import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import CHEAP
from tests.support.rewriting_proxy import RewritingProxy
from tests.support.sandbox_harness import SandboxHarness
from tests.support.waiting import until
from zooop_nb import errors
from zooop_nb.studio import Studio

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork here")


class Running:
    """Tasks that run until they are let go, by a file: a child's proxy is the parent's."""

    def __init__(self, sandbox: SandboxHarness) -> None:
        self.go_on = False
        self.proxy = RewritingProxy(sandbox.url)
        self.proxy.rewrite("GET /v1/tasks/", self._state)

    def _state(self, state: Any) -> Any:
        return state if self.go_on else {"taskId": state["taskId"], "status": "running"}


@pytest.fixture
def running(books: SandboxHarness) -> Iterator[Running]:
    found = Running(books)
    with found.proxy:
        yield found


def forked(work: Callable[[], object]) -> int:
    """Do the work in a child; return its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_child_orders_by_itself_and_its_parents_tasks_end_well(
    studio_of: Callable[..., Studio], books: SandboxHarness, running: Running, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    studio = studio_of(host=running.proxy.url, concurrency=2)
    tasks = studio.start_all("image", "a red panda", model=CHEAP, count=3)
    tasks[0].accepted()

    def work() -> None:
        task = studio.start("image", "a fox", model=CHEAP).accepted()
        record = studio.ledger.get(task.order_id)
        assert record.follower == studio.ledger.process.id
        assert record.follower != studio.ledger.get(tasks[0].order_id).follower
        for each in tasks:
            with pytest.raises(errors.PaidTaskError, match="The process that was forked follows the task"):
                each.result()
        assert len(studio.ledger.unfinished()) == 4
        seen.touch()
        # The proxy lives in the parent, and lets its tasks go on only then.
        assert task.result().status == "succeeded"

    child = forked(work)
    until(seen.exists, "what the child sees")
    running.go_on = True
    assert ended(child) == 0
    assert [each.status for each in tasks.result()] == ["succeeded"] * 3
    assert len({each["idempotencyKey"] for each in books.tasks}) == books.spent() == 4
    assert studio.tasks().empty


def test_a_childs_resume_leaves_its_parents_tasks_alone(
    studio_of: Callable[..., Studio], books: SandboxHarness, running: Running
) -> None:
    studio = studio_of(host=running.proxy.url)
    task = studio.start("image", "a red panda", model=CHEAP).accepted()

    def work() -> None:
        [result] = studio.resume()
        assert result.error == "a live session follows it"
        task.stop_waiting()
        assert studio.ledger.get(task.order_id).follower is not None

    assert ended(forked(work)) == 0
    running.go_on = True
    assert task.result().status == "succeeded"
    assert books.spent() == 1


def test_the_orders_of_a_child_that_was_killed_are_taken_up_by_its_parents_resume(
    studio_of: Callable[..., Studio], books: SandboxHarness, running: Running
) -> None:
    studio = studio_of(host=running.proxy.url, concurrency=1)
    mine = studio.start("image", "a red panda", model=CHEAP).accepted()

    def work() -> None:
        studio.start_all("image", "a fox", model=CHEAP, count=2)[0].accepted()
        os.kill(os.getpid(), signal.SIGKILL)

    assert ended(forked(work)) == -signal.SIGKILL
    running.go_on = True
    assert mine.result().status == "succeeded"
    gallery = studio.resume()
    assert Counter(each.status for each in gallery) == {"succeeded": 1, "withdrawn": 1}
    assert books.spent() == len(books.tasks) == 2
    assert len(studio.resume()) == 0
