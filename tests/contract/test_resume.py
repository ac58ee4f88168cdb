"""Resuming: unfinished orders are paid once, never lost, and never resubmitted if that might pay twice."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import CHEAP, MAIN, OTHER, WORLD, cheap, prepare
from tests.support.sandbox_harness import SandboxHarness
from tests.support.scripted_frontend import ScriptedFrontend
from zooop_nb import errors
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.sandbox.process import SandboxProcess
from zooop_nb.studio import Studio
from zooop_nb.tasks.batch import PricedBatch

SUBMIT = {"method": "POST", "path": "/v1/tasks"}
TASK = {"method": "GET", "path": "/v1/tasks/*"}
FILES = {"method": "GET", "path": "/cdn-cgi/*"}


def lose(studio: Studio, faults: Callable[..., None], do: object = "drop_after") -> OrderRecord:
    """Return an order whose submit lost its response or, with `drop_before`, never arrived."""
    faults({**SUBMIT, "do": do, "times": 3})
    with pytest.raises(errors.OrderUnknown) as caught:
        studio.image("a red panda", model=CHEAP)
    faults()
    assert f'studio.resume("{caught.value.order_id}")' in str(caught.value)
    assert "try again" not in str(caught.value)
    return studio.ledger.get(caught.value.order_id)


def age(studio: Studio, record: OrderRecord, hours: float) -> None:
    """Backdate the order's submission by `hours`."""
    studio.ledger._db.connection.execute(
        "UPDATE orders SET sent_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?) WHERE order_id = ?",
        (f"-{hours * 3600} seconds", record.order_id),
    )


def charges(studio: Studio) -> int:
    frame = studio.ledger.frame()
    return int((frame["event"] == "charge").sum())


@pytest.mark.parametrize("do", ["drop_after", "drop_before", "garbage", {"status": 502}])
@pytest.mark.parametrize("hours", [0, 22.9])
def test_an_order_without_an_answer_is_sent_again_as_it_was_and_paid_once(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], do: object, hours: float
) -> None:
    record = lose(studio, faults, do)
    assert (record.state, record.follower, record.task_id) == ("intended", None, None)
    age(studio, record, hours)
    [result] = studio.resume()
    assert (result.order_id, result.status, result.credits) == (record.order_id, "succeeded", 1)
    [task] = books.tasks
    assert (task["taskId"], task["idempotencyKey"]) == (result.task_id, record.key)
    after = studio.ledger.get(record.order_id)
    assert (after.body, after.key) == (record.body, record.key)
    assert books.spent() == charges(studio) == 1
    assert studio.tasks().empty
    assert len(studio.resume()) == 0


@pytest.mark.parametrize("do", ["drop_after", "drop_before"])
def test_after_23_hours_it_is_unknown_and_nothing_is_sent(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], do: str
) -> None:
    record = lose(studio, faults, do)
    age(studio, record, 23.01)
    before = books.books()["charges"]
    [result] = studio.resume()
    assert (result.status, result.task_id) == ("unknown", None)
    assert "23 hours" in (result.error or "")
    assert books.books()["charges"] == before
    assert studio.ledger.get(record.order_id).state == "unknown"
    assert studio.tasks()["state"].tolist() == ["unknown"]


def test_another_token_is_not_used_to_send_it_again(
    studio: Studio, studio_of: Callable[..., Studio], books: SandboxHarness, faults: Callable[..., None]
) -> None:
    record = lose(studio, faults)
    [result] = studio_of(OTHER).resume()
    assert result.status == "unknown"
    assert "another token" in (result.error or "")
    assert books.spent() == 1
    [result] = studio.resume(record.order_id)
    assert (result.status, result.credits) == ("succeeded", 1)
    assert books.spent() == 1


def test_another_host_is_not_sent_it(
    studio: Studio,
    studio_of: Callable[..., Studio],
    books: SandboxHarness,
    faults: Callable[..., None],
    sandbox: Any,
) -> None:
    record = lose(studio, faults)
    [result] = studio_of(MAIN, host=sandbox.url.replace("127.0.0.1", "localhost")).resume()
    assert result.status == "unknown"
    assert sandbox.url in (result.error or "")
    assert studio.ledger.get(record.order_id).task_id is None
    assert books.spent() == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(402, "insufficient_credits"), (429, "token_daily_cap_reached"), (401, "invalid_token")],
)
def test_a_repeated_submit_that_is_refused_does_not_hide_that_the_first_was_accepted(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], status: int, code: str
) -> None:
    record = lose(studio, faults)
    faults({**SUBMIT, "do": {"status": status, "code": code}, "times": None})
    [result] = studio.resume()
    assert result.status != "refused"
    assert studio.ledger.get(record.order_id).state == "intended"
    faults()
    [result] = studio.resume()
    assert (result.status, result.credits) == ("succeeded", 1)
    assert books.spent() == charges(studio) == 1


