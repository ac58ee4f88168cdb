"""What a session has spent, its limit, and what is reserved: exact, and never exceeded side by side."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.interrupts import ends_on_another_thread, interrupted_at_each_moment
from tests.support.orders import (
    Kernel,
    Refused,
    a_reservation,
    a_run,
    an_order,
    queued,
    quoted,
    seen,
    sent,
    within_limit,
)
from zooop_nb.ledger import Ledger
from zooop_nb.ledger.record import now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    opened = Ledger(path)
    yield opened
    opened.close()


def spent(ledger: Ledger, session: str = "s1", mode: str = "live") -> float:
    return ledger.spent(session, mode)


def asked(ledger: Ledger, *records: Any, **known: Any) -> tuple[float, float | None, float]:
    """Reserve; return what the approval heard: spent, limit, queued."""
    heard: list[tuple[float, float | None, float]] = []
    chosen = records or (ledger.get(quoted(ledger)),)
    ledger.reserve(a_reservation(*chosen, approve=lambda *each: heard.append(each), **known))
    [only] = heard
    return only


# What counts.


def _quoted(ledger: Ledger) -> None:
    quoted(ledger)


def _queued(ledger: Ledger) -> None:
    queued(ledger)


def _withdrawn(ledger: Ledger) -> None:
    ledger.withdraw([queued(ledger)], "no")


def _let_go_of_while_queued(ledger: Ledger) -> None:
    ledger.let_go([queued(ledger)])


def _intended(ledger: Ledger) -> None:
    sent(ledger)


def _not_accepted(ledger: Ledger) -> None:
    ledger.record_not_accepted(sent(ledger))


def _refused(ledger: Ledger) -> None:
    ledger.record_refusal(sent(ledger), "no")


def _submitted(ledger: Ledger) -> None:
    ledger.record_submission(sent(ledger), "t", "queued")


def _abandoned(ledger: Ledger) -> None:
    ledger.let_go([sent(ledger)])


def _unknown(ledger: Ledger) -> None:
    ledger.record_unknown(sent(ledger), "why")


def _said(*figures: tuple[str, float | None]) -> Callable[[Ledger], None]:
    def say(ledger: Ledger) -> None:
        order = sent(ledger)
        for status, credits in figures:
            seen(ledger, order, status, credits)

    return say


def _describing(ledger: Ledger) -> None:
    sent(ledger, target="describe", quoted=None)


def _described(ledger: Ledger) -> None:
    order = sent(ledger, target="describe", quoted=None)
    ledger.record_description(order, 3, {})


def _description_lost(ledger: Ledger) -> None:
    ledger.record_unknown(sent(ledger, target="describe", quoted=None), "why")


@pytest.mark.parametrize(
    ("step", "counts"),
    [
        (_quoted, 0),
        (_queued, 8),
        (_withdrawn, 0),
        (_let_go_of_while_queued, 0),
        (_intended, 8),
        (_not_accepted, 8),
        (_refused, 0),
        (_submitted, 8),
        (_abandoned, 8),
        (_unknown, 8),
        (_said(("running", None)), 8),
        (_said(("running", 8)), 8),
        (_said(("running", 3)), 8),
        (_said(("running", 10)), 10),
        (_said(("succeeded", 8)), 8),
        (_said(("succeeded", 5)), 5),
        (_said(("succeeded", 9.5)), 9.5),
        (_said(("succeeded", 0)), 0),
        (_said(("succeeded", None)), 8),
        (_said(("running", 8), ("failed", 0)), 0),
        (_said(("running", 8), ("failed", None)), 8),
        (_said(("failed", None)), 0),
        (_said(("cancelled", 2)), 2),
        (_said(("succeeded", -5)), 0),
        (_said(("running", 8), ("failed", -5)), 0),
        (_describing, 1),
        (_described, 3),
        (_description_lost, 1),
    ],
)
def test_an_order_counts_what_it_cost_or_may_still_cost(
    ledger: Ledger, step: Callable[[Ledger], None], counts: float
) -> None:
    step(ledger)
    assert spent(ledger) == counts


def test_a_refund_of_one_order_pays_for_no_other(ledger: Ledger) -> None:
    _said(("succeeded", -5))(ledger)
    _said(("succeeded", 8))(ledger)
    assert spent(ledger) == 8


def test_sessions_and_modes_are_counted_apart(ledger: Ledger) -> None:
    sent(ledger)
    sent(ledger, mode="sandbox", quoted=3)
    sent(ledger, session="s2", quoted=5)
    assert [spent(ledger), spent(ledger, mode="sandbox"), spent(ledger, "s2"), spent(ledger, "s3")] == [
        8,
        3,
        5,
        0,
    ]


def test_an_order_that_is_sent_again_moves_its_cost_to_the_session_that_sends_it(ledger: Ledger) -> None:
    order = sent(ledger)
    ledger.let_go([order])
    assert ledger.claim([ledger.get(order)])
    ledger.reserve(a_reservation(session="s2", resent=[order]))
    assert (spent(ledger), spent(ledger, "s2")) == (0, 8)
    assert ledger.is_followed(ledger.get(order))
    assert ledger.get(order).state == "intended"


# The limit.


def test_the_approval_hears_what_was_spent_and_the_limit_of_the_settings(ledger: Ledger) -> None:
    sent(ledger)
    assert asked(ledger) == (8, None, 0)
    assert asked(ledger, budget=50) == (16, 50, 8)


def test_the_sessions_own_limit_goes_before_that_of_the_settings(ledger: Ledger) -> None:
    ledger.set_budget("s1", "live", 20)
    assert asked(ledger, budget=50)[1] == 20
    assert asked(ledger, session="s2", budget=50)[1] == 50
    record = ledger.get(quoted(ledger, mode="sandbox"))
    assert asked(ledger, record, budget=50)[1] == 50
    ledger.set_budget("s1", "live", None)
    assert asked(ledger, budget=50)[1] is None, "no limit is one, too"


def test_a_limit_that_is_set_with_an_order_holds_for_the_session(ledger: Ledger) -> None:
    assert asked(ledger, budget=30, sets_budget=True)[1] == 30
    assert asked(ledger, budget=50)[1] == 30


def test_a_limit_is_not_set_if_the_order_is_refused(ledger: Ledger) -> None:
    record = ledger.get(quoted(ledger))
    with pytest.raises(Refused):
        ledger.reserve(a_reservation(record, approve=within_limit(8), budget=5, sets_budget=True))
    assert asked(ledger, budget=50)[1] == 50
    assert ledger.get(record.order_id).state == "quoted"
    assert record.order_id not in ledger.process.held


def test_what_is_queued_with_the_token_is_told_whoever_queued_it(ledger: Ledger) -> None:
    queued(ledger, session="s2")
    queued(ledger, token="another", quoted=100)
    queued(ledger, host="http://127.0.0.1:1", quoted=100)
    sent(ledger, quoted=100)
    quoted(ledger)
    assert asked(ledger, session="s3") == (0, None, 8)


def test_where_nothing_is_ordered_nothing_is_approved(ledger: Ledger) -> None:
    def never(*_: object) -> None:
        raise AssertionError("asked")

    ledger.reserve(a_reservation(approve=never, run=a_run("1")))


def test_a_description_is_reserved_without_a_quote(ledger: Ledger) -> None:
    record = an_order(target="describe", quoted=None)
    assert asked(ledger, record) == (0, None, 0)
    assert ledger.get(record.order_id).state == "queued"
    assert asked(ledger) == (1, None, 1)


# Side by side.


RESERVE = """
import sys
from pathlib import Path
from tests.support.orders import Refused, a_reservation, quoted, within_limit
from zooop_nb.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
orders = [ledger.get(quoted(ledger)) for _ in range(20)]
print("ready", flush=True)
sys.stdin.readline()
reserved = 0
for each in orders:
    try:
        ledger.reserve(a_reservation(each, approve=within_limit(8), budget=100))
    except Refused:
        continue
    reserved += 1
