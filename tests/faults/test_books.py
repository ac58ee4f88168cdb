"""The rules that both books must agree by object to wrong books, and only to those."""

from dataclasses import replace

import pytest

from tests.faults.books import Asked, Books, Case, File, LedgerOrder, Run, Task, disagreements

PANDA = "a red panda"
WHOLE = File("1.webp", "abc", "abc", "abc")


def order(number: int = 1, state: str = "succeeded", prompt: str = PANDA) -> LedgerOrder:
    made = state == "succeeded"
    return LedgerOrder(
        order_id=f"order-{number}",
        key=f"key-{number}",
        state=state,
        prompt=prompt,
        task_id=f"task-{number}" if made else None,
        spent=2 if made else 0,
        files=(WHOLE,) if made else (),
        outputs=1 if made else 0,
    )


def task(number: int = 1, prompt: str = PANDA) -> Task:
    return Task(f"task-{number}", f"key-{number}", prompt, 2)


def description(state: str = "succeeded", spent: int | None = 1) -> LedgerOrder:
    return LedgerOrder("order-9", "key-9", state, described=True, spent=spent)


ONE = Case(Asked({PANDA: 1}), Books((task(),), left=2, orders=(order(),)))
"""One order, made and paid."""
DESCRIBED = Case(Asked({}, descriptions=1), Books(described=1, left=1, orders=(description(),)))
NOTHING = Case(Asked({PANDA: 1}, all_of_it=False), Books())


def broken(case: Case) -> set[str]:
    """Return the rules that the books break."""
    return {violation.rule for violation in disagreements(case)}


def books(case: Case, *orders: LedgerOrder, tasks: tuple[Task, ...] | None = None, left: int = 2) -> Case:
    """Return the case with other books."""
    tasks = case.books.tasks if tasks is None else tasks
    return replace(case, books=replace(case.books, tasks=tasks, left=left, orders=orders))


@pytest.mark.parametrize("case", [ONE, DESCRIBED, NOTHING])
def test_books_that_agree(case: Case) -> None:
    assert disagreements(case) == []


def test_a_second_task_for_one_order_is_a_double() -> None:
    case = books(ONE, order(1), order(2), tasks=(task(1), task(2)), left=4)
    (violation,) = disagreements(case)
    assert violation.rule == "doubles"
    assert violation.count == 1


def test_what_was_never_asked_for_is_a_double() -> None:
    case = books(ONE, order(1), order(2, prompt="a cat"), tasks=(task(1), task(2, "a cat")), left=4)
    assert broken(case) == {"doubles"}


def test_a_refunded_task_is_none() -> None:
    refunded = Task("task-2", "key-2", PANDA, 0)
    assert disagreements(books(ONE, order(1), order(2, "failed"), tasks=(task(1), refunded))) == []


def test_two_tasks_under_one_key_are_a_double() -> None:
    case = replace(ONE, asked=Asked({PANDA: 2}, all_of_it=False))
    assert "doubles" in broken(books(case, order(), tasks=(task(), task()), left=4))


def test_a_task_without_a_key_is_a_double() -> None:
    assert "doubles" in broken(books(ONE, order(), tasks=(Task("task-1", None, PANDA, 2),)))


def test_a_second_description_is_a_double() -> None:
    twice = Books(described=2, left=2, orders=(description(), replace(description(), order_id="order-8")))
    assert broken(replace(DESCRIBED, books=twice)) == {"doubles"}


def test_a_paid_task_that_the_ledger_lacks_is_lost() -> None:
    assert "lost" in broken(books(replace(ONE, asked=NOTHING.asked)))


@pytest.mark.parametrize("state", ["quoted", "queued", "withdrawn", "refused"])
def test_a_paid_task_whose_order_was_never_sent_by_the_ledger_is_lost(state: str) -> None:
    assert {"lost", "states"} <= broken(books(ONE, order(state=state)))


def test_a_task_that_its_order_does_not_name_is_lost() -> None:
    assert broken(books(ONE, replace(order(), task_id="task-7"))) == {"lost"}


@pytest.mark.parametrize("state", ["intended", "submitted"])
def test_an_open_order_is_not_lost_but_left(state: str) -> None:
    case = books(replace(ONE, asked=NOTHING.asked), replace(order(state=state), spent=2))
    assert broken(case) == {"states"}
    assert broken(books(case, replace(case.books.orders[0], followed=True))) == {"states"}


