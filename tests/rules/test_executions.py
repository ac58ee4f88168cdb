"""Running a cell again: what a re-run takes up of earlier runs of the same cell, and what it never does."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.interrupts import ends_on_another_thread, interrupted_at_each_moment
from tests.support.orders import (
    HOST,
    TOKEN,
    Kernel,
    a_reservation,
    a_run,
    ago,
    made,
    queued,
    quoted,
    seen,
    sent,
)
from zooop_nb.ledger import Execution, Ledger, OrderQuery, OrderRecord, Outcome, TakeUp
from zooop_nb.ledger.record import COLUMNS

BADLY = ["interrupted", "failed", "died"]
HOWEVER = ["well", *BADLY]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def kernel_of(path: Path) -> Iterator[Callable[[], Kernel]]:
    """Start another kernel on the same ledger."""
    started: list[Kernel] = []

    def start() -> Kernel:
        started.append(Kernel(path))
        return started[-1]

    yield start
    for each in started:
        each.die()


@pytest.fixture
def kernel(kernel_of: Callable[[], Kernel]) -> Kernel:
    return kernel_of()


def query(count: int = 1, **other: Any) -> OrderQuery:
    plain = {
        "fingerprint": "f1",
        "token": TOKEN,
        "host": HOST,
        "mode": "live",
        "paid_since": ago(hours=12),
        "named_since": ago(hours=24),
    }
    return OrderQuery(count=count, **{**plain, **other})


def take(
    kernel: Ledger,
    run: Execution | None,
    count: int = 1,
    can_follow: Callable[[OrderRecord], bool] = lambda _: True,
    **other: Any,
) -> TakeUp:
    return kernel.take_up(run, [query(count, **other)], can_follow=can_follow)


def taken(kernel: Ledger, run: Execution | None, count: int = 1, **other: Any) -> list[str]:
    [found] = take(kernel, run, count, **other).found
    return ids(found.orders)


def ids(records: Any) -> list[str]:
    return [each.order_id for each in records]


def end(kernel: Kernel, run: Execution, how: str) -> None:
    """End a run, which lets go of what it waits for, or kill its kernel."""
    if how == "died":
        kernel.die()
        return
    [outcome] = [each for each in get_args(Outcome) if each == how]
    kernel.end_execution(run.execution, outcome)
    kernel.let_go([*kernel.process.held])


def after(kernel: Kernel, how: str, kernel_of: Callable[[], Kernel]) -> Kernel:
    """Return the kernel of the re-run: a new one if the kernel died."""
    return kernel_of() if how == "died" else kernel


def under_way(kernel: Ledger, run: Execution | None = None, **known: Any) -> str:
    order = sent(kernel, run, **known)
    kernel.record_submission(order, f"task-{order}", "running")
    return order


# What is taken up.


@pytest.mark.parametrize("how", HOWEVER)
@pytest.mark.parametrize("order", [sent, under_way])
def test_an_open_order_is_taken_up_however_its_run_ended(
    kernel: Kernel, kernel_of: Callable[[], Kernel], how: str, order: Callable[..., str]
) -> None:
    left = order(kernel, a_run("1"))
    end(kernel, a_run("1"), how)
    again = after(kernel, how, kernel_of)
    [found] = take(again, a_run("2")).found
    assert ids(found.orders) == [left]
    assert (found.lost, found.elsewhere) == ((), ())
    record = again.get(left)
    assert (record.follower, record.execution) == (again.process.id, "2")
    assert again.process.held == {left}
    assert again.is_followed(record)


@pytest.mark.parametrize("how", BADLY)
def test_a_succeeded_order_of_a_run_that_did_not_end_well_is_taken_up(
    kernel: Kernel, kernel_of: Callable[[], Kernel], how: str
) -> None:
    left = made(kernel, a_run("1"))
    end(kernel, a_run("1"), how)
    again = after(kernel, how, kernel_of)
    found = take(again, a_run("2"))
    assert ids(found.found[0].orders) == [left]
    assert found.continued is not None
    assert found.continued.outcome == (None if how == "died" else how)


def test_a_run_that_ended_well_is_a_new_paid_order_again(kernel: Kernel) -> None:
    made(kernel, a_run("1"))
    end(kernel, a_run("1"), "well")
    found = take(kernel, a_run("2"))
    assert ids(found.found[0].orders) == []
    assert found.continued is None


def test_a_complete_task_whose_output_was_never_fetched_is_open_still(kernel: Kernel) -> None:
    left = under_way(kernel, a_run("1"))
    seen(kernel, left, "succeeded", 8)
    end(kernel, a_run("1"), "well")
    assert taken(kernel, a_run("2")) == [left]


def test_what_another_kernel_follows_is_not_taken_up(kernel: Kernel, kernel_of: Callable[[], Kernel]) -> None:
    here = sent(kernel, a_run("1"))
    kernel.end_execution("1", "interrupted")
    [found] = take(kernel_of(), a_run("2")).found
    assert (found.orders, found.elsewhere) == ((), ())
    assert kernel.is_followed(kernel.get(here))


def test_what_this_kernel_follows_is_taken_up_unless_its_run_ended_well(kernel: Kernel) -> None:
    here = sent(kernel, a_run("1"))
    kernel.end_execution("1", "interrupted")
    [found] = take(kernel, a_run("2")).found
    assert ids(found.orders) == [here]
    assert found.orders[0].follower == kernel.process.id
    # It is given back to the run before, and followed as before.
    kernel.give_back(found.orders)
    assert kernel.is_followed(kernel.get(here))
    kernel.end_execution("2", "failed")
    assert taken(kernel, a_run("3"), 2) == [here]
    kernel.end_execution("3", "well")
    assert taken(kernel, a_run("4")) == []
    assert kernel.is_followed(kernel.get(here))


def test_what_is_queued_is_taken_up_while_it_is_followed(kernel: Kernel) -> None:
    here = queued(kernel, a_run("1"))
    kernel.end_execution("1", "interrupted")
    assert taken(kernel, a_run("2")) == [here]
    kernel.process.held.discard(here)
    kernel.end_execution("2", "interrupted")
    assert taken(kernel, a_run("3")) == []


def test_orders_are_taken_up_oldest_first_and_once(kernel: Kernel) -> None:
    orders = [sent(kernel, a_run("1"), created_at=ago(minutes=9 - number)) for number in range(4)]
    end(kernel, a_run("1"), "interrupted")
    assert taken(kernel, a_run("2"), 1) == orders[:1]
    assert taken(kernel, a_run("2"), 2) == orders[1:3]
    assert taken(kernel, a_run("2"), 5) == orders[3:]
    assert taken(kernel, a_run("2"), 5) == []


def test_several_are_asked_for_at_once_and_each_finds_its_own(kernel: Kernel) -> None:
    one, other = sent(kernel, a_run("1"), fingerprint="f1"), sent(kernel, a_run("1"), fingerprint="f2")
    end(kernel, a_run("1"), "interrupted")
    asked = [query(fingerprint="f2"), query(fingerprint="f3"), query(fingerprint="f1")]
    found = kernel.take_up(a_run("2"), asked, can_follow=lambda _: True).found
    assert [ids(each.orders) for each in found] == [[other], [], [one]]


def test_the_same_is_asked_for_twice_in_one_call_and_no_order_is_found_twice(kernel: Kernel) -> None:
    left = sent(kernel, a_run("1"))
    end(kernel, a_run("1"), "interrupted")
    found = kernel.take_up(a_run("2"), [query(), query()], can_follow=lambda _: True).found
    assert [ids(each.orders) for each in found] == [[left], []]


@pytest.mark.parametrize("state", ["failed", "cancelled", "refused", "withdrawn", "quoted", "queued"])
def test_what_failed_or_was_never_sent_is_made_anew(kernel: Kernel, state: str) -> None:
    order = queued(kernel, a_run("1"))
    if state == "quoted":
        order = quoted(kernel, notebook="n.ipynb")
    elif state == "refused":
        kernel.record_intent(order, ago())
        kernel.record_refusal(order, "no")
    elif state in ("failed", "cancelled"):
        kernel.record_intent(order, ago())
        seen(kernel, order, state, 0)
    end(kernel, a_run("1"), "interrupted")
    [found] = take(kernel, a_run("2")).found
    assert (found.orders, found.lost, found.elsewhere) == ((), (), ())


@pytest.mark.parametrize("how", HOWEVER)
def test_an_unknown_order_is_named_and_never_taken_up(
    kernel: Kernel, kernel_of: Callable[[], Kernel], how: str
) -> None:
    left = sent(kernel, a_run("1"))
    kernel.record_unknown(left, "too old")
    end(kernel, a_run("1"), how)
    again = after(kernel, how, kernel_of)
    [found] = take(again, a_run("2")).found
    assert (ids(found.orders), ids(found.lost)) == ([], [left])
    assert again.get(left).execution == "1", "a later run names it again"


def test_an_open_order_that_can_neither_be_followed_nor_sent_again_is_named(kernel: Kernel) -> None:
    old, young = sent(kernel, a_run("1")), sent(kernel, a_run("1"))
    end(kernel, a_run("1"), "interrupted")
    [found] = take(kernel, a_run("2"), can_follow=lambda record: record.order_id == young).found
    assert (ids(found.orders), ids(found.lost)) == ([young], [old])
    assert kernel.get(old).follower is None


@pytest.mark.parametrize(
    "other",
    [{"fingerprint": "f2"}, {"token": "other"}, {"host": "http://127.0.0.1:1"}, {"mode": "sandbox"}],
    ids=str,
)
@pytest.mark.parametrize("order", [sent, made])
def test_another_fingerprint_token_host_or_mode_is_another_order(
    kernel: Kernel, order: Callable[..., str], other: dict[str, Any]
) -> None:
    left = order(kernel, a_run("1"))
    end(kernel, a_run("1"), "interrupted")
    [found] = take(kernel, a_run("2"), **other).found
    assert (found.orders, found.lost, found.elsewhere) == ((), (), ())
    assert taken(kernel, a_run("2")) == [left]


# Succeeded orders: the conditions.


@pytest.mark.parametrize(("hours", "found"), [(11.9, True), (12.1, False)])
def test_a_succeeded_order_is_taken_up_within_12_hours(kernel: Kernel, hours: float, found: bool) -> None:
    left = made(kernel, a_run("1"), ago(hours=hours))
    end(kernel, a_run("1"), "interrupted")
    assert taken(kernel, a_run("2")) == [left] * found


def test_an_open_order_is_taken_up_however_old(kernel: Kernel) -> None:
    left = under_way(kernel, a_run("1"), sent_at=ago(days=9))
    end(kernel, a_run("1"), "interrupted")
    assert taken(kernel, a_run("2")) == [left]


def test_without_a_notebook_a_succeeded_order_is_taken_up_in_the_same_kernel_only(
    kernel: Kernel, kernel_of: Callable[[], Kernel]
) -> None:
    made(kernel, a_run("1", notebook=None))
    end(kernel, a_run("1"), "interrupted")
    other = take(kernel_of(), a_run("2", notebook=None))
    assert (ids(other.found[0].orders), other.continued) == ([], None)


def test_without_a_notebook_a_succeeded_order_is_taken_up_in_its_kernel(kernel: Kernel) -> None:
    left = made(kernel, a_run("1", notebook=None))
    end(kernel, a_run("1"), "interrupted")
    assert taken(kernel, a_run("2", notebook=None)) == [left]


@pytest.mark.parametrize("order", [sent, under_way, made])
def test_a_later_equal_order_in_the_notebook_says_that_the_old_one_is_not_wanted(
    kernel: Kernel, order: Callable[..., str]
) -> None:
    made(kernel, a_run("1"))
    end(kernel, a_run("1"), "interrupted")
    order(kernel, a_run("another cell", source="d"))
    assert taken(kernel, a_run("2")) == []


def test_without_a_notebook_a_later_equal_order_of_the_kernel_counts(kernel: Kernel) -> None:
    made(kernel, a_run("1", notebook=None))
    end(kernel, a_run("1"), "interrupted")
    made(kernel, a_run("another cell", source="d", notebook=None))
    assert taken(kernel, a_run("2", notebook=None)) == []


def test_without_a_notebook_a_later_equal_order_of_another_kernel_does_not_count(
    kernel: Kernel, kernel_of: Callable[[], Kernel]
) -> None:
    left = made(kernel, a_run("1", notebook=None))
    end(kernel, a_run("1"), "interrupted")
    made(kernel_of(), a_run("another cell", source="d", notebook=None))
    assert taken(kernel, a_run("2", notebook=None)) == [left]


def test_a_later_equal_order_that_was_not_paid_or_is_elsewhere_does_not_count(kernel: Kernel) -> None:
    left = made(kernel, a_run("1"))
    end(kernel, a_run("1"), "interrupted")
    refused = sent(kernel, a_run("2", source="d"))
    kernel.record_refusal(refused, "no")
    failed = sent(kernel, a_run("2", source="d"))
    seen(kernel, failed, "failed", 0)
    quoted(kernel, notebook="n.ipynb")
    made(kernel, a_run("3", notebook="other.ipynb"))
    made(kernel, a_run("4", source="d"), fingerprint="f2")
    made(kernel, a_run("5", source="d"), mode="sandbox")
    made(kernel, a_run("6", source="d"), ago(hours=1))
    assert taken(kernel, a_run("7")) == [left]


def test_later_equal_orders_of_the_chain_itself_do_not_count(kernel: Kernel) -> None:
    first = made(kernel, a_run("1"))
    second = made(kernel, a_run("1"))
    end(kernel, a_run("1"), "interrupted")
    assert taken(kernel, a_run("2"), 2) == [first, second]
    third = made(kernel, a_run("2"))
    end(kernel, a_run("2"), "failed")
    assert taken(kernel, a_run("3"), 9) == [first, second, third]


# The same cell.


def test_a_corrected_typo_is_the_same_cell_in_its_kernel(
    kernel: Kernel, kernel_of: Callable[[], Kernel]
) -> None:
    typo = a_run("1", "typo", cell_id="i")
    orders = [sent(kernel, typo), made(kernel, typo)]
    end(kernel, a_run("1"), "interrupted")
    elsewhere = take(kernel_of(), a_run("2", "correct", cell_id="i"), 2)
    assert (ids(elsewhere.found[0].orders), elsewhere.continued) == ([], None)
    assert taken(kernel, a_run("3", "correct", cell_id="i"), 2) == orders


def test_cells_without_an_id_are_not_all_the_same(kernel: Kernel) -> None:
    sent(kernel, a_run("1", "one"))
    end(kernel, a_run("1"), "interrupted")
    assert taken(kernel, a_run("2", "other")) == []


def test_equal_source_is_the_same_cell_in_another_kernel_of_the_notebook(
    kernel: Kernel, kernel_of: Callable[[], Kernel]
) -> None:
    left = made(kernel, a_run("1", cell_id="i"))
    end(kernel, a_run("1"), "interrupted")
    assert taken(kernel_of(), a_run("2", cell_id="another")) == [left]


@pytest.mark.parametrize("other", [a_run("2", source="d"), a_run("2", notebook="copy.ipynb"), None], ids=str)
def test_from_elsewhere_an_open_order_is_named_and_not_taken_up(
    kernel: Kernel, other: Execution | None
) -> None:
    left, fetched = sent(kernel, a_run("1")), made(kernel, a_run("1"))
    lost = sent(kernel, a_run("1"))
    kernel.record_unknown(lost, "why")
    end(kernel, a_run("1"), "interrupted")
    found = take(kernel, other)
    assert found.continued is None
    assert (ids(found.found[0].orders), ids(found.found[0].elsewhere)) == ([], [left])
    assert kernel.get(left).follower is None
    assert kernel.get(fetched).execution == "1"


@pytest.mark.parametrize(("hours", "named"), [(23.9, True), (24.1, False)])
def test_an_open_order_elsewhere_is_named_for_24_hours(kernel: Kernel, hours: float, named: bool) -> None:
    left = sent(kernel, None, ago(hours=hours))
    kernel.let_go([left])
    [found] = take(kernel, a_run("2")).found
    assert ids(found.elsewhere) == [left] * named


def test_followed_orders_elsewhere_and_those_of_this_run_are_not_named(
    kernel: Kernel, kernel_of: Callable[[], Kernel]
) -> None:
    sent(kernel_of(), a_run("1", source="d"))
    own = sent(kernel, a_run("2"))
    kernel.let_go([own])
    [found] = take(kernel, a_run("2")).found
    assert found.elsewhere == ()


def test_where_everything_is_found_nothing_else_is_named(kernel: Kernel) -> None:
    left, other = sent(kernel, a_run("1")), sent(kernel, a_run("other", source="d"))
    end(kernel, a_run("1"), "interrupted")
    [found] = take(kernel, a_run("2")).found
    assert (ids(found.orders), found.elsewhere) == ([left], ())
    [more] = take(kernel, a_run("2")).found
    assert (ids(more.orders), ids(more.elsewhere)) == ([], [other])


# The chain.


@pytest.mark.parametrize("first", BADLY)
@pytest.mark.parametrize("second", BADLY)
def test_a_chain_goes_on_until_a_run_ends_well(
    kernel: Kernel, kernel_of: Callable[[], Kernel], first: str, second: str
) -> None:
    orders = [made(kernel, a_run("1")) for _ in range(3)]
    end(kernel, a_run("1"), first)
    kernel = after(kernel, first, kernel_of)
    assert taken(kernel, a_run("2"), 1) == orders[:1]
    end(kernel, a_run("2"), second)
    kernel = after(kernel, second, kernel_of)
    assert taken(kernel, a_run("3"), 2) == orders[:2], "also what the second run did not ask for"
    end(kernel, a_run("3"), "well")
    left = take(kernel, a_run("4"), 3)
    assert (left.found[0].orders, left.continued) == ((), None)


def test_an_open_order_is_taken_up_past_a_run_that_ended_well(kernel: Kernel) -> None:
    left = under_way(kernel, a_run("1"))
    end(kernel, a_run("1"), "interrupted")
    assert taken(kernel, a_run("2"), fingerprint="f2") == []
    end(kernel, a_run("2"), "well")
    assert taken(kernel, a_run("3")) == [left]


def test_a_run_that_goes_on_is_none_to_continue(kernel: Kernel, kernel_of: Callable[[], Kernel]) -> None:
    done = made(kernel, a_run("1"))
    other = kernel_of()
    found = take(other, a_run("2"))
    assert (ids(found.found[0].orders), found.continued) == ([], None)
    kernel.die()
    assert taken(other, a_run("3")) == [done], "now it has ended"


def test_the_last_outcome_of_a_run_is_the_one_that_counts(kernel: Kernel) -> None:
    made(kernel, a_run("1"))
    # The extension was unloaded in the middle of the cell, and loaded again.
    end(kernel, a_run("1"), "interrupted")
    end(kernel, a_run("1"), "well")
    assert taken(kernel, a_run("2")) == []


def test_each_call_of_a_run_hears_what_it_continues(kernel: Kernel) -> None:
    made(kernel, a_run("1"))
    end(kernel, a_run("1"), "failed")
    one, other = take(kernel, a_run("2")).continued, take(kernel, a_run("2")).continued
    assert one is not None
    assert (one, one.outcome) == (other, "failed")


def test_two_kernels_never_continue_one_run(path: Path, kernel: Kernel) -> None:
    for number in range(8):
        cell = f"c{number}"
        first = a_run(f"{number}", cell)
        orders = {made(kernel, first), under_way(kernel, first)}
        end(kernel, first, "interrupted")
        kernels = [Kernel(path) for _ in range(4)]
        ready = threading.Barrier(len(kernels))
        found: list[TakeUp] = []

        def rerun(
            other: Kernel, cell: str = cell, ready: threading.Barrier = ready, found: list[TakeUp] = found
        ) -> None:
            ready.wait()
            found.append(take(other, a_run(f"{cell} in {other.process.id}", cell), 2))

        threads = [threading.Thread(target=rerun, args=(each,)) for each in kernels]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len([each for each in found if each.continued]) == 1
        assert sorted(ids([order for each in found for order in each.found[0].orders])) == sorted(orders)
        for each in kernels:
            each.die()


def test_a_second_kernel_does_not_continue_what_another_continues(
    kernel: Kernel, kernel_of: Callable[[], Kernel]
) -> None:
    made(kernel, a_run("1"))
    made(kernel, a_run("1"))
    end(kernel, a_run("1"), "interrupted")
    one, other = kernel_of(), kernel_of()
    assert len(taken(one, a_run("2"), 1)) == 1
    late = take(other, a_run("3"), 2)
    assert (late.found[0].orders, late.continued) == ((), None)


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(["well", "interrupted", "failed"])),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_happens_nothing_is_paid_twice_or_used_twice(runs: list[tuple[int, Outcome]]) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Ledger(Path(folder, "ledger.sqlite"))) as ledger:
        bought, expected, most = 0, 0, 0
        used: set[str] = set()
        for number, (count, outcome) in enumerate(runs):
            run = a_run(f"{number}")
            orders = taken(ledger, run, count)
            new = [made(ledger, run) for _ in range(count - len(orders))]
            bought += len(new)
            ledger.let_go(orders)
            ledger.end_execution(run.execution, outcome)
            most = max(most, count)
            if outcome == "well":
                assert used.isdisjoint([*orders, *new])
                used.update([*orders, *new])
                expected, most = expected + most, 0
        assert bought == expected + most


# Giving back.


def test_what_is_given_back_is_as_it_was(kernel: Kernel, kernel_of: Callable[[], Kernel]) -> None:
    orders = [sent(kernel, a_run("1")), made(kernel, a_run("1"))]
    end(kernel, a_run("1"), "interrupted")
    before = [_without_time(kernel.get(each)) for each in orders]
    [found] = take(kernel, a_run("2"), 2).found
    assert ids(found.orders) == orders
    kernel.give_back(found.orders)
    assert [_without_time(kernel.get(each)) for each in orders] == before
    assert kernel.process.held == set()
    assert taken(kernel, a_run("2"), 2) == orders, "the run may ask again"


def test_only_what_this_kernel_follows_is_given_back(kernel: Kernel, kernel_of: Callable[[], Kernel]) -> None:
    left = sent(kernel, a_run("1"))
    end(kernel, a_run("1"), "interrupted")
    [found] = take(kernel, a_run("2")).found
    end(kernel, a_run("2"), "interrupted")
    other = kernel_of()
    assert taken(other, a_run("3")) == [left]
    kernel.give_back(found.orders)
    assert other.is_followed(other.get(left))
    assert other.get(left).execution == "3"


def _without_time(record: OrderRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in COLUMNS if name != "updated_at"}


def test_an_interrupt_at_any_moment_of_a_take_up_loses_no_order(path: Path) -> None:
    ledger = Ledger(path)
    left = sent(ledger, a_run("first"))
    ledger.let_go([left])
    ledger.end_execution("first", "interrupted")
    numbers = iter(range(10_000))

    def rerun() -> None:
        run = a_run(f"{next(numbers)}")
        try:
            take(ledger, run)
        finally:
            ledger.end_execution(run.execution, "interrupted")
            ledger.let_go([left])

    moments = 0
    for _ in interrupted_at_each_moment(rerun):
        assert ends_on_another_thread(lambda: ledger.get(left))
        moments += 1
    assert moments > 100
    ledger.let_go([left])
    assert taken(ledger, a_run("last")) == [left]
    ledger.close()


# The end of a run.


def test_at_its_end_a_run_hears_what_it_did_not_ask_for(kernel: Kernel) -> None:
    asked, done, going, lost = (
        made(kernel, a_run("1"), fingerprint="f1"),
        made(kernel, a_run("1"), fingerprint="f2"),
        under_way(kernel, a_run("1"), fingerprint="f3"),
        sent(kernel, a_run("1"), fingerprint="f4"),
    )
    kernel.record_refusal(sent(kernel, a_run("1"), fingerprint="f5"), "no")
    kernel.record_unknown(lost, "why")
    end(kernel, a_run("1"), "interrupted")
    assert taken(kernel, a_run("2")) == [asked]
    assert ids(kernel.left_over()) == []
    assert ids(kernel.end_execution("2", "well")) == [done, going]
    assert ids(kernel.left_over()) == [done], "what is under way is unfinished anyway"
    kernel.record_shown([done])
    assert kernel.left_over() == []
    assert kernel.end_execution("2", "well") == [kernel.get(going)]


def test_what_is_followed_is_not_left_over(kernel: Kernel, kernel_of: Callable[[], Kernel]) -> None:
    left = under_way(kernel, a_run("1"), fingerprint="f2")
    end(kernel, a_run("1"), "interrupted")
    take(kernel, a_run("2"))
    other = kernel_of()
    assert ids(other.claim([other.get(left)])) == [left]
    assert kernel.end_execution("2", "well") == []


def test_a_run_that_continues_none_leaves_nothing_over(kernel: Kernel) -> None:
    made(kernel, a_run("1"))
    assert kernel.end_execution("1", "well") == []
    take(kernel, a_run("2"))
    assert kernel.end_execution("2", "well") == []
    assert kernel.left_over() == []


def test_left_over_runs_through_the_whole_chain(kernel: Kernel) -> None:
    first = made(kernel, a_run("1"), fingerprint="f1")
    end(kernel, a_run("1"), "interrupted")
    take(kernel, a_run("2"), fingerprint="f2")
    second = made(kernel, a_run("2"), fingerprint="f2")
    end(kernel, a_run("2"), "failed")
    take(kernel, a_run("3"), fingerprint="f3")
    assert ids(kernel.end_execution("3", "well")) == [first, second]
    assert ids(kernel.left_over()) == [first, second]


# `again`.


def test_again_starts_from_the_last_order_whichever_run_asked_for_it(kernel: Kernel) -> None:
    assert kernel.last() is None
    first = made(kernel, a_run("1"))
    assert ids([kernel.last()]) == [first]
    assert ids([kernel.last(execution="2")]) == [first]
    script = made(kernel)
    assert ids([kernel.last()]) == [script]
    assert ids([kernel.last(execution="2")]) == [script]
    last = made(kernel, a_run("3", source="d"))
    assert ids([kernel.last()]) == [last]
    made(kernel, mode="sandbox")
    sent(kernel, target="describe")
    quoted(kernel)
    assert ids([kernel.last(mode="live")]) == [last]


def test_in_a_continuation_again_starts_from_this_runs_last_order_else_from_before_the_chain(
    kernel: Kernel,
) -> None:
    before = made(kernel, a_run("0", source="d"))
    made(kernel, a_run("1"), fingerprint="f1")
    made(kernel, a_run("1"), fingerprint="f2")
    end(kernel, a_run("1"), "interrupted")
    take(kernel, a_run("2"), fingerprint="f9")
    assert ids([kernel.last(execution="2")]) == [before]
    [one] = taken(kernel, a_run("2"), fingerprint="f1")
    assert ids([kernel.last(execution="2")]) == [one]
    new = sent(kernel, a_run("2"), fingerprint="f3")
    assert ids([kernel.last(execution="2")]) == [new]
    [other] = taken(kernel, a_run("2"), fingerprint="f2")
    assert ids([kernel.last(execution="2")]) == [other], "the last that it asked for, and not the last paid"


def test_a_run_is_written_with_its_first_order(kernel: Kernel) -> None:
    order = queued(kernel, a_run("1"))
    kernel.reserve(a_reservation(run=a_run("1")))
    rows = kernel._db.connection.execute("SELECT execution, kernel, outcome FROM executions").fetchall()
    assert [tuple(each) for each in rows] == [("1", kernel.process.id, None)]
    assert kernel.get(order).execution == "1"