def test_a_submit_that_certainly_did_not_leave_is_over_and_leaves_nothing_to_resume(
    studio_of: Callable[..., Studio],
) -> None:
    with SandboxProcess.start(world=WORLD, speed=0) as short_lived:
        studio = studio_of(host=short_lived.url)
        prepared = prepare(studio, [cheap()])
    with pytest.raises(errors.Unreachable, match=short_lived.url):
        studio.checkout.place(prepared).accepted()
    assert studio.tasks().empty


def test_a_task_that_was_lost_sight_of_is_followed_again(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None]
) -> None:
    faults({**TASK, "do": {"status": 401, "code": "invalid_token"}})
    with pytest.raises(errors.PaidTaskError) as caught:
        studio.image("a red panda", model=CHEAP)
    assert caught.value.task_id == books.tasks[0]["taskId"]
    assert studio.tasks()["state"].tolist() == ["submitted"]
    [result] = studio.resume(caught.value.task_id)
    assert (result.status, result.credits) == ("succeeded", 1)
    assert books.spent() == charges(studio) == 1


def test_an_output_that_was_not_fetched_is_fetched(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None]
) -> None:
    faults({**FILES, "do": {"status": 404}})
    with pytest.raises(errors.DownloadFailed) as caught:
        studio.image("a red panda", model=CHEAP)
    assert "succeeded and is paid" in str(caught.value)
    assert "try again" not in str(caught.value)
    assert not list(studio.settings.media_path.rglob("*.*"))
    [result] = studio.resume()
    assert result.order_id == caught.value.order_id
    assert result.output.path is not None
    assert result.output.path.is_file()
    assert books.spent() == charges(studio) == 1
    assert studio.tasks().empty


def test_a_refused_download_names_resume_and_never_says_to_try_again(
    studio: Studio, faults: Callable[..., None]
) -> None:
    faults({**FILES, "do": {"status": 403}, "times": None})
    with pytest.raises(errors.DownloadFailed) as caught:
        studio.image("a red panda", model=CHEAP)
    assert "studio.resume(" in str(caught.value)
    assert "try again" not in str(caught.value)


def test_a_task_of_another_token_is_left_to_it(
    studio: Studio, studio_of: Callable[..., Studio], faults: Callable[..., None]
) -> None:
    faults({**TASK, "do": {"status": 401, "code": "invalid_token"}})
    with pytest.raises(errors.PaidTaskError):
        studio.image("a red panda", model=CHEAP)
    [result] = studio_of(OTHER).resume()
    assert "Only the token that made it" in (result.error or "")
    assert studio.resume()[0].status == "succeeded"


def test_an_outage_is_waited_for_and_the_task_is_paid_once(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None]
) -> None:
    task = studio.start("image", "a red panda", model=CHEAP).accepted()
    faults({"path": "/*", "do": "drop_before", "times": 8})
    assert task.result().status == "succeeded"
    assert books.spent() == charges(studio) == 1


def test_a_truncated_output_is_fetched_again_until_it_is_whole(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None]
) -> None:
    faults({**FILES, "do": {"truncate": 100}, "times": 4})
    made = studio.image("a red panda", model=CHEAP)
    assert made.path is not None
    assert books.sha256(made.url) == made.output.sha256
    assert books.spent() == charges(studio) == 1


@pytest.mark.parametrize("times", [1, 3])
def test_a_task_that_the_api_does_not_know_for_a_moment_is_followed_on(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], times: int
) -> None:
    faults({**TASK, "do": {"status": 404, "code": "unknown_task"}, "times": times})
    assert studio.image("a red panda", model=CHEAP).credits == 1
    assert books.spent() == 1


