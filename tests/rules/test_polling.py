"""How long to wait between two polls."""

from hypothesis import given
from hypothesis import strategies as st

from zooop_nb.tasks.polling import FIRST, LONGEST, SHORTEST, USUAL, poll_interval

SECONDS = st.floats(0, 7200)


@given(SECONDS, st.none() | st.floats(-10, 7200))
def test_a_wait_is_half_of_what_has_elapsed_at_most_and_never_over_ten_seconds(
    gone: float, eta: float | None
) -> None:
    wait = poll_interval(gone, eta)
    assert min(max(gone / 2, FIRST), SHORTEST) <= wait <= (USUAL if gone < 600 else LONGEST)
    assert wait <= max(gone / 2, FIRST)


@given(st.floats(0, 590), st.floats(0.5, 600))
def test_the_end_is_met_within_three_seconds_of_the_eta(end: float, eta: float) -> None:
    gone, polls = 0.0, 0
    while gone < end:
        gone += poll_interval(gone, eta)
        polls += 1
    assert gone - end <= USUAL
    assert polls <= 250


def test_a_slow_task_costs_fewer_calls_than_the_official_scripts() -> None:
    for eta in (None, 60.0, 300.0):
        gone, polls = 0.0, 0
        while gone < 1200:
            gone += poll_interval(gone, eta)
            polls += 1
        assert polls < 400


def test_a_quick_task_is_seen_quickly() -> None:
    assert poll_interval(0, None) == poll_interval(0, 300) == FIRST
    assert poll_interval(0.06, 300) == 0.03
    assert poll_interval(0.2, None) == SHORTEST
    assert poll_interval(2, 300) == 1
    assert poll_interval(1, None) == 0.2
    assert poll_interval(17.5, 18) == 0.25
    assert poll_interval(18, 18) == USUAL
    assert poll_interval(1200, None) == LONGEST
