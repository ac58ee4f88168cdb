"""What a cell runs itself belongs to it: inner cells, threads, asynchronous work, subshells, reloads."""

import json
from pathlib import Path

import pytest

from tests.support.interrupted_cells import POLL, InterruptedCells

ORDER = "r = %zooop image -m flash -n 2 {what}"
AWAITED = "await studio.start_all('image', '{what}', model='flash', count=2)"
ORDERS = "get_ipython().run_cell('r = %zooop image -m flash -n 2 {what}')"


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("before", f"get_ipython().run_cell('x = 1')\n{ORDER}"),
        ("blank", f"get_ipython().run_cell('')\n{ORDER}"),
        ("silent", f"get_ipython().run_cell('x = 1', silent=True)\n{ORDER}"),
        ("fails", f"get_ipython().run_cell('1 / 0')\n{ORDER}"),
        (
            "fails in a try",
            "try:\n    get_ipython().run_cell('1 / 0').raise_error()\nexcept ZeroDivisionError:\n    pass\n"
            f"{ORDER}",
        ),
        ("no syntax", f"get_ipython().run_cell('x = = 1')\n{ORDER}"),
        ("two deep", f"""get_ipython().run_cell("get_ipython().run_cell('x = 1')\\ny = 2")\n{ORDER}"""),
        ("in an inner cell", f"{ORDERS}\nNone"),
        ("in an inner cell that raises", f"{ORDERS}.raise_error()"),
        (
            "in the inner of two",
            """get_ipython().run_cell("get_ipython().run_cell('r = %zooop image -m flash -n 2 {what}')")""",
        ),
        ("after an inner cell in an inner cell", f"get_ipython().run_cell('x = 1')\n{ORDERS}\nNone"),
        ("captured", "%%capture\n%zooop image -m flash -n 2 {what}"),
        ("timed", "%%time\n%zooop image -m flash -n 2 {what}"),
        ("in an asynchronous cell", f"await asyncio.sleep(0)\nget_ipython().run_cell('x = 1')\n{AWAITED}"),
        (
            "in a task",
            "async def inner():\n    get_ipython().run_cell('x = 1')\n"
            f"await asyncio.create_task(inner())\n{AWAITED}",
        ),
    ],
    ids=lambda each: each if "\n" not in each and "(" not in each and "%" not in each else "",
)
def test_an_inner_cell_belongs_to_the_cell_that_runs_it(
    what: str, code: str, cells: InterruptedCells
) -> None:
    code = code.replace("{what}", f"inner cell {what}")
    cells.interrupted(code, after=1)
    cells.ok(code)
    assert cells.charges == 2


SCRIPT = "from zooop_nb import Studio\nr = Studio().image('{what}', model='flash', count=2)\n"
NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source}
        for source in ("x = 1", ORDER.format(what="{what}"), "y = 2")
    ],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 4,
}


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("of a script", "%run {folder}/script.py"),
        ("of a script that is profiled", "%run -p -T {folder}/profile.txt {folder}/script.py"),
        ("of a notebook", "%run {folder}/inner.ipynb"),
        (
            "in a widget",
            "import ipywidgets\nwith ipywidgets.Output():\n    r = %zooop image -m flash -n 2 {what}",
        ),
    ],
    ids=lambda each: each if "%" not in each else "",
)
def test_an_interrupt_that_ipython_shows_and_swallows_counts(
    what: str, code: str, cells: InterruptedCells, tmp_path: Path
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.format(what=what))
    (tmp_path / "inner.ipynb").write_text(json.dumps(NOTEBOOK).replace("{what}", what))
    code = code.format(folder=tmp_path, what=what)
    cell = cells.interrupted(code, after=1)
    assert "Waiting stopped" in cell.everything
    cells.ok(code)
    assert cells.charges == 2
    # It has ended well.
    cells.ok(code)
    assert cells.charges == 4


def test_an_error_of_a_script_counts(cells: InterruptedCells, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    order = SCRIPT.format(what="of a script that fails")
    script.write_text(f"{order}1 / 0\n")
    cells.ok(f"%run {script}")
    script.write_text(order)
    cells.ok(f"%run {script}")
    assert cells.charges == 2


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("forgotten", "zooop_nb.Studio().image('{what}', model='flash', count=2)"),
        ("closed", "s = zooop_nb.Studio()\ns.image('{what}', model='flash', count=2)\ns.close()"),
    ],
)
def test_a_cell_that_fails_after_its_studio_is_gone_is_continued(
    how: str, code: str, cells: InterruptedCells
) -> None:
    code = f"import zooop_nb, gc\n{code.format(what=f'by a studio {how}')}\ngc.collect()\nassert not fails"
    cells.ok("fails = True")
    cells.failed(code)
    cells.ok("fails = False")
    cells.ok(code)
    assert cells.charges == 2
    cells.ok(code)
    assert cells.charges == 4


def test_an_interrupt_that_the_cell_deals_with_is_its_own_affair(cells: InterruptedCells) -> None:
    code = "try:\n    r = %zooop image -m flash -n 2 in a try\nexcept KeyboardInterrupt:\n    print('never')"
    cells.interrupted(code, after=1)
    cells.ok(code)
    assert cells.charges == 3