def test_an_order_that_was_only_quoted_is_left_as_it_is(studio: Studio, books: SandboxHarness) -> None:
    studio.quote("image", "a red panda", model=CHEAP)
    order_id = studio.ledger.frame()["order_id"][0]
    [result] = studio.resume(order_id)
    assert "only quoted" in (result.error or "")
    assert studio.ledger.get(order_id).state == "quoted"
    assert studio.tasks().empty
    assert books.tasks == []


def test_an_order_that_has_ended_is_shown_and_not_touched(studio: Studio, books: SandboxHarness) -> None:
    made = studio.image("a red panda", model=CHEAP)
    assert studio.resume(made.order_id)[0] == made
    assert books.spent() == charges(studio) == 1


# Re-running a cell.

CELL = "%zooop image a red panda"


def abandon(studio: Studio, faults: Callable[..., None], *asks: Any) -> list[str]:
    """Submit orders from the running cell, stop waiting for them and return their ids."""
    faults({**TASK, "do": {"delay": 5}, "times": None})
    tasks = studio.checkout.place(prepare(studio, [*asks] or [cheap()], yes=True)).accepted()
    tasks.stop_waiting()
    faults()
    return [task.order_id for task in tasks]


def taken_up(prepared: PricedBatch) -> list[str]:
    return [record.order_id for record in prepared.taken_up]


def test_the_same_cell_run_again_attaches_and_pays_nothing_more(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], front: ScriptedFrontend
) -> None:
    front.run_cell(CELL, "run 1")
    [order] = abandon(studio, faults)
    front.run_cell(CELL, "run 2")
    prepared = prepare(studio, [cheap()])
    assert (prepared.total, len(prepared.records), taken_up(prepared)) == (0, 0, [order])
    [result] = studio.checkout.place(prepared).result()
    assert (result.order_id, result.status) == (order, "succeeded")
    assert books.spent() == charges(studio) == 1
    front.run_cell(CELL, "run 3")
    assert taken_up(prepare(studio, [cheap()])) == []


def test_each_abandoned_order_is_attached_once_and_in_their_order(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], front: ScriptedFrontend
) -> None:
    front.run_cell(CELL, "run 1")
    orders = abandon(studio, faults, cheap(count=2))
    front.run_cell(CELL, "run 2")
    first, rest = prepare(studio, [cheap()]), prepare(studio, [cheap(count=3)])
    assert (taken_up(first), taken_up(rest)) == (orders[:1], orders[1:])
    assert (first.total, rest.total, len(rest.records)) == (0, 2, 2)
    results = [*studio.checkout.place(first).result(), *studio.checkout.place(rest).result()]
    assert [each.order_id for each in results][:2] == orders
    assert len({each.order_id for each in results}) == 4
    assert books.spent() == charges(studio) == 4


def test_fresh_pays_anew(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], front: ScriptedFrontend
) -> None:
    front.run_cell(CELL, "run 1")
    [order] = abandon(studio, faults)
    front.run_cell(CELL, "run 2")
    prepared = prepare(studio, [cheap()], fresh=True)
    assert taken_up(prepared) == []
    studio.checkout.place(prepared).result()
    assert books.spent() == 2
    assert studio.tasks()["order_id"].tolist() == [order]


@pytest.mark.parametrize(
    ("cell", "notebook", "ask"),
    [
        (CELL + "!", "a.ipynb", cheap()),
        (CELL, "b.ipynb", cheap()),
        (CELL, None, cheap()),
        (CELL, "a.ipynb", cheap("a fox")),
        (CELL, "a.ipynb", cheap(params={"seed": 1})),
    ],
    ids=["another cell", "another notebook", "no notebook", "another prompt", "another param"],
)
def test_another_cell_notebook_or_order_does_not_attach(
    studio: Studio,
    faults: Callable[..., None],
    front: ScriptedFrontend,
    cell: str,
    notebook: str | None,
    ask: Any,
) -> None:
    front.run_cell(CELL, "run 1")
    abandon(studio, faults)
    front.run_cell(cell, "run 2", notebook)
    assert taken_up(prepare(studio, [ask])) == []


def test_the_run_that_left_an_order_does_not_attach_to_it_itself(
    studio: Studio, faults: Callable[..., None], front: ScriptedFrontend
) -> None:
    front.run_cell(CELL, "run 1")
    abandon(studio, faults)
    assert taken_up(prepare(studio, [cheap()])) == []


