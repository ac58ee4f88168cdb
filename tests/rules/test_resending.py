"""Which orders can be followed, and which may be sent again under their key."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.orders import HOST, TOKEN, an_order
from zooop_nb.contract.backend import Backend
from zooop_nb.tasks import resending

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
HOUR = 3600.0


class Clock:
    """The server's clock, standing still."""

    def now(self) -> datetime:
        return NOW


@dataclass
class Here:
    """The part of a backend that the rules look at."""

    token: str = TOKEN
    host: str = HOST
    mode: str = "live"
    clock: Clock = field(default_factory=Clock)


def here(**other: Any) -> Backend:
    return cast("Backend", Here(**other))


def aged(seconds: float, **known: Any) -> Any:
    return an_order(sent_at=resending.stamp(NOW - timedelta(seconds=seconds)), **known)


@pytest.mark.parametrize(
    ("seconds", "may"),
    [
        (0, True),
        (5, True),
        (22.99 * HOUR, True),
        (23 * HOUR - 1, True),
        (23 * HOUR, False),
        (24 * HOUR, False),
        (9999 * HOUR, False),
        (-59, True),
        (-61, False),
        (-30 * HOUR, False),
    ],
)
def test_an_order_is_sent_again_within_23_hours_and_never_at_an_impossible_age(
    seconds: float, may: bool
) -> None:
    assert resending.may_resend(aged(seconds), here()) is may


def test_what_was_never_sent_is_not_sent_again() -> None:
    assert not resending.may_resend(an_order(), here())
    assert resending.age(an_order(), NOW) is None


@pytest.mark.parametrize(
    "other", [{"token": "another"}, {"host": "http://127.0.0.1:1"}, {"mode": "sandbox"}], ids=str
)
def test_another_token_host_or_mode_neither_follows_nor_sends_again(other: dict[str, str]) -> None:
    order = aged(60)
    assert resending.may_follow(order, here())
    assert not resending.may_follow(order, here(**other))
    assert not resending.may_resend(order, here(**other))


def test_a_description_is_never_sent_again() -> None:
    assert not resending.may_resend(aged(1, target="describe"), here())


def test_a_known_task_is_followed_however_old() -> None:
    assert resending.may_follow(aged(9999 * HOUR), here())


def test_the_age_is_the_time_since_the_first_sending() -> None:
    assert resending.age(aged(90), NOW) == 90
    assert resending.age(aged(-30), NOW) == 0, "clocks that agree differ by as much"
    assert resending.age(aged(-61), NOW) is None


def test_the_latest_time_to_send_is_23_hours_after_the_first_sending() -> None:
    assert resending.send_before(aged(HOUR), here()) == NOW + timedelta(hours=22)
    assert resending.send_before(an_order(), here()) == NOW + timedelta(hours=23)


@given(st.floats(-50 * HOUR, 50 * HOUR))
def test_what_may_be_sent_again_is_sent_before_the_server_forgets_its_key(seconds: float) -> None:
    order = aged(seconds)
    if resending.may_resend(order, here()):
        assert NOW < resending.send_before(order, here()) < NOW + timedelta(hours=23, minutes=2)
        sent_at = datetime.fromisoformat(order.sent_at)
        assert resending.send_before(order, here()) <= sent_at + timedelta(hours=23)


def test_a_time_is_written_in_utc_with_microseconds() -> None:
    there = datetime(2026, 11, 28, 14, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert resending.stamp(there) == "2026-11-28T12:00:00.000005Z"