def test_lines_after_an_inner_cell_are_displayed_by_their_own_position(cells: InterruptedCells) -> None:
    cell = cells.ok(
        "get_ipython().run_cell('x = 1\\ny = 2\\nz = 3')\n"
        "%zooop image -m flash displayed in between\n"
        "%zooop image -m flash silenced;\n"
        "r = %zooop image -m flash assigned\n"
        "%zooop image -m flash the last one"
    )
    (amid,) = cell.shown
    assert "displayed in between" in amid["data"]["text/html"]
    assert "the last one" in cell.result["text/html"]
    assert cell.everything.count("data:image/") == 2


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (
            "a thread",
            "t = threading.Thread(target=lambda: studio.image('{how}', model='flash', count=2))\n"
            "t.start()\nt.join()",
        ),
        ("to_thread", "await asyncio.to_thread(studio.image, '{how}', model='flash', count=2)"),
        (
            "a task",
            "async def order():\n"
            "    return await studio.start_all('image', '{how}', model='flash', count=2)\n"
            "await asyncio.create_task(order())",
        ),
        ("an await", "await studio.start_all('image', '{how}', model='flash', count=2)"),
    ],
    ids=lambda each: each if "\n" not in each and "(" not in each else "",
)
def test_orders_of_threads_and_asynchronous_work_belong_to_the_cell(
    how: str, code: str, cells: InterruptedCells
) -> None:
    code = code.replace("{how}", f"by {how}")
    cells.interrupted(code, after=1)
    cells.ok(code)
    assert cells.charges == 2


def test_a_magic_in_an_asynchronous_cell_is_interrupted_at_once(cells: InterruptedCells) -> None:
    code = "await asyncio.sleep(0)\n%zooop image -m flash -n 2 beside an await"
    with cells.held(code, after=1) as (cell, _):
        # Nothing passes before the cell has ended.
        cells.stopped(cell)
    assert "Waiting stopped; the orders go on and may be paid." in cell.error["traceback"][-1]
    cells.ok(code)
    assert cells.charges == 2


def test_a_pool_orders_nothing_more_after_an_interrupt_and_is_continued(cells: InterruptedCells) -> None:
    code = (
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\n"
        "jobs = [pool.submit(studio.image, 'by a pool', model='flash') for n in range(6)]\n"
        "[job.result() for job in jobs]"
    )
    cells.interrupted(code, after=1)
    assert "Withdrawn" in cells.ok("[type(job.exception()).__name__ for job in jobs]").everything
    # One was done and one under way; a third one may have been about to be ordered.
    assert cells.charges in {2, 3}
    cells.ok(code)
    assert cells.charges == 6


def test_a_subshell_that_works_while_the_cell_waits_changes_nothing(cells: InterruptedCells) -> None:
    code = "r = %zooop image -m flash -n 2 beside a subshell"
    subshell = cells.kernel.subshell()
    with cells.held(code, after=1) as (cell, _):
        cells.ok("x = 1", subshell=subshell)
        cells.ok("", subshell=subshell)
        cells.stopped(cell)
    cells.ok("x = 2", subshell=subshell)
    cells.ok(code)
    assert cells.charges == 2


def test_a_subshell_may_order_while_the_cell_waits(parallel: InterruptedCells) -> None:
    code = "r = %zooop image -m flash waited for in the main shell"
    subshell = parallel.kernel.subshell()
    with parallel.held(code, POLL, side="request") as (cell, _):
        parallel.ok("s = %zooop image -m flash from a subshell", subshell=subshell)
        parallel.stopped(cell)
    parallel.ok(code)
    assert parallel.charges == 2


def test_a_cell_beside_a_busy_subshell_is_an_execution_of_its_own(cells: InterruptedCells) -> None:
    code = "r = %zooop image -m flash -n 2 beside a busy subshell"
    cells.ok("done = threading.Event()")
    busy = cells.kernel.send("done.wait()", subshell=cells.kernel.subshell())
    cells.kernel.wait(lambda: bool(busy.messages))
    cells.interrupted(code, after=1)
    cells.ok("done.set()")
    cells.kernel.finish(busy)
    cells.ok(code)
    assert cells.charges == 2


@pytest.mark.parametrize(
    "between",
    ["%reload_ext zooop_nb", "%unload_ext zooop_nb\n%load_ext zooop_nb"],
    ids=["reloaded", "unloaded and loaded"],
)
def test_a_cell_that_reloads_the_extension_stays_one_execution(between: str, cells: InterruptedCells) -> None:
    kind = between.partition(" ")[0][1:]
    code = f"r = %zooop image -m flash before {kind}\n{between}\ns = %zooop image -m flash after {kind}"
    cells.interrupted(code, after=1)
    cells.ok(code)
    assert cells.charges == 2
    # It has ended well.
    cells.ok(code)
    assert cells.charges == 4


def test_a_cell_that_fails_after_unloading_still_left_its_order(cells: InterruptedCells) -> None:
    code = (
        "r = %zooop image -m flash before the end\n%unload_ext zooop_nb\nassert not fails\n%load_ext zooop_nb"
    )
    cells.ok("fails = True")
    cells.failed(code)
    cells.ok("fails = False\n%load_ext zooop_nb")
    cells.ok(code)
    assert cells.charges == 1
