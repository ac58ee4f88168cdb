"""Whether an order may be placed."""

import pytest

from zooop_nb.contract.shapes import KeyInfo, Me, Project, TeamWallet, UserWallet
from zooop_nb.errors import Action, OverBudget
from zooop_nb.orders.approval import check_call_budget, check_session_budget, check_wallet, must_confirm


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


def test_what_is_queued_is_in_the_wallet_still_and_spoken_for() -> None:
    check_wallet(me(8), 5, queued=3)
    with pytest.raises(OverBudget, match="holds 8, 4 credits of it reserved"):
        check_wallet(me(8), 5, queued=4)
    with pytest.raises(OverBudget, match="leaves 6 until midnight UTC, 2 credits of it reserved"):
        check_wallet(me(80, 6), 5, queued=2)


def test_the_sessions_budget_holds_to_the_last_credit_and_says_what_is_left() -> None:
    check_session_budget(3, 7, 10)
    with pytest.raises(OverBudget, match="the budget of 10 has 3 left") as caught:
        check_session_budget(4, 7, 10)
    assert [each.action for each in caught.value.remedies] == [Action.RAISE_BUDGET]
    with pytest.raises(OverBudget, match="has 0 left"):
        check_session_budget(1, 12, 10)


def test_a_session_without_a_limit_is_stopped_by_nothing() -> None:
    check_session_budget(10**9, 10**9, None)
