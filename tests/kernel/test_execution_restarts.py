"""A cell that is run again in another kernel, or that loads the extension itself, pays for nothing twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernel.conftest import environment
from tests.support.holding_proxy import HoldingProxy
from tests.support.interrupted_cells import ONE_AT_A_TIME, SUBMIT, InterruptedCells
from tests.support.kernel import PATIENCE, Kernel
from tests.support.sandbox_harness import SandboxHarness

NAMED = {**ONE_AT_A_TIME, "ZOOOP_NB_NOTEBOOK": "/nb/pandas.ipynb"}
NOT_ASKED_FOR = "→ 1 paid order of that run was not asked for again: %zooop resume\n"
ORDER = "r = %zooop image -m flash -n 3 a panda in another life"

Start = Callable[..., InterruptedCells]


@pytest.fixture
def start(
    proxy: HoldingProxy, quick_sandbox: SandboxHarness, start_kernel: Callable[..., Kernel], tmp_path: Path
) -> Start:
    """`start(**how)`: another kernel in the same home; the books are empty at first."""
    quick_sandbox.reset()

    def start(**how: object) -> InterruptedCells:
        kernel = start_kernel(proxy.url, home=tmp_path, **how)
        return InterruptedCells(kernel, proxy, quick_sandbox)

    return start


@pytest.mark.parametrize(
    "load",
    [
        "%load_ext zooop_nb",
        "get_ipython().run_cell('x = 1')\n%load_ext zooop_nb",
        "get_ipython().run_cell('%load_ext zooop_nb')",
    ],
    ids=["itself", "after an inner cell", "in an inner cell"],
)
def test_the_cell_that_loads_the_extension_is_continued(load: str, start: Start) -> None:
    code = f"{load}\n{ORDER}"
    first = start(load=False, env=NAMED)
    first.interrupted(code, after=1)
    first.interrupted(code, after=0)
    first.kernel.kill()
    second = start(load=False, env=NAMED)
    cell = second.ok(code)
    assert ", interrupted: 2 made; 0 credits" in cell.text or "interrupted: 2 made, 1 under" in cell.text
    assert second.charges == 3


@pytest.mark.parametrize("at_start", [True, False], ids=["configured", "at run time"])
def test_a_cell_that_loads_the_extension_lazily_is_continued(at_start: bool, start: Start) -> None:
    lazy = ["--MagicsManager.lazy_magics={'zooop': 'zooop_nb'}"] if at_start else []
    first = start(load=False, env=NAMED, options=lazy)
    if not at_start:
        first.ok("get_ipython().magics_manager.lazy_magics['zooop'] = 'zooop_nb'")
    first.interrupted(ORDER, after=1)
    first.ok(ORDER)
    assert first.charges == 3


def test_a_cell_that_a_killed_kernel_ran_is_continued_in_a_known_notebook(start: Start) -> None:
    first = start(env=NAMED)
    with first.held(ORDER, after=1):
        first.kernel.kill()
    second = start(env=NAMED)
    assert ", cut off: 1 made, 1 under way; 0 credits" in second.ok(ORDER).text
    assert second.charges == 3


def test_without_a_notebook_only_what_is_under_way_is_taken_up(start: Start) -> None:
    first = start(env=ONE_AT_A_TIME)
    with first.held(ORDER, after=1):
        first.kernel.kill()
    second = start(env=ONE_AT_A_TIME)
    text = second.ok(ORDER).text
    assert "→ takes up 1 order that an earlier run of this cell left: 1 under way" in text
    assert second.charges == 4


def test_two_kernels_never_share_what_a_dead_one_left(start: Start) -> None:
    first = start(env=NAMED)
    with first.held(ORDER, after=1):
        first.kernel.kill()
    both = start(env=NAMED), start(env=NAMED)
    running = [each.kernel.send(ORDER) for each in both]
    for each, cell in zip(both, running, strict=True):
        assert each.kernel.finish(cell).status == "ok", cell.error
    made = [order for each in both for order in each.kernel.value("[one.order_id for one in r]")]
    assert len(set(made)) == 6
    assert both[0].charges == 6
    assert sum("takes up" in cell.text for cell in running) == 1


def test_what_is_not_asked_for_again_is_named_and_shown_once(start: Start) -> None:
    cells = start(env=NAMED)
    code = "r = %zooop image -m flash {what}\nassert not fails"
    cells.ok("what, fails = 'a first wording', True")
    cells.failed(code)
    cells.ok("what, fails = 'a second wording', False")
    assert cells.ok(code).text.endswith(NOT_ASKED_FOR)
    shown = cells.ok("%zooop resume")
    assert "a first wording" in shown.everything
    assert "a second wording" not in shown.everything
    assert cells.ok("%zooop resume").text == "Nothing is unfinished.\n"
    assert cells.charges == 2


def test_a_terminal_continues_a_line_too(
    proxy: HoldingProxy, quick_sandbox: SandboxHarness, tmp_path: Path
) -> None:
    quick_sandbox.reset()
    hold = proxy.hold(SUBMIT, "answer", after=1)
    with subprocess.Popen(
        [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"],
        env={**os.environ, **environment(proxy.url, tmp_path), **ONE_AT_A_TIME, "IPYTHONDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as terminal:
        assert terminal.stdin is not None
        print("%load_ext zooop_nb", ORDER, sep="\n", file=terminal.stdin, flush=True)
        assert hold.reached.wait(PATIENCE)
        terminal.send_signal(signal.SIGINT)
        hold.opened.set()
        said, _ = terminal.communicate(f"{ORDER}\n", timeout=PATIENCE)
    assert ", interrupted: 1 made, 1 under way; 0 credits" in said
    assert quick_sandbox.spent() == 3
