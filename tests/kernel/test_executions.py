"""A cell that is run again continues its last run, and pays for nothing twice: within one kernel."""

import re
from typing import Literal

import pytest

from tests.support.interrupted_cells import POLL, SUBMIT, InterruptedCells


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


IN_BACKGROUND = (
    "tasks = %zooop image -m flash -n {number} --background joined in the background\n"
    "assert not fails\n"
    "statuses = [each.status for each in tasks.result()]"
)


def joined(cells: InterruptedCells, at: str, first: int, second: int) -> None:
    """Order `first` in the background of a cell that fails; run again, it takes up `second` that are held."""
    cells.ok(f"fails, number = True, {first}")
    hold = cells.proxy.hold(at, "request")
    cells.failed(IN_BACKGROUND)
    cells.ok(f"earlier, fails, number = tasks, False, {second}")
    again = cells.kernel.send(IN_BACKGROUND)
    cells.kernel.wait(lambda: f"takes up {second} orders" in again.text or again.done)
    hold.opened.set()
    cells.kernel.finish(again)
    assert again.status == "ok", again.error
    assert cells.kernel.value("statuses") == ["succeeded"] * second
    assert cells.kernel.value("[each.result().status for each in earlier]") == ["succeeded"] * first
    assert cells.charges == first


@pytest.mark.parametrize("at", [SUBMIT, POLL])
def test_a_background_order_that_still_goes_on_is_joined(at: str, parallel: InterruptedCells) -> None:
    joined(parallel, at, 2, 2)


def test_what_is_queued_in_the_background_is_joined_and_what_is_over_goes_on(cells: InterruptedCells) -> None:
    joined(cells, SUBMIT, 3, 2)


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
