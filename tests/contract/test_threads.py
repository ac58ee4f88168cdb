"""Several threads, studios and processes share one ledger and one account; no credit is spent twice."""

import gc
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.contract.conftest import CHEAP, MAIN, cheap, prepare
from tests.support.interrupts import ends_on_another_thread, interrupted_at
from tests.support.sandbox_harness import SandboxHarness
from tests.support.scripted_frontend import ScriptedFrontend
from zooop_nb import errors
from zooop_nb.ledger import Ledger
from zooop_nb.studio import Studio
from zooop_nb.tasks import loop
from zooop_nb.tasks.batch import PricedBatch


def at_once(number: int, call: Callable[[int], Any]) -> list[Any]:
    """Run the call in `number` threads that start together."""
    ready = threading.Barrier(number)

    def one(each: int) -> Any:
        ready.wait()
        return call(each)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def charged(ledger: Ledger) -> int:
    frame = ledger.frame()
    return int(frame.loc[frame["event"] == "charge", "spent"].sum())


def test_one_studio_serves_many_threads(studio: Studio, books: SandboxHarness) -> None:
    results = at_once(6, lambda each: studio.image(f"panda {each}", model=CHEAP))
    assert [each.prompt for each in results] == [f"panda {each}" for each in range(6)]
    assert {each.status for each in results} == {"succeeded"}
    assert books.spent() == charged(studio.ledger) == 6
    assert len({each["idempotencyKey"] for each in books.tasks}) == 6


def test_threads_that_are_first_together_get_one_checkout_and_so_one_budget(
    studio_of: Callable[..., Studio],
) -> None:
    for _ in range(5):
        studio = studio_of()
        opened = at_once(8, lambda _, opening=studio: opening.checkout)  # type: ignore[misc]
        assert len({id(checkout) for checkout in opened}) == 1


def test_studios_of_several_threads_share_a_ledger(
    studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    studios = [studio_of() for _ in range(4)]
    results = at_once(4, lambda each: studios[each].image(f"panda {each}", model=CHEAP))
    assert books.spent() == charged(studios[0].ledger) == 4
    for each in results:
        assert studios[0].result(each.order_id) == each


def test_threads_together_never_spend_more_than_the_budget(
    studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    studio = studio_of(budget=3)

    def order(each: int) -> bool:
        try:
            studio.image(f"panda {each}", model=CHEAP)
        except errors.OverBudget:
            return False
        return True

    assert sum(at_once(6, order)) == 3
    assert books.spent() == charged(studio.ledger) == 3


def test_an_abandoned_order_is_claimed_by_one_of_many(
    studio: Studio,
    studio_of: Callable[..., Studio],
    books: SandboxHarness,
    faults: Callable[..., None],
    front: ScriptedFrontend,
) -> None:
    faults({"method": "GET", "path": "/v1/tasks/*", "do": {"delay": 5}, "times": None})
    front.run_cell("cell", "run 1")
    studio.checkout.place(prepare(studio, [cheap()])).accepted().stop_waiting()
    faults()
    front.run_cell("cell", "run 2")
    others = [studio_of() for _ in range(4)]
    prepared = at_once(4, lambda each: prepare(others[each], [cheap()]))
    assert sorted(each.total for each in prepared) == [0, 1, 1, 1]


def test_many_threads_that_resume_pay_once(
    studio: Studio, studio_of: Callable[..., Studio], books: SandboxHarness, faults: Callable[..., None]
) -> None:
    faults({"method": "POST", "path": "/v1/tasks", "do": "drop_after", "times": 3})
    try:
        studio.image("a red panda", model=CHEAP)
    except errors.OrderUnknown as error:
        order = error.order_id
    faults()
    others = [studio_of() for _ in range(4)]
    at_once(4, lambda each: others[each].resume())
    result = studio.resume(order)[0]
    assert result.status in {"succeeded", "running", "queued"}
    assert books.spent() == 1
    assert studio.resume(order)[0].credits == charged(studio.ledger) == 1


def test_two_that_follow_the_same_task_note_its_charge_once(
    studio: Studio, studio_of: Callable[..., Studio], books: SandboxHarness, faults: Callable[..., None]
) -> None:
    faults({"method": "GET", "path": "/v1/tasks/*", "do": {"delay": 0.2}, "times": 2})
    task = studio.start("image", "a red panda", model=CHEAP)
    other = studio_of()
    entry = other.ledger.get(task.order_id)
    [second] = other.checkout.place(PricedBatch(resumed=(entry,)))
    assert task.result().credits == second.result().credits == 1
    assert books.spent() == charged(studio.ledger) == 1


PROGRAM = """
    import sys
    from zooop_nb.studio import Studio
    studio = Studio()
    print(studio.image("panda " + sys.argv[1], model="Z-Image Turbo").credits)
"""


def test_processes_that_begin_together_share_a_new_ledger(
    sandbox: Any, books: SandboxHarness, clean_settings: Path
) -> None:
    environ = {**os.environ, "ZOOOP_API_HOST": sandbox.url, "ZOOOP_API_KEY": MAIN}
    environ["ZOOOP_NB_HOME"] = str(clean_settings)
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    started = [
        subprocess.Popen(
            [*command, str(each)], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for each in range(3)
    ]
    assert [each.communicate(timeout=90) for each in started] == [("1\n", "")] * 3
    ledger = Ledger(clean_settings / "ledger.sqlite")
    assert books.spent() == charged(ledger) == 3
    assert ledger.unfinished() == []
    assert ledger.journal == "wal"


def test_what_an_interrupted_call_leaves_behind_may_be_collected_on_the_loops_thread(studio: Studio) -> None:
    async def collect() -> None:
        gc.collect()

    studio.quote("image", "a red panda", model=CHEAP)
    for moment in range(0, 40, 4):
        try:
            interrupted_at(moment, lambda: prepare(studio, [cheap()]))
        except KeyboardInterrupt as interrupt:
            # Only the garbage collector can free it, and what it holds, half done.
            held: list[object] = [interrupt]
            held.append(held)
            del held
        assert ends_on_another_thread(lambda: loop.shared().run(collect())), f"interrupted at {moment}"
