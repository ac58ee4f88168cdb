"""The server's time, from its `Date` headers and this machine's clocks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zooop_nb.contract.clock import ServerClock, since_boot

NOON = datetime(2044, 11, 6, 12, tzinfo=UTC)


class Machine:
    """A machine whose clocks a test moves; its wall clock is not the server's."""

    def __init__(self) -> None:
        self.wall = NOON.timestamp() - 5_000_000
        self.boot = 77.0
        self.clock = ServerClock(wall=lambda: self.wall, boot=lambda: self.boot)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.boot += seconds

    def off(self, true: datetime) -> float:
        return (self.clock.now() - true).total_seconds()


def test_until_the_server_is_heard_the_time_is_this_machines() -> None:
    machine = Machine()
    assert not machine.clock.heard
    assert machine.clock.now() == datetime.fromtimestamp(machine.wall, UTC)
    assert abs((ServerClock().now() - datetime.now(UTC)).total_seconds()) < 60
    assert since_boot() <= since_boot()


def test_once_it_is_heard_the_time_is_the_servers_and_goes_on() -> None:
    machine = Machine()
    machine.clock.hear(NOON.astimezone(timezone(timedelta(hours=8))))
    assert machine.clock.heard
    assert machine.clock.now().tzinfo is UTC
    assert abs(machine.off(NOON)) <= 0.5
    machine.passes(3600)
    assert abs(machine.off(NOON + timedelta(hours=1))) <= 0.5


@pytest.mark.parametrize("clock", ["wall", "boot"])
def test_where_the_clocks_disagree_more_time_has_passed(clock: str) -> None:
    machine = Machine()
    machine.clock.hear(NOON)
    machine.passes(10)
    setattr(machine, clock, getattr(machine, clock) + 90_000)
    assert machine.off(NOON) >= 90_010
    setattr(machine, clock, getattr(machine, clock) - 900_000)
    assert abs(machine.off(NOON) - 10) <= 0.5


def test_one_slow_response_does_not_disturb_what_a_fast_one_told() -> None:
    machine = Machine()
    machine.clock.hear(NOON, took=0.05)
    machine.passes(120)
    # Stamped when it began, heard two minutes later.
    machine.clock.hear(NOON, took=120)
    assert abs(machine.off(NOON + timedelta(seconds=120))) < 1
    machine.passes(10)
    # Stamped when it ended.
    machine.clock.hear(NOON + timedelta(seconds=130), took=120)
    assert abs(machine.off(NOON + timedelta(seconds=130))) < 1


def test_a_slow_response_is_better_than_none_and_a_fast_one_corrects_it() -> None:
    machine = Machine()
    machine.passes(60)
    machine.clock.hear(NOON, took=60)
    assert 0 <= machine.off(NOON) <= 31
    machine.clock.hear(NOON, took=0.1)
    assert abs(machine.off(NOON)) < 1


def test_a_slow_response_that_contradicts_is_believed() -> None:
    machine = Machine()
    machine.clock.hear(NOON, took=0.05)
    machine.clock.hear(NOON + timedelta(days=1), took=20)
    assert abs(machine.off(NOON + timedelta(days=1))) < 12


@given(st.lists(st.tuples(st.floats(0, 3600), st.floats(0, 120), st.floats(0, 1)), min_size=1, max_size=20))
def test_the_time_is_never_further_off_than_half_of_the_fastest_exchange(
    exchanges: list[tuple[float, float, float]],
) -> None:
    machine, true = Machine(), NOON
    for before, took, part in exchanges:
        machine.passes(before)
        true += timedelta(seconds=before)
        stamp = (true + timedelta(seconds=took * part)).replace(microsecond=0)
        machine.passes(took)
        true += timedelta(seconds=took)
        machine.clock.hear(stamp, took)
    fastest = min(took for _, took, _ in exchanges)
    # An exchange that seems to contradict may itself be off by half of what it took, but no more.
    assert abs(machine.off(true)) <= (fastest + 1) / 2 + 0.01
