"""Whether an order may be placed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.support.interrupts import ends_on_another_thread, interrupted_at_each_moment
from zooop_nb.contract.shapes import KeyInfo, Me, Project, TeamWallet, UserWallet
from zooop_nb.errors import Action, OverBudget
from zooop_nb.orders.approval import Budget, check_call_budget, check_wallet, must_confirm


def asks(
    tasks: int,
    total: float,
    *,
    variants: bool = False,
    yes: bool = False,
    ask: bool = False,
    policy: str = "auto",
) -> bool:
    return must_confirm(tasks=tasks, total=total, variants=variants, yes=yes, ask=ask, policy=policy)


@pytest.mark.parametrize(
    ("tasks", "total", "asked"),
    [
        (1, 1, False),
        (1, 100, False),
        (1, 5000, False),
        (2, 99, False),
        (2, 99.5, False),
        (2, 100, True),
        (3, 3, True),
        (3, 0, True),
        (100, 100, True),
    ],
)
def test_the_guides_table_for_a_batch(tasks: int, total: float, asked: bool) -> None:
    assert asks(tasks, total) is asked


@pytest.mark.parametrize(
    ("tasks", "total", "asked"), [(3, 12, False), (24, 99, False), (4, 100, True), (1, 100, False)]
)
def test_the_count_of_variants_asks_nothing_and_their_price_does(
    tasks: int, total: float, asked: bool
) -> None:
    assert asks(tasks, total, variants=True) is asked


def test_yes_never_asks_and_ask_always_does() -> None:
    assert not asks(500, 9999, yes=True)
    assert not asks(500, 9999, yes=True, ask=True, policy="always")
    assert asks(1, 0, ask=True)
    assert asks(1, 0, ask=True, policy="never")


def test_the_setting_holds_where_the_call_says_nothing() -> None:
    assert asks(1, 0, policy="always")
    assert not asks(500, 9999, policy="never")


def me(balance: float, left: float | None = None, *, team: bool = False) -> Me:
    key = KeyInfo("k", "zpk_", daily_credit_cap=left, credits_remaining_today=left)
    wallet = {"team": TeamWallet("t", balance)} if team else {"user": UserWallet(balance)}
    return Me(key, Project(), **wallet)


def test_the_wallet_and_the_cap_hold_to_the_last_credit() -> None:
    check_wallet(me(8), 8)
    check_wallet(me(8, 8), 8)
    with pytest.raises(OverBudget, match="costs 9 credits; the personal wallet holds 8") as caught:
        check_wallet(me(8), 9)
    assert [each.action for each in caught.value.remedies] == [Action.TOP_UP]
    with pytest.raises(OverBudget, match="the team wallet holds 8"):
        check_wallet(me(8, team=True), 9)
    with pytest.raises(OverBudget, match="daily cap leaves 3 until midnight UTC"):
        check_wallet(me(8, 3), 4)
    with pytest.raises(OverBudget, match="daily cap leaves 0"):
        check_wallet(me(8, 0), 1)


def test_a_wallet_that_is_not_told_stops_nothing() -> None:
    check_wallet(Me(KeyInfo("k", "zpk_"), Project()), 10**9)


def test_the_calls_own_budget_holds_to_the_last_credit() -> None:
    check_call_budget(5, None)
    check_call_budget(5, 5)
    with pytest.raises(OverBudget, match="costs 6 credits; the budget of this call is 5"):
        check_call_budget(6, 5)
    with pytest.raises(OverBudget):
        check_call_budget(1, 0)


def test_a_promise_that_is_too_much_says_what_is_left() -> None:
    written: list[int] = []
    write = partial(written.append, 1)
    with pytest.raises(OverBudget, match="the budget of 10 has 3 left") as caught:
        Budget().reserve(4, write, limit=10, committed=lambda: 7)
    assert [each.action for each in caught.value.remedies] == [Action.RAISE_BUDGET]
    with pytest.raises(OverBudget, match="has 0 left"):
        Budget().reserve(1, write, limit=10, committed=lambda: 12)
    assert written == []


def test_without_a_limit_nobody_asks_what_is_spent() -> None:
    written: list[int] = []
    write = partial(written.append, 1)
    Budget().reserve(10**9, write, limit=None, committed=lambda: pytest.fail("asked"))
    assert written == [1]


def test_many_threads_never_promise_more_than_the_budget() -> None:
    written: list[int] = []
    budget, ready = Budget(), threading.Barrier(16)

    def order(_: int) -> bool:
        ready.wait()
        try:
            budget.reserve(3, lambda: written.append(3), limit=20, committed=lambda: sum(written))
        except OverBudget:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(order, range(16))) == 6
    assert sum(written) == 18


def test_a_promise_that_breaks_off_gives_the_budget_back() -> None:
    budget = Budget()

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        budget.reserve(3, fail, limit=3, committed=lambda: 0)
    budget.reserve(3, lambda: None, limit=3, committed=lambda: 0)


def test_an_interrupt_at_any_moment_gives_the_budget_back() -> None:
    budget = Budget()
    call = partial(budget.reserve, 3, lambda: None, limit=3, committed=lambda: 0)
    moments = [ends_on_another_thread(call) for _ in interrupted_at_each_moment(call)]
    assert all(moments)
    assert len(moments) > 2