def test_an_order_that_somebody_follows_is_not_attached_to(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], front: ScriptedFrontend
) -> None:
    front.run_cell(CELL, "run 1")
    faults({**TASK, "do": {"delay": 10}})
    task = studio.checkout.place(prepare(studio, [cheap()])).accepted()
    front.run_cell(CELL, "run 2")
    assert taken_up(prepare(studio, [cheap()])) == []
    [result] = studio.resume()
    faults()
    assert "a live session follows it" in (result.error or "")
    assert task.result()[0].status == "succeeded"
    assert books.spent() == 1


def test_a_no_gives_back_what_was_attached_to(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], front: ScriptedFrontend
) -> None:
    front.run_cell(CELL, "run 1")
    [order] = abandon(studio, faults)
    front.run_cell(CELL, "run 2")
    with pytest.raises(errors.ConfirmationNeeded):
        studio.checkout.order([cheap(count=2)], studio.frontend, studio.frontend.origin(), ask=True)
    assert studio.tasks()["followed"].tolist() == [False]
    with pytest.raises(errors.OverBudget):
        studio.checkout.order([cheap(count=2)], studio.frontend, studio.frontend.origin(), budget=0)
    assert studio.tasks()["followed"].tolist() == [False]
    assert taken_up(prepare(studio, [cheap()])) == [order]


def test_a_quote_that_fails_gives_back_what_was_attached_to(
    studio: Studio, faults: Callable[..., None], front: ScriptedFrontend
) -> None:
    front.run_cell(CELL, "run 1")
    [order] = abandon(studio, faults)
    front.run_cell(CELL, "run 2")
    faults({"path": "/v1/quote", "do": {"status": 400, "code": "invalid_payload"}})
    with pytest.raises(errors.InvalidRequest):
        prepare(studio, [cheap(count=2)])
    assert taken_up(prepare(studio, [cheap()])) == [order]


def test_an_order_without_an_answer_is_attached_to_and_sent_again_under_its_key(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], front: ScriptedFrontend
) -> None:
    front.run_cell(CELL, "run 1")
    record = lose(studio, faults)
    front.run_cell(CELL, "run 2")
    again = prepare(studio, [cheap(params={"aspect_ratio": None})])
    assert taken_up(again) == [record.order_id]
    assert studio.checkout.place(again).result()[0].status == "succeeded"
    assert books.spent() == charges(studio) == 1


def test_an_order_that_may_not_be_sent_again_is_not_attached_to(
    studio: Studio, studio_of: Callable[..., Studio], faults: Callable[..., None], front: ScriptedFrontend
) -> None:
    front.run_cell(CELL, "run 1")
    record = lose(studio, faults)
    front.run_cell(CELL, "run 2")
    ask = cheap(params={"aspect_ratio": None})
    assert taken_up(prepare(studio_of(OTHER), [ask])) == []
    age(studio, record, 23.5)
    for _ in range(2):
        with pytest.raises(errors.OrderUnknown, match="not bought again") as caught:
            prepare(studio, [ask])
        assert caught.value.order_id == record.order_id
    assert taken_up(prepare(studio, [ask], fresh=True)) == []


# The kernel is interrupted or killed.

SETUP = """
    import os, sys, threading, time
    from zooop_nb import frontend
    from zooop_nb.orders.order import Origin
    from zooop_nb.orders.request import OrderRequest
    from zooop_nb.studio import Studio
    from zooop_nb.tasks.task import WaitingStopped

    class Cell:
        run = "1"
        def origin(self): return Origin(notebook="a.ipynb", cell="c", execution=self.run)
        def announce(self, batch): pass
        def ask(self, question): return None

    cell = Cell()
    frontend.register(cell)
    studio = Studio()
    ask = OrderRequest("image", "a red panda", model="Z-Image Turbo", count=2)
"""
PROGRAM = f"""{SETUP}
    tasks = studio.checkout.place(studio.checkout.prepare([ask], cell.origin()))
"""
INTERRUPTED = """
    def interrupt():
        wanted = ("intended",) if WHERE == "submit" else ("submitted",) * 2
        while not all(each.state in wanted for each in studio.ledger.get_all(ids)[:len(wanted)]):
            time.sleep(0.01)
        while sys._current_frames()[threading.main_thread().ident].f_code.co_qualname != "Promise.result":
            time.sleep(0.01)
        os.kill(os.getpid(), 2)
    ids = [task.order_id for task in tasks]
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        tasks.accepted()
        tasks.result()
    except WaitingStopped as stopped:
        left = list(stopped.order_ids)
        assert isinstance(stopped, KeyboardInterrupt)
        # Those that were not sent yet are withdrawn.
        assert left == [task.order_id for task in tasks][: len(left)]
        assert "paid" in str(stopped)
    cell.run = "2"
    again = studio.checkout.prepare([ask], cell.origin())
    print(again.total, [record.order_id for record in again.taken_up] == left)
    print([each.status for each in studio.checkout.place(again).result()])
"""


