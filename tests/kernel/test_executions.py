"""A cell that is run again continues its last run, and pays for nothing twice: within one kernel."""

import re
from collections.abc import Callable, Iterator
from typing import Literal

import pytest

from tests.support.holding_proxy import HoldingProxy
from tests.support.interrupted_cells import ONE_AT_A_TIME, POLL, SUBMIT, InterruptedCells
from tests.support.kernel import Kernel
from tests.support.sandbox_harness import SandboxHarness


@pytest.fixture(scope="module")
def proxy(quick_sandbox: SandboxHarness) -> Iterator[HoldingProxy]:
    with HoldingProxy(quick_sandbox.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def one_at_a_time(proxy: HoldingProxy, start_kernel: Callable[..., Kernel]) -> Kernel:
    kernel = start_kernel(proxy.url, env=ONE_AT_A_TIME)
    kernel.ok("import asyncio, threading\nfrom zooop_nb import Studio\nstudio = Studio()")
    return kernel


@pytest.fixture(scope="module")
def ten_at_once(proxy: HoldingProxy, start_kernel: Callable[..., Kernel]) -> Kernel:
    return start_kernel(proxy.url)


@pytest.fixture
def cells(one_at_a_time: Kernel, proxy: HoldingProxy, quick_sandbox: SandboxHarness) -> InterruptedCells:
    """A kernel that sends one order after the other; the books are empty."""
    return InterruptedCells(one_at_a_time, proxy, quick_sandbox).begin()


@pytest.fixture
def parallel(ten_at_once: Kernel, proxy: HoldingProxy, quick_sandbox: SandboxHarness) -> InterruptedCells:
    """A kernel whose orders are under way side by side; the books are empty."""
    return InterruptedCells(ten_at_once, proxy, quick_sandbox).begin()


@pytest.mark.parametrize("done", [1, 2])
def test_variants_that_were_made_are_taken_up_with_the_one_under_way(
    done: int, cells: InterruptedCells
) -> None:
    code = f"%zooop image -m flash -n 3 variants, {done} of them made"
    cells.interrupted(code, after=done)
    cell = cells.ok(code)
    assert cells.charges == 3
    assert re.search(
        rf"^→ takes up {done + 1} orders of the run of \d\d:\d\d, interrupted: {done} made, 1 under way; "
        r"0 credits \(--fresh orders new ones\)$",
        cell.text,
        re.MULTILINE,
    ), cell.text


def test_a_batch_takes_up_what_was_made(cells: InterruptedCells) -> None:
    code = "g = studio.batch('image', [f'batch {n}' for n in range(4)], model='flash', yes=True)"
    cells.interrupted(code, after=3)
    cells.ok(code)
    assert cells.charges == 4
    prompts = [f"batch {n}" for n in range(4)]
    assert cells.kernel.value("[r.params['prompt'] for r in g]") == prompts


def test_a_loop_takes_up_its_earlier_rounds(cells: InterruptedCells) -> None:
    code = "for n in range(3):\n    r = %zooop image -m flash a round of a loop"
    cells.interrupted(code, after=2)
    cells.ok(code)
    assert cells.charges == 3


def test_a_failed_cell_takes_its_paid_order_up_until_it_has_ended_well(cells: InterruptedCells) -> None:
    code = "r = %zooop image -m flash paid before an error\nassert not fails"
    cells.ok("fails = True")
    cells.failed(code)
    assert "ended by an error: 1 made; 0 credits" in cells.failed(code).text
    cells.ok("fails = False")
    cells.ok(code)
    assert cells.charges == 1
    assert "takes up" not in cells.ok(code).text
    assert cells.charges == 2


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
    assert "Waiting stopped; the tasks go on and are paid." in cell.error["traceback"][-1]
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


def test_a_second_interrupt_while_the_end_is_recorded_changes_nothing(cells: InterruptedCells) -> None:
    code = "r = %zooop image -m flash interrupted at its end\nassert not fails"
    cells.ok(
        "import sys\nfails = True\n"
        "def interrupt(frame, event, _):\n"
        "    if event == 'call' and frame.f_code.co_qualname == 'Following.end_execution':\n"
        "        sys.setprofile(None)\n"
        "        raise KeyboardInterrupt\n"
        "def arm():\n"
        "    sys.setprofile(interrupt)\n"
        "get_ipython().events.register('post_execute', arm)"
    )
    cells.failed(code)
    cells.ok("get_ipython().events.unregister('post_execute', arm)\nsys.setprofile(None)\nfails = False")
    cells.ok(code)
    assert cells.charges == 1


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


def test_silent_and_blank_cells_in_between_change_nothing(cells: InterruptedCells) -> None:
    code = "r = %zooop image -m flash -n 2 before silence"
    cells.interrupted(code, after=1)
    cells.ok("x = 1", silent=True)
    cells.ok("")
    cells.ok(" \n")
    cells.ok("x = 2")
    cells.ok(code)
    assert cells.charges == 2


def test_a_silent_cell_while_another_is_queued_orders_outside_of_any(cells: InterruptedCells) -> None:
    cells.ok("r = studio.image('in silence', model='flash')", silent=True)
    assert cells.kernel.value("r.status") == "succeeded"
    assert cells.charges == 1


def test_the_same_cell_id_is_the_same_cell_whatever_was_corrected(cells: InterruptedCells) -> None:
    order = "r = %zooop image -m flash -n 2 with an id"
    cells.interrupted(f"# a tpyo\n{order}", after=1, cell_id="one")
    cells.ok(f"# a typo\n{order}", cell_id="one")
    assert cells.charges == 2


def test_trailing_space_does_not_make_another_cell(cells: InterruptedCells) -> None:
    cells.interrupted("x = 1\nr = %zooop image -m flash -n 2 with space", after=1)
    cells.ok("x = 1  \nr = %zooop image -m flash -n 2 with space \n\n")
    assert cells.charges == 2


def test_again_starts_from_the_last_order_of_this_execution(cells: InterruptedCells) -> None:
    code = "r = %zooop image -m flash once\ns = %zooop again\nassert not fails"
    cells.ok("fails = True")
    cells.failed(code)
    cells.ok("fails = False")
    cells.ok(code)
    assert cells.charges == 2


def test_again_starts_from_before_the_chain_if_nothing_was_ordered_yet(cells: InterruptedCells) -> None:
    code = "s = %zooop again\nr = %zooop image -m flash something else\nassert not fails"
    cells.ok("fails = True\nr = %zooop image -m flash what is made again")
    cells.failed(code)
    cells.failed(code)
    cells.ok("fails = False")
    cells.ok(code)
    assert cells.charges == 3
    assert cells.kernel.value("s.params['prompt']") == "what is made again"


def test_fresh_takes_nothing_up(cells: InterruptedCells) -> None:
    code = "g = studio.image('fresh', model='flash', count=2, fresh=fresh)"
    cells.ok("fresh = False")
    cells.interrupted(code, after=1)
    cells.ok("fresh = True")
    assert "takes up" not in cells.ok(code).text
    assert cells.charges == 4


def test_a_background_order_of_an_interrupted_cell_goes_on(parallel: InterruptedCells) -> None:
    code = (
        "task = %zooop image -m flash --background in the background\n"
        "r = %zooop image -m flash in the foreground"
    )
    first = parallel.proxy.hold(POLL, "request")
    parallel.interrupted(code, POLL, side="request")
    assert parallel.kernel.value("task.done()") is False
    first.opened.set()
    assert parallel.kernel.value("task.result().status") == "succeeded"
    parallel.ok(code)
    assert parallel.charges == 2


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


def test_an_unknown_description_is_named_and_not_bought_again(cells: InterruptedCells) -> None:
    code = "d = studio.describe(picture, fresh=fresh)"
    cells.ok("fresh = False\npicture = studio.image('to describe', model='flash').outputs[0].path")
    before = cells.charges
    cells.sandbox.faults({"method": "POST", "path": "/v1/describe-image", "times": 1, "do": "drop_after"})
    first = cells.failed(code)
    again = cells.failed(code)
    assert first.error["ename"] == again.error["ename"] == "OrderUnknown"
    assert cells.charges == before + 1
    text = "\n".join(again.error["traceback"])
    assert "fresh=True orders another" in text
    cells.ok("fresh = True")
    cells.ok(code)
    assert cells.charges == before + 2


@pytest.mark.parametrize("side", ["request", "answer"])
@pytest.mark.parametrize("at", ["POST /v1/quote", SUBMIT])
@pytest.mark.parametrize(
    ("what", "code", "number"),
    [
        ("the magic", "%zooop image -m flash {what}", 1),
        ("a method", "studio.image('{what}', model='flash')", 1),
        ("a batch", "studio.batch('image', [f'{what} {n}' for n in range(3)], model='flash', yes=True)", 3),
    ],
    ids=["magic", "method", "batch"],
)
def test_an_interrupt_between_placing_and_waiting_pays_once(
    what: str, code: str, number: int, at: str, side: Literal["request", "answer"], cells: InterruptedCells
) -> None:
    code = code.replace("{what}", f"{what} stopped at the {side} of {at[-6:]}")
    cells.interrupted(code, at, side=side, after=number // 2)
    cells.ok(code)
    assert cells.charges == number
