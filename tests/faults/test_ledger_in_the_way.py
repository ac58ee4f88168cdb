"""A ledger that cannot be written: nothing is submitted, for what is not written could be paid unseen."""

import os
import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.holding_proxy import HoldingProxy
from tests.support.kernel import PATIENCE, Kernel
from tests.support.sandbox_harness import TOKEN, SandboxHarness
from zooop_nb.ledger import Ledger

ORDER = "%zooop image -m flash a red panda"


@pytest.fixture(scope="module")
def shared(sandbox: SandboxHarness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    home = tmp_path_factory.mktemp("home")
    with Kernel(
        {"ZOOOP_API_HOST": sandbox.url, "ZOOOP_API_KEY": TOKEN, "ZOOOP_NB_HOME": str(home)}
    ) as kernel:
        kernel.ok("%load_ext zooop_nb")
        kernel.ok(f"home = '{home}'")
        yield kernel


@pytest.fixture
def kernel(shared: Kernel, sandbox: SandboxHarness) -> Kernel:
    """The kernel, with empty books."""
    sandbox.reset()
    return shared


def refused(kernel: Kernel, sandbox: SandboxHarness) -> None:
    """The order ends with a `LedgerError` that names the ledger, and no credits move."""
    error = kernel.run(ORDER).error
    assert error["ename"] == "LedgerError"
    assert "ledger.sqlite" in error["traceback"][0]
    assert len(error["traceback"]) <= 3
    assert sandbox.tasks == []


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody can write to; for root, who can write anywhere else, one of /proc."""
    if os.geteuid() == 0:
        yield Path("/proc/sys")
    else:
        tmp_path.chmod(0o500)
        yield tmp_path
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/proc/sys").is_dir(), reason="there is no folder that root cannot write to")
def test_a_folder_that_cannot_be_written(
    kernel: Kernel, sandbox: SandboxHarness, closed_folder: Path
) -> None:
    kernel.ok(f"%zooop config ledger={closed_folder}/ledger.sqlite")
    try:
        refused(kernel, sandbox)
    finally:
        kernel.ok("%zooop config ledger={home}/ledger.sqlite")


def test_a_ledger_that_is_no_database(kernel: Kernel, sandbox: SandboxHarness, tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    file.write_text("my shopping list\n" * 100)
    kernel.ok(f"%zooop config ledger={file}")
    try:
        refused(kernel, sandbox)
    finally:
        kernel.ok("%zooop config ledger={home}/ledger.sqlite")
    assert file.read_text().startswith("my shopping list")


def test_a_ledger_deleted_between_two_orders_is_written_again_with_both(
    sandbox: SandboxHarness, tmp_path: Path
) -> None:
    sandbox.reset()
    path = tmp_path / "ledger.sqlite"
    env = {"ZOOOP_API_HOST": sandbox.url, "ZOOOP_API_KEY": TOKEN, "ZOOOP_NB_HOME": str(tmp_path)}
    with Kernel(env) as kernel:
        kernel.ok("%load_ext zooop_nb")
        kernel.ok(ORDER)
        for each in tmp_path.glob("ledger.sqlite*"):
            each.unlink()
        kernel.ok(ORDER)
    assert len(sandbox.tasks) == 2
    with closing(Ledger(path)) as ledger:
        frame = ledger.frame()
    assert sorted(frame.task_id[frame.event == "charge"]) == sorted(each["taskId"] for each in sandbox.tasks)


def test_a_ledger_replaced_between_two_orders_stops_the_second_unpaid(
    sandbox: SandboxHarness, tmp_path: Path
) -> None:
    sandbox.reset()
    path = tmp_path / "ledger.sqlite"
    Ledger(tmp_path / "other.sqlite").close()
    env = {"ZOOOP_API_HOST": sandbox.url, "ZOOOP_API_KEY": TOKEN, "ZOOOP_NB_HOME": str(tmp_path)}
    with Kernel(env) as kernel:
        kernel.ok("%load_ext zooop_nb")
        kernel.ok(ORDER)
        (tmp_path / "other.sqlite").replace(path)
        error = kernel.run(ORDER).error
        assert error["ename"] == "LedgerError"
        assert "ledger.rescued-" in "".join(error["traceback"])
        assert len(sandbox.tasks) == 1
        kernel.ok(ORDER)
    assert len(sandbox.tasks) == 2


def test_a_disk_that_is_full_before_the_quote(kernel: Kernel, sandbox: SandboxHarness) -> None:
    kernel.ok(ORDER)
    sandbox.reset()
    # No file may grow beyond a page: the effect of a full disk, for this process alone.
    before = resource.prlimit(kernel.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    try:
        refused(kernel, sandbox)
    finally:
        resource.prlimit(kernel.pid, resource.RLIMIT_FSIZE, before)
    kernel.ok(ORDER)
    assert len(sandbox.tasks) == 1


def test_a_disk_that_is_full_after_the_submit_loses_no_paid_order(
    sandbox: SandboxHarness, proxy: HoldingProxy, tmp_path: Path
) -> None:
    sandbox.reset()
    hold = proxy.hold("POST /v1/tasks", "answer")
    env = {"ZOOOP_API_HOST": proxy.url, "ZOOOP_API_KEY": TOKEN, "ZOOOP_NB_HOME": str(tmp_path)}
    with Kernel(env) as kernel:
        kernel.ok("%load_ext zooop_nb")
        cell = kernel.send(ORDER)
        assert hold.reached.wait(PATIENCE)
        before = resource.prlimit(kernel.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        hold.opened.set()
        error = kernel.finish(cell).error
        resource.prlimit(kernel.pid, resource.RLIMIT_FSIZE, before)
        # What the ledger could not take is owed to it; the picture has no room either.
        assert error["ename"] == "DownloadFailed"
        assert "%zooop resume" in error["traceback"][-1]
        again = kernel.ok(ORDER)
    assert "→ takes up 1 order " in again.text
    assert len(sandbox.tasks) == 1
