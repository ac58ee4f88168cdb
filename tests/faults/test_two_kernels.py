"""Two kernels on one ledger at once: each order is followed by one of them, and written once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kernel import Kernel
from tests.support.sandbox_harness import TOKEN, SandboxHarness


@pytest.fixture(scope="module")
def slow_sandbox() -> Iterator[SandboxHarness]:
    """A sandbox in which no task ends before its clock is moved."""
    with SandboxHarness(speed=0.01) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def kernels(
    slow_sandbox: SandboxHarness, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Kernel, Kernel]]:
    home = tmp_path_factory.mktemp("home")
    env = {"ZOOOP_API_HOST": slow_sandbox.url, "ZOOOP_API_KEY": TOKEN, "ZOOOP_NB_HOME": str(home)}
    # As many at once as the world's user may have.
    env["ZOOOP_NB_CONCURRENCY"] = "10"
    with Kernel(env) as one, Kernel(env) as other:
        for kernel in (one, other):
            kernel.ok("%load_ext zooop_nb")
        yield one, other


def test_both_write_at_once_and_the_ledger_holds_all(
    kernels: tuple[Kernel, Kernel], slow_sandbox: SandboxHarness
) -> None:
    cells = [
        kernel.send(f"tasks = %zooop image -m flash -n 5 --background panda of kernel {number}\nawait tasks;")
        for number, kernel in enumerate(kernels)
    ]
    for kernel in kernels:
        kernel.wait(lambda: len(slow_sandbox.tasks) == 10)
    slow_sandbox.advance()
    for kernel, cell in zip(kernels, cells, strict=True):
        assert kernel.finish(cell).status == "ok"
    for kernel in kernels:
        kernel.ok("f = %zooop ledger")
        assert kernel.value("f.event.value_counts().to_dict()") == {"quote": 10, "submit": 10, "charge": 10}
        assert kernel.value("int(f.spent.sum())") == slow_sandbox.spent() == 10


def test_what_one_follows_the_other_neither_attaches_to_nor_resumes(
    kernels: tuple[Kernel, Kernel], slow_sandbox: SandboxHarness
) -> None:
    slow_sandbox.reset()
    one, other = kernels
    code = "task = %zooop image -m flash --background a panda of one kernel"
    one.ok(code)
    one.wait(lambda: len(slow_sandbox.tasks) == 1)
    assert "a live session follows it" in other.ok("%zooop resume").text
    assert "takes up" not in other.ok(code).text
    other.wait(lambda: len(slow_sandbox.tasks) == 2)
    slow_sandbox.advance()
    for kernel in kernels:
        kernel.ok("await task;")


def test_what_a_dead_one_left_the_other_takes_over_once(
    kernels: tuple[Kernel, Kernel], slow_sandbox: SandboxHarness, tmp_path: Path
) -> None:
    slow_sandbox.reset()
    _, other = kernels
    home = other.value("__import__('os').environ['ZOOOP_NB_HOME']")
    env = {"ZOOOP_API_HOST": slow_sandbox.url, "ZOOOP_API_KEY": TOKEN, "ZOOOP_NB_HOME": home}
    code = "r = %zooop image -m flash a panda of a dead kernel"
    with Kernel(env) as dead:
        dead.ok("%load_ext zooop_nb")
        dead.send(code)
        dead.wait(lambda: len(slow_sandbox.tasks) == 1)
        dead.kill()
    cells = [kernel.send(code) for kernel in kernels]
    other.wait(lambda: len(slow_sandbox.tasks) == 2)
    slow_sandbox.advance()
    texts = [kernel.finish(cell).text for kernel, cell in zip(kernels, cells, strict=True)]
    assert sum("takes up" in text for text in texts) == 1
    assert [task["status"] for task in slow_sandbox.tasks] == ["succeeded", "succeeded"]


def test_what_a_kernel_that_was_shut_down_left_is_taken_over(
    kernels: tuple[Kernel, Kernel], slow_sandbox: SandboxHarness
) -> None:
    slow_sandbox.reset()
    _, other = kernels
    home = other.value("__import__('os').environ['ZOOOP_NB_HOME']")
    env = {"ZOOOP_API_HOST": slow_sandbox.url, "ZOOOP_API_KEY": TOKEN, "ZOOOP_NB_HOME": home}
    with Kernel(env) as closed:
        closed.ok("%load_ext zooop_nb")
        closed.ok("task = %zooop image -m flash --background a panda of a closed kernel")
        closed.wait(lambda: len(slow_sandbox.tasks) == 1)
        closed.manager.shutdown_kernel(now=False)
    cell = other.send("r = %zooop resume\nr[0].prompt, r[0].status")
    other.wait(lambda: bool(cell.of("display_data")) or cell.done)
    slow_sandbox.advance()
    assert other.finish(cell).result["text/plain"] == "('a panda of a closed kernel', 'succeeded')"
    assert len(slow_sandbox.tasks) == 1
