"""A relative home stays where it was when the notebook changes folders: nothing is paid twice for it."""

from pathlib import Path

import pytest

from tests.kernel.conftest import environment
from tests.support.kernel import Kernel
from tests.support.sandbox_harness import SandboxHarness

CELL = "%zooop image -m flash a panda on the move"


@pytest.mark.parametrize("setting", ["environment", "config"])
def test_a_cell_that_was_stopped_takes_up_its_order_after_a_change_of_folders(
    setting: str, slow_sandbox: SandboxHarness, tmp_path: Path
) -> None:
    slow_sandbox.reset()
    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    there.mkdir()
    elsewhere.mkdir()
    home = Path("home") if setting == "environment" else tmp_path / "unused"
    with Kernel(environment(slow_sandbox.url, home)) as kernel:
        kernel.ok(f"import os; os.chdir({str(there)!r})")
        kernel.ok("%load_ext zooop_nb")
        if setting == "config":
            kernel.ok("%zooop config home=home")
        # Between loading and the first order.
        kernel.ok(f"os.chdir({str(elsewhere if setting == 'environment' else there)!r})")
        cell = kernel.send(CELL)
        kernel.wait(lambda: cell.done or bool(slow_sandbox.tasks))
        kernel.interrupt()
        kernel.finish(cell)
        kernel.ok(f"os.chdir({str(elsewhere)!r})")
        again = kernel.send(CELL)
        slow_sandbox.advance()
        kernel.finish(again)
        assert again.status == "ok", again.error
    assert len(slow_sandbox.tasks) == 1
    assert (there / "home" / "ledger.sqlite").exists()
    assert list(elsewhere.iterdir()) == []
