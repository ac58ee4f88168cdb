"""`--background`: the line returns at once, other cells run, and its display follows to the end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.kernel import Cell, Kernel
from tests.support.sandbox_harness import SandboxHarness


@pytest.fixture(scope="module")
def shared(
    slow_sandbox: SandboxHarness, start_kernel: Callable[..., Kernel], ipykernel: Path | None
) -> Kernel:
    return start_kernel(slow_sandbox.url, ipykernel)


@pytest.fixture
def kernel(shared: Kernel, slow_sandbox: SandboxHarness) -> Kernel:
    """The kernel, with books that are empty."""
    slow_sandbox.reset()
    return shared


def updates(kernel: Kernel, cell: Cell) -> list[str]:
    """What the place that a cell opened has shown, whichever cell the kernel told it under."""
    (first,) = cell.of("display_data")
    place = first["transient"]["display_id"]
    later = [
        each
        for other in kernel.cells.values()
        for each in other.of("update_display_data")
        if each["transient"]["display_id"] == place
    ]
    return [each["data"]["text/html"] for each in later]


def test_it_returns_at_once_and_the_display_follows_to_the_picture(
    kernel: Kernel, slow_sandbox: SandboxHarness
) -> None:
    cell = kernel.ok("task = %zooop image -m flash --background a patient panda")
    kernel.wait(lambda: [task["status"] for task in slow_sandbox.tasks] == ["running"])
    assert kernel.ok("6 * 7").result["text/plain"] == "42"
    assert kernel.value("task.done()") is False
    kernel.wait(lambda: any("running" in each for each in updates(kernel, cell)))
    slow_sandbox.advance()
    kernel.wait(lambda: any("data:image/" in each for each in updates(kernel, cell)))
    assert "a patient panda" in updates(kernel, cell)[-1]
    assert kernel.value("task.done(), task.result().status") == (True, "succeeded")


def test_several_run_at_once_and_are_awaited(kernel: Kernel, slow_sandbox: SandboxHarness) -> None:
    kernel.ok("tasks = %zooop image -m flash -n 2 --background two patient pandas")
    one = kernel.send("gallery = await tasks\n[r.status for r in gallery]")
    kernel.wait(lambda: len(slow_sandbox.tasks) == 2)
    slow_sandbox.advance()
    assert kernel.finish(one).result["text/plain"] == "['succeeded', 'succeeded']"


def test_the_same_cell_again_is_a_new_order_while_a_live_kernel_follows_the_first(
    kernel: Kernel, slow_sandbox: SandboxHarness
) -> None:
    code = "task = %zooop image -m flash --background a panda that is followed"
    kernel.ok(code)
    assert "takes up" not in kernel.ok(code).text
    kernel.wait(lambda: len(slow_sandbox.tasks) == 2)
    slow_sandbox.advance()
    kernel.ok("await task;")


def test_a_failed_task_says_so_in_its_place(kernel: Kernel, slow_sandbox: SandboxHarness) -> None:
    cell = kernel.ok("task = %zooop image -m ideogram --background a panda that fails")
    kernel.wait(lambda: len(slow_sandbox.tasks) == 1)
    slow_sandbox.advance()
    kernel.wait(lambda: any("failed" in each for each in updates(kernel, cell)))
    assert kernel.ok("1 + 1").result["text/plain"] == "2"
    assert slow_sandbox.spent() == 0


def test_unfinished_ones_are_listed_and_no_second_follower_is_let_in(
    kernel: Kernel, slow_sandbox: SandboxHarness
) -> None:
    kernel.ok("task = %zooop image -m flash --background a panda on the list")
    listed = kernel.ok("f = %zooop tasks\nf.to_dict('records')").result["text/plain"]
    assert "a panda on the list" in listed
    kernel.wait(lambda: len(slow_sandbox.tasks) == 1)
    assert "a live session follows it" in kernel.ok("%zooop resume;").text
    slow_sandbox.advance()
    kernel.ok("await task;")
    assert len(slow_sandbox.tasks) == 1
