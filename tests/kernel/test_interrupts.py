"""The stop button: it stops the waiting, never the paying, and the same cell run again attaches."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.support.holding_proxy import HoldingProxy
from tests.support.kernel import PATIENCE, Cell, Kernel
from tests.support.sandbox_harness import SandboxHarness

STOPPED = "Waiting stopped; the task goes on and is paid. Run the cell again to take it up, or resume."


@pytest.fixture(scope="module")
def proxy(slow_sandbox: SandboxHarness) -> Iterator[HoldingProxy]:
    """The door through which the kernel reaches the sandbox."""
    with HoldingProxy(slow_sandbox.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def shared(proxy: HoldingProxy, start_kernel: Callable[..., Kernel], ipykernel: Path | None) -> Kernel:
    return start_kernel(proxy.url, ipykernel)


@pytest.fixture
def kernel(shared: Kernel, slow_sandbox: SandboxHarness) -> Kernel:
    """The kernel, with books that are empty."""
    slow_sandbox.reset()
    return shared


def running(kernel: Kernel, code: str, *, tasks: int = 1, answer: str | None = None) -> Cell:
    """A cell whose tasks are all being made."""
    cell = kernel.send(code, answers=answer is not None)
    if answer is not None:
        kernel.wait(lambda: bool(cell.questions))
        kernel.client.input(answer)
    kernel.wait(lambda: cell.done or last_line(cell).count("running") >= tasks)
    assert not cell.done, cell.everything
    return cell


def last_line(cell: Cell) -> str:
    """The line of progress as it stands."""
    lines = cell.of("display_data", "update_display_data")
    return lines[-1]["data"]["text/html"] if lines else ""


def stopped(kernel: Kernel, cell: Cell) -> Cell:
    """The cell, interrupted."""
    kernel.interrupt()
    return kernel.finish(cell)


def ended(
    kernel: Kernel, sandbox: SandboxHarness, code: str, *, tasks: int = 1, answer: str | None = None
) -> Cell:
    """The same cell again, until its tasks run; then they are let come to their end."""
    cell = running(kernel, code, tasks=tasks, answer=answer)
    sandbox.advance()
    kernel.finish(cell)
    assert cell.status == "ok", cell.error
    return cell


def test_an_interrupt_shows_one_short_line_and_the_next_cell_works(kernel: Kernel) -> None:
    cell = stopped(kernel, running(kernel, "%zooop image -m flash a panda that is stopped"))
    assert cell.error["traceback"] == [STOPPED]
    assert last_line(cell) == ""
    assert kernel.ok("6 * 7").result["text/plain"] == "42"


def test_an_interrupt_stops_run_all(kernel: Kernel) -> None:
    with kernel.waits_for_queued_cells():
        cell = running(kernel, "%zooop image -m flash a panda before others")
        after = kernel.send("1 + 1")
        stopped(kernel, cell)
        assert kernel.finish(after).status == "aborted"


def test_the_same_cell_again_attaches_and_pays_once(kernel: Kernel, slow_sandbox: SandboxHarness) -> None:
    code = "r = %zooop image -m flash a panda twice\nr.credits"
    stopped(kernel, running(kernel, code))
    again = ended(kernel, slow_sandbox, code)
    assert "→ takes up 1 order of the run of " in again.text
    (task,) = slow_sandbox.tasks
    assert task["status"] == "succeeded"
    assert int(again.result["text/plain"]) == task["creditsCharged"] == 1
    assert kernel.value("r.task_id") == task["taskId"]


def test_another_cell_with_the_same_words_is_a_new_order(
    kernel: Kernel, slow_sandbox: SandboxHarness
) -> None:
    stopped(kernel, running(kernel, "%zooop image -m flash a panda elsewhere"))
    cell = ended(kernel, slow_sandbox, "\n%zooop image -m flash a panda elsewhere")
    assert "takes up" not in cell.text
    assert len(slow_sandbox.tasks) == 2


def test_fresh_makes_a_new_order_whatever_was_left(kernel: Kernel, slow_sandbox: SandboxHarness) -> None:
    code = "%zooop image -m flash --fresh a fresh panda"
    stopped(kernel, running(kernel, code))
    cell = ended(kernel, slow_sandbox, code)
    assert "takes up" not in cell.text
    assert len(slow_sandbox.tasks) == 2


def test_three_variants_attach_each_once_in_their_order(kernel: Kernel, slow_sandbox: SandboxHarness) -> None:
    code = "three = %zooop image -m flash -n 3 three pandas"
    cell = stopped(kernel, running(kernel, code, tasks=3))
    assert cell.error["traceback"] == [
        "Waiting stopped; the tasks go on and are paid. Run the cell again to take them up, or resume."
    ]
    again = ended(kernel, slow_sandbox, code, tasks=3)
    assert "→ takes up 3 orders of the run of " in again.text
    made = [task["taskId"] for task in slow_sandbox.tasks]
    assert len(made) == 3
    assert sorted(kernel.value("[r.task_id for r in three]")) == sorted(made)
    # In the order in which they were made the first time, by the ledger.
    frame = kernel.value(
        "(lambda f: f[f.event.eq('quote') & f.prompt.eq('three pandas')].order_id.tolist())"
        "(get_ipython().run_line_magic('zooop', 'ledger'))"
    )
    assert kernel.value("[r.order_id for r in three]") == frame


def test_a_loop_takes_up_what_was_made_and_what_was_stopped_and_pays_for_the_rest(
    kernel: Kernel, slow_sandbox: SandboxHarness
) -> None:
    code = (
        "made = []\nfor n in range(3):\n    one = %zooop image -m flash the same panda\n    made.append(one)"
    )
    cell = running(kernel, code)
    slow_sandbox.advance()
    kernel.wait(lambda: len(slow_sandbox.tasks) == 2 and "running" in last_line(cell))
    stopped(kernel, cell)
    cell = kernel.send(code)
    for count in (2, 3):
        kernel.wait(lambda: len(slow_sandbox.tasks) == count and "running" in last_line(cell))  # noqa: B023
        slow_sandbox.advance()
    kernel.finish(cell)
    assert cell.status == "ok", cell.error
    tasks = [task["taskId"] for task in slow_sandbox.tasks]
    assert len(tasks) == 3
    assert kernel.value("[one.task_id for one in made]") == tasks
    assert [line.partition(": ")[2] for line in cell.text.splitlines() if "takes up" in line] == [
        "1 made; 0 credits (--fresh orders new ones)",
        "1 under way; 0 credits (--fresh orders new ones)",
    ]


def test_an_interrupt_before_the_submit_leaves_nothing_to_pay(
    kernel: Kernel, proxy: HoldingProxy, slow_sandbox: SandboxHarness
) -> None:
    hold = proxy.hold("POST /v1/quote", "request")
    cell = kernel.send("%zooop image -m flash a panda that is only quoted")
    assert hold.reached.wait(PATIENCE)
    stopped(kernel, cell)
    assert cell.error["traceback"] == ["Stopped. This line has submitted nothing, and pays nothing."]
    assert slow_sandbox.tasks == []


@pytest.mark.parametrize("side", ["request", "answer"])
def test_an_interrupt_while_the_order_is_sent_still_pays_once(
    side: Literal["request", "answer"], kernel: Kernel, proxy: HoldingProxy, slow_sandbox: SandboxHarness
) -> None:
    hold = proxy.hold("POST /v1/tasks", side)
    code = f"%zooop image -m flash a panda whose {side} is on its way"
    cell = kernel.send(code)
    assert hold.reached.wait(PATIENCE)
    stopped(kernel, cell)
    assert cell.error["traceback"] == [
        "Waiting stopped; the order is on its way and may be paid. "
        "Run the cell again to take it up, or resume."
    ]
    # The first sending is still under way; who takes the order up waits for its answer.
    cell = kernel.send(code)
    kernel.wait(lambda: "takes up 1 order" in cell.text)
    hold.opened.set()
    kernel.wait(lambda: "running" in last_line(cell))
    slow_sandbox.advance()
    assert kernel.finish(cell).status == "ok"
    assert len(slow_sandbox.tasks) == 1


def test_an_interrupt_in_the_middle_of_a_display_stops_the_waiting_too(
    kernel: Kernel, slow_sandbox: SandboxHarness
) -> None:
    kernel.ok(
        "def interrupt(message):\n"
        "    if 'running' in str(message['content']):\n"
        "        get_ipython().display_pub.unregister_hook(interrupt)\n"
        "        raise KeyboardInterrupt\n"
        "    return message\n"
        "get_ipython().display_pub.register_hook(interrupt)"
    )
    code = "%zooop image -m flash a panda in the middle"
    cell = kernel.run(code)
    assert cell.error["traceback"] == [STOPPED]
    ended(kernel, slow_sandbox, code)
    assert len(slow_sandbox.tasks) == 1


def test_an_interrupt_while_the_picture_is_shown_says_that_it_is_made(
    kernel: Kernel, slow_sandbox: SandboxHarness
) -> None:
    kernel.ok(
        "def interrupt(message):\n"
        "    if 'data:image/' in str(message['content']):\n"
        "        get_ipython().display_pub.unregister_hook(interrupt)\n"
        "        raise KeyboardInterrupt\n"
        "    return message\n"
        "get_ipython().display_pub.register_hook(interrupt)"
    )
    cell = running(kernel, "%zooop image -m flash a panda at the very end\nNone")
    slow_sandbox.advance()
    kernel.finish(cell)
    assert cell.error["traceback"] == [
        "Stopped; all that was ordered had already ended, and the ledger has it."
    ]


def test_an_interrupt_at_the_question_submits_nothing(kernel: Kernel, slow_sandbox: SandboxHarness) -> None:
    cell = kernel.send("%zooop image -m flash --ask a panda in question", answers=True)
    kernel.wait(lambda: bool(cell.questions))
    stopped(kernel, cell)
    assert cell.error["traceback"] == ["Stopped. This line has submitted nothing, and pays nothing."]
    assert slow_sandbox.tasks == []


def test_a_no_leaves_the_abandoned_order_to_the_next_run(
    kernel: Kernel, slow_sandbox: SandboxHarness
) -> None:
    refused = {"status": 400, "code": "invalid_params", "message": "Not now."}
    slow_sandbox.faults({"method": "POST", "path": "/v1/tasks", "after": 1, "times": 2, "do": refused})
    code = "%zooop image -m flash -n 3 --ask a panda with a question"
    stopped(kernel, running(kernel, code, answer="y"))
    # A request that is still on its way would be joined.
    kernel.ok(
        "import time\nfrom zooop_nb.tasks import sender\nwhile sender.requests():\n    time.sleep(0.01)"
    )
    # Whether the others were refused or not sent yet: neither is paid.
    assert len(slow_sandbox.tasks) == 1
    slow_sandbox.faults()
    assert kernel.run(code, answer="n").error["ename"] == "Declined"
    again = ended(kernel, slow_sandbox, code, tasks=3, answer="y")
    assert again.questions == ["Spend 2 credits on these 2 tasks? [y/N] "]
    assert len(slow_sandbox.tasks) == 3