print(reserved, flush=True)
sys.stdin.readline()
"""


def child(code: str, path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def told(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_processes_that_reserve_at_once_never_exceed_the_limit_together(ledger: Ledger, path: Path) -> None:
    children = [child(RESERVE, path) for _ in range(3)]
    try:
        assert [told(each) for each in children] == ["ready"] * 3
        for each in children:
            tell(each)
        reserved = sum(int(told(each)) for each in children)
        assert reserved == 100 // 8
        assert spent(ledger) == 8 * reserved
    finally:
        for each in children:
            each.kill()
            each.communicate()
    assert asked(ledger, budget=100) == (0, 100, 0), "what the dead had queued counts nothing"


def test_threads_that_reserve_at_once_never_exceed_the_limit_together(ledger: Ledger) -> None:
    ready = threading.Barrier(16)

    def order(_: int) -> bool:
        record = ledger.get(quoted(ledger, quoted=3))
        ready.wait()
        try:
            ledger.reserve(a_reservation(record, approve=within_limit(3), budget=20))
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(order, range(16))) == 6
    assert spent(ledger) == 18


def test_an_interrupt_at_any_moment_of_a_reservation_leaves_no_order_followed_that_is_not_reserved(
    ledger: Ledger,
) -> None:
    record = ledger.get(quoted(ledger))
    moments = 0
    for _ in interrupted_at_each_moment(lambda: ledger.reserve(a_reservation(record))):
        assert ends_on_another_thread(lambda: ledger.get(record.order_id))
        assert ledger.process.held <= {record.order_id}
        if ledger.process.held:
            assert ledger.get(record.order_id).state == "queued"
        moments += 1
    assert moments > 5
    ledger.let_go([record.order_id])
    assert (spent(ledger), ledger.process.held) == (0, set())


def test_what_the_dead_had_queued_is_withdrawn_and_what_they_sent_is_not(ledger: Ledger, path: Path) -> None:
    dead, alive = Kernel(path), Kernel(path)
    left, open_one, going = queued(dead), sent(dead), queued(alive)
    mine = queued(ledger)
    dead.die()
    ledger.withdraw_of_the_dead()
    record = ledger.get(left)
    assert (record.state, record.follower) == ("withdrawn", None)
    assert record.error == "Its session ended before it was sent."
    assert [ledger.get(each).state for each in (open_one, going, mine)] == ["intended", "queued", "queued"]
    assert spent(ledger) == 24
    alive.die()
    assert asked(ledger) == (16, None, 8)
    assert ledger.get(going).state == "withdrawn"


# Whatever happens.


def _now(ledger: Ledger, order: str) -> None:
    ledger.record_intent(order, now())


def _status(status: str, credits: float | None) -> Callable[[Ledger, str], object]:
    return lambda ledger, order: seen(ledger, order, status, credits)


def _by_hand(ledger: Ledger, session: str) -> float:
    """What a session has spent, reckoned from the plain rows."""
    total = 0.0
    for row in ledger._db.connection.execute("SELECT * FROM orders WHERE session = ?", (session,)).fetchall():
        charged = sum(
            each["spent"] or 0
            for each in ledger._db.connection.execute(
                "SELECT spent FROM events WHERE order_id = ?", (row["order_id"],)
            )
        )
        if row["state"] in ("queued", "intended", "submitted", "unknown"):
            total += max(charged, row["quoted"], 0)
        elif row["state"] == "succeeded":
            total += max(charged, row["quoted"] if row["credits"] is None else 0, 0)
        elif row["state"] in ("failed", "cancelled"):
            total += max(charged, 0)
    return total


STEPS: dict[str, Callable[[Ledger, str], object]] = {
    "reserve": lambda ledger, order: ledger.reserve(a_reservation(ledger.get(order))),
    "intend": _now,
    "not accepted": lambda ledger, order: ledger.record_not_accepted(order),
    "accepted": lambda ledger, order: ledger.record_submission(order, f"t{order}", "queued"),
    "refused": lambda ledger, order: ledger.record_refusal(order, "no"),
    "unknown": lambda ledger, order: ledger.record_unknown(order, "why"),
    "running": _status("running", None),
    "running, charged": _status("running", 8),
    "succeeded": _status("succeeded", 5),
    "succeeded, silent": _status("succeeded", None),
    "succeeded, odd": _status("succeeded", -3),
    "failed": _status("failed", 0),
    "fetched": lambda ledger, order: ledger.record_outputs(order, []),
    "withdrawn": lambda ledger, order: ledger.withdraw([order], "no"),
    "let go": lambda ledger, order: ledger.let_go([order]),
    "claimed": lambda ledger, order: ledger.claim([ledger.get(order)]),
}
FOLLOWING: dict[str, tuple[str, ...]] = {
    "quoted": ("reserve",),
    "queued": ("intend", "withdrawn", "let go"),
    "intended": ("not accepted", "accepted", "refused", "unknown", "let go", "claimed"),
    "submitted": (
        "running",
        "running, charged",
        "succeeded",
        "succeeded, silent",
        "succeeded, odd",
        "failed",
        "let go",
        "claimed",
        "accepted",
    ),
    "succeeded": ("fetched", "succeeded", "let go", "running"),
    "unknown": ("accepted", "let go"),
}


@given(st.data())
def test_whatever_happens_the_sum_is_that_of_the_rows_and_nothing_is_held_for_ever(
    data: st.DataObject,
) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Ledger(Path(folder, "ledger.sqlite"))) as ledger:
        orders = [quoted(ledger) for _ in range(2)]
        for _ in range(data.draw(st.integers(1, 12))):
            order = data.draw(st.sampled_from(orders))
            steps = FOLLOWING.get(ledger.get(order).state)
            if steps:
                STEPS[data.draw(st.sampled_from(steps))](ledger, order)
            assert ledger.spent("s1", "live") == _by_hand(ledger, "s1") >= 0
        ledger.let_go(orders)
        assert ledger.process.held == set()
        assert not any(ledger.is_followed(ledger.get(each)) for each in orders)
        assert all(ledger.get(each).state != "queued" for each in orders)
