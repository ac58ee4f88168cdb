"""What stops an order before it is paid: account, wallet, daily cap, budget or confirmation."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.conftest import CHEAP, cheap, prepare
from tests.support.sandbox_harness import SandboxHarness
from tests.support.scripted_frontend import ScriptedFrontend
from tests.support.waiting import until
from zooop_nb import errors
from zooop_nb.studio import Studio


@pytest.mark.parametrize(
    ("token", "kind", "said"),
    [
        ("zpk_test_capped", errors.OverBudget, "daily cap leaves 0"),
        ("zpk_test_poor", errors.OverBudget, "costs 3 credits; the personal wallet holds 1"),
        ("zpk_test_nearcap", errors.OverBudget, "daily cap leaves 2 until midnight UTC"),
        ("zpk_test_arrears", errors.InsufficientCredits, "arrears"),
        ("zpk_test_banned", errors.PermissionRefused, "banned"),
        ("zpk_test_revoked", errors.AuthenticationFailed, "revoked"),
        ("zpk_test_nobody", errors.AuthenticationFailed, "token"),
        ("zpk_test_unbound", errors.InvalidRequest, "project"),
    ],
)
def test_an_account_that_cannot_pay_is_told_why_and_nothing_is_charged(
    studio_of: Callable[..., Studio], books: SandboxHarness, token: str, kind: type, said: str
) -> None:
    studio = studio_of(token)
    with pytest.raises(kind) as caught:
        studio.image("a red panda", resolution="1k")
    assert said in str(caught.value)
    assert not isinstance(caught.value, errors.PaidTaskError)
    assert token not in str(caught.value)
    assert books.charges == []
    assert studio.ledger.frame()["spent"].sum() == 0
    assert studio.tasks().empty


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (402, "insufficient_credits", errors.InsufficientCredits),
        (402, "token_daily_cap_exceeded", errors.InsufficientCredits),
        (429, "token_daily_cap_reached", errors.DailyCapReached),
        (403, "account_banned", errors.PermissionRefused),
        (422, "token_project_unbound", errors.InvalidRequest),
        (422, "moderation_blocked", errors.ModerationBlocked),
        (404, "unknown_model", errors.InvalidRequest),
        (503, "no_provider", errors.ServerFailed),
    ],
)
def test_a_refusal_at_the_submit_ends_the_order_and_leaves_nothing_to_resume(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], status: int, code: str, kind: type
) -> None:
    faults({"method": "POST", "path": "/v1/tasks", "do": {"status": status, "code": code}, "times": None})
    with pytest.raises(kind):
        studio.image("a red panda", model=CHEAP)
    assert books.charges == []
    assert studio.tasks().empty
    assert studio.ledger.frame()["status"].unique().tolist() == ["refused"]
    assert len(studio.resume()) == 0


def test_a_model_without_a_provider_names_another_as_the_way_out(
    studio: Studio, books: SandboxHarness
) -> None:
    with pytest.raises(errors.ServerFailed, match="Choose another model"):
        studio.image("a red panda", model="Wan 2.6")
    assert books.charges == []


def test_a_prompt_against_the_policy_costs_nothing(studio: Studio, books: SandboxHarness) -> None:
    with pytest.raises(errors.ModerationBlocked, match="refused again"):
        studio.image("sandbox-nsfw", model=CHEAP)
    assert books.charges == []


@pytest.mark.parametrize("path", ["/v1/quote", "/v1/me"])
def test_without_a_quote_or_a_wallet_nothing_is_submitted(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], path: str
) -> None:
    faults({"path": path, "do": {"status": 400, "code": "invalid_payload"}, "times": None})
    with pytest.raises(errors.InvalidRequest):
        studio.image("a red panda", model=CHEAP)
    assert books.tasks == []
    assert studio.tasks().empty


# Budgets.


def test_the_calls_budget_counts_the_whole_call(studio: Studio, books: SandboxHarness) -> None:
    with pytest.raises(errors.OverBudget, match="costs 3 credits; the budget of this call is 2"):
        studio.image("a red panda", model=CHEAP, count=3, budget=2)
    assert books.tasks == []
    assert len(studio.start_all("image", "a red panda", model=CHEAP, count=2, budget=2).result()) == 2


def test_the_sessions_budget_counts_what_was_charged(
    studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    studio = studio_of(budget=2)
    studio.image("a red panda", model=CHEAP)
    with pytest.raises(errors.OverBudget, match="the budget of 2 has 1 left"):
        studio.image("a red panda", model=CHEAP, count=2)
    studio.image("a red panda", model=CHEAP)
    with pytest.raises(errors.OverBudget, match="has 0 left"):
        studio.image("a red panda", model=CHEAP)
    assert books.spent() == 2


def test_a_failure_gives_its_credits_back_to_the_budget(
    studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    studio = studio_of(budget=3)
    for _ in range(2):
        with pytest.raises(errors.TaskFailed):
            studio.image("a red panda", model="Ideogram")
    assert books.spent() == 0


@pytest.mark.filterwarnings("ignore:An order for the same is under way already")
def test_an_order_that_is_left_behind_still_counts_against_the_budget(
    studio_of: Callable[..., Studio], books: SandboxHarness, faults: Callable[..., None]
) -> None:
    studio = studio_of(budget=1)
    faults({"path": "/v1/tasks/*", "do": {"delay": 0.5}})
    task = studio.start("image", "a red panda", model=CHEAP)
    until(lambda: studio.ledger.get(task.order_id).state != "queued")
    task.stop_waiting()
    with pytest.raises(errors.OverBudget, match="has 0 left"):
        studio.image("a red panda", model=CHEAP)
    assert studio.resume()[0].credits == 1
    with pytest.raises(errors.OverBudget, match="has 0 left"):
        studio.image("a red panda", model=CHEAP)
    assert books.spent() == 1


@pytest.mark.filterwarnings("ignore:An order for the same is under way already")
def test_an_order_whose_answer_is_lost_still_counts_against_the_budget(
    studio_of: Callable[..., Studio], books: SandboxHarness, faults: Callable[..., None]
) -> None:
    studio = studio_of(budget=1)
    faults({"method": "POST", "path": "/v1/tasks", "do": "drop_after", "times": 3})
    with pytest.raises(errors.OrderUnknown):
        studio.image("a red panda", model=CHEAP)
    with pytest.raises(errors.OverBudget):
        studio.image("a red panda", model=CHEAP)
    assert books.spent() == 1


def test_a_reservation_is_written_for_all_or_for_none(studio: Studio, books: SandboxHarness) -> None:
    prepared = prepare(studio, [cheap(), cheap("a fox")], yes=True)
    studio.ledger._db.connection.execute(
        "CREATE TRIGGER full BEFORE UPDATE OF state ON orders WHEN new.state = 'queued'"
        " AND (SELECT count(*) FROM orders WHERE state = 'queued') = 1"
        " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    with pytest.raises(errors.LedgerError, match="disk is full"):
        studio.checkout.place(prepared)
    studio.ledger._db.connection.execute("DROP TRIGGER full")
    assert books.tasks == []
    assert studio.tasks().empty
    assert len(studio.checkout.place(prepared).result()) == 2
    assert books.spent() == 2


def test_an_intent_that_cannot_be_written_is_not_sent(studio: Studio, books: SandboxHarness) -> None:
    studio.checkout.ledger._db.connection.execute(
        "CREATE TRIGGER full BEFORE UPDATE OF state ON orders WHEN new.state = 'intended'"
        " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    with pytest.raises(errors.LedgerError, match="disk is full"):
        studio.image("a red panda", model=CHEAP)
    studio.ledger._db.connection.execute("DROP TRIGGER full")
    assert books.tasks == []
    assert studio.tasks().empty
    assert studio.ledger.frame()["status"].unique().tolist() == ["withdrawn"]


# Confirmation.


def test_one_task_and_variants_ask_nothing(
    studio: Studio, books: SandboxHarness, front: ScriptedFrontend
) -> None:
    front.answer = False
    studio.image("a red panda", model=CHEAP)
    assert len(studio.start_all("image", "a red panda", model=CHEAP, count=3).result()) == 3
    assert front.questions == []
    assert books.spent() == 4


def test_a_batch_of_three_asks_once_and_a_no_submits_nothing(
    studio: Studio, books: SandboxHarness, front: ScriptedFrontend
) -> None:
    front.answer = False
    prompts = ["a", "b", "c"]
    with pytest.raises(errors.Declined):
        studio.batch("image", prompts, model=CHEAP)
    assert front.questions == ["Spend 3 credits on these 3 tasks?"]
    assert books.tasks == []
    front.answer = True
    assert len(studio.batch("image", prompts, model=CHEAP)) == 3
    assert len(front.questions) == 2
    assert len(studio.batch("image", prompts, model=CHEAP, yes=True)) == 3
    assert len(front.questions) == 2


@pytest.mark.parametrize("given", [{"ask": True}, {"model": "Hunyuan", "count": 10}, {"confirm": "always"}])
def test_where_nobody_can_answer_the_error_names_yes(
    studio_of: Callable[..., Studio], books: SandboxHarness, front: ScriptedFrontend, given: dict[str, Any]
) -> None:
    confirm = given.pop("confirm", "auto")
    with pytest.raises(errors.ConfirmationNeeded, match="yes=True"):
        studio_of(confirm=confirm).image("a red panda", **{"model": CHEAP, **given})
    assert len(front.questions) == 1
    assert books.tasks == []


def test_the_setting_never_asks_nothing(
    studio_of: Callable[..., Studio], books: SandboxHarness, front: ScriptedFrontend
) -> None:
    assert len(studio_of(confirm="never").batch("image", ["a", "b", "c"], model=CHEAP)) == 3
    assert front.questions == []