INTERRUPTED_TWICE = """
    def interrupt_twice():
        while not any(each.state == "intended" for each in studio.ledger.unfinished()):
            time.sleep(0.005)
        os.kill(os.getpid(), 2)
        time.sleep(PAUSE)
        os.kill(os.getpid(), 2)

    threading.Thread(target=interrupt_twice, daemon=True).start()
    order = lambda: studio.checkout.order([ask], cell, cell.origin()).result()
    for step in (order, lambda: time.sleep(1)):
        try:
            step()
        except KeyboardInterrupt:
            pass
    cell.run = "2"
    again = studio.checkout.prepare([ask], cell.origin())
    print(again.total, len(again.taken_up))
    print([each.status for each in studio.checkout.place(again).result()])
"""


def run(program: str, sandbox: Any, home: Path) -> "subprocess.CompletedProcess[str]":
    environ = {
        **os.environ,
        "ZOOOP_API_HOST": sandbox.url,
        "ZOOOP_API_KEY": MAIN,
        "ZOOOP_NB_HOME": str(home),
    }
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=90,
    )


@pytest.mark.parametrize("where", ["submit", "follow"])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows interrupts by other means")
def test_an_interrupted_wait_leaves_orders_that_the_next_run_attaches_to_at_once(
    sandbox: Any, books: SandboxHarness, faults: Callable[..., None], clean_settings: Path, where: str
) -> None:
    fault = SUBMIT if where == "submit" else TASK
    faults({**fault, "do": {"delay": 5}, "times": 2})
    done = run(PROGRAM + f"    WHERE = '{where}'\n" + INTERRUPTED, sandbox, clean_settings)
    assert done.stderr == ""
    unsent = "1" if where == "submit" else "0"
    assert done.stdout.splitlines() == [f"{unsent} True", "['succeeded', 'succeeded']"]
    assert books.spent() == 2


@pytest.mark.parametrize("pause", [0, 0.001, 0.003, 0.01, 0.05])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows interrupts by other means")
def test_a_second_interrupt_does_not_keep_the_first_from_releasing_the_orders(
    sandbox: Any, books: SandboxHarness, faults: Callable[..., None], clean_settings: Path, pause: float
) -> None:
    faults({**SUBMIT, "do": {"delay": 2}, "times": 2})
    done = run(SETUP + INTERRUPTED_TWICE.replace("PAUSE", str(pause)), sandbox, clean_settings)
    assert done.stderr == ""
    # The second was not sent yet: it was withdrawn, and is ordered anew.
    assert done.stdout.splitlines() == ["1 1", "['succeeded', 'succeeded']"]
    assert books.spent() == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_process_leaves_orders_that_another_picks_up_and_pays_once(
    studio: Studio, sandbox: Any, books: SandboxHarness, faults: Callable[..., None], clean_settings: Path
) -> None:
    faults({**TASK, "do": {"delay": 30}, "times": None})
    done = run(PROGRAM + "\n    tasks.accepted()\n    os.kill(os.getpid(), 9)\n", sandbox, clean_settings)
    assert done.returncode == -signal.SIGKILL
    faults()
    assert studio.tasks()["followed"].tolist() == [False, False]
    gallery = studio.resume()
    assert [each.status for each in gallery] == ["succeeded", "succeeded"]
    assert books.spent() == charges(studio) == 2


def test_a_script_that_ends_while_it_follows_says_in_the_ledger_that_nobody_does(
    sandbox: Any, books: SandboxHarness, faults: Callable[..., None], clean_settings: Path
) -> None:
    faults({**TASK, "do": {"delay": 30}, "times": None})
    done = run(PROGRAM + "\n    tasks.accepted()\n", sandbox, clean_settings)
    assert (done.returncode, done.stderr) == (0, "")
    left = Ledger(clean_settings / "ledger.sqlite").unfinished()
    assert [record.follower for record in left] == [None, None]