def test_a_cell_that_ended_well_without_all_that_it_asked_for_has_lost_it() -> None:
    short = books(replace(ONE, asked=Asked({PANDA: 2})), order())
    assert broken(short) == {"lost"}
    assert disagreements(replace(short, asked=Asked({PANDA: 2}, all_of_it=False))) == []


@pytest.mark.parametrize(
    "files",
    [
        (),
        (replace(WHOLE, held=None),),
        (replace(WHOLE, held="ab"),),
        (replace(WHOLE, recorded=None),),
        (replace(WHOLE, served="abcd"),),
    ],
)
def test_an_output_that_is_not_what_the_server_serves_is_lost(files: tuple[File, ...]) -> None:
    assert broken(books(ONE, replace(order(), files=files))) == {"lost"}


def test_a_description_that_is_paid_and_not_in_the_ledger_is_lost() -> None:
    gone = Books(described=1, left=1)
    assert {"lost", "money"} <= broken(Case(Asked({}, descriptions=1, all_of_it=False), gone))


@pytest.mark.parametrize("spent", [0, 1, 4])
def test_a_figure_that_was_not_charged(spent: int) -> None:
    assert broken(books(ONE, replace(order(), spent=spent))) == {"money"}


def test_two_wrong_figures_whose_sum_is_right() -> None:
    case = replace(ONE, asked=Asked({PANDA: 2}))
    wrong = (replace(order(1), spent=3), replace(order(2), spent=1))
    assert broken(books(case, *wrong, tasks=(task(1), task(2)), left=4)) == {"money"}


def test_a_missing_figure() -> None:
    assert "money" in broken(books(ONE, replace(order(), spent=None)))


def test_a_wallet_that_lost_more_than_the_ledger_knows() -> None:
    assert broken(books(ONE, order(), left=3)) == {"money"}


@pytest.mark.parametrize(("charged", "left"), [(0, 0), (1, 1)])
def test_a_description_that_nobody_knows_of_has_no_figure_and_is_named(charged: int, left: int) -> None:
    unknown = Books(described=charged, left=left, orders=(description("unknown", None),))
    case = Case(DESCRIBED.asked, unknown, (Run("order-9 is unknown: --fresh"),))
    assert disagreements(case) == []
    assert broken(replace(case, runs=())) == {"states"}
    said_zero = replace(unknown, orders=(description("unknown", 0),))
    assert broken(replace(case, books=said_zero)) == {"money"}


def test_an_order_that_nobody_knows_of_is_not_missed_and_may_be_paid() -> None:
    case = replace(ONE, runs=(Run("order-1 is unknown"),))
    assert disagreements(books(case, order(state="unknown"))) == []
    assert disagreements(books(case, order(state="unknown"), tasks=(), left=0)) == []
    assert "doubles" in broken(books(case, order(1, "unknown"), order(2), tasks=(task(1), task(2)), left=4))


def test_an_order_that_waits_for_nobody() -> None:
    asked = NOTHING.asked
    for state in ("queued", "intended", "submitted", "a state that is new"):
        case = books(replace(NOTHING, asked=asked), order(state=state), left=0)
        assert broken(case) == {"states"}, state
    for state in ("quoted", "withdrawn", "refused"):
        assert disagreements(books(replace(NOTHING, asked=asked), order(state=state), left=0)) == []


@pytest.mark.parametrize(
    "text", ["Stopped. This line has submitted nothing, and pays nothing.", "Nothing is paid."]
)
def test_a_run_that_says_it_cost_nothing(text: str) -> None:
    assert broken(replace(ONE, runs=(Run(text, frozenset({"key-1"})),))) == {"said"}
    # An earlier run's order, or one that is paid by a later run.
    assert disagreements(replace(ONE, runs=(Run(text), Run("", frozenset({"key-1"}))))) == []
    assert broken(replace(DESCRIBED, runs=(Run(text, frozenset({"key-9"})),))) == {"said"}


def test_a_run_that_says_nothing_was_paid_where_nobody_knows() -> None:
    unknown = Books(orders=(description("unknown", None),))
    run = Run("Nothing is paid. order-9", frozenset({"key-9"}))
    assert broken(Case(DESCRIBED.asked, unknown, (run,))) == {"said"}
