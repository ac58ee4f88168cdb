"""When a request is retried."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import stamina
import stamina.instrumentation

from zooop_nb.client import responses as answers
from zooop_nb.client import retry
from zooop_nb.contract.codes import CODES, Code
from zooop_nb.errors import APIError, RateLimited, Unreachable, ZooopError

SENT_AGAIN = {429, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526}


def refused(
    status: int, code: str = "new_code", retry_after: str | None = None, page: bool = False
) -> APIError | ZooopError:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    body = b"<html>" if page else b'{"error":{"message":"no","type":"new","code":"%s"}}' % code.encode()
    return answers.refusal(status, headers, body, asked="GET /v1/me")


@pytest.mark.parametrize("page", [False, True], ids=["envelope", "page"])
@pytest.mark.parametrize("status", range(300, 600))
def test_each_status_is_sent_again_or_not_as_the_documentation_says(status: int, page: bool) -> None:
    assert retry.should_retry(refused(status, page=page)) is (status in SENT_AGAIN)


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.code)
def test_a_documented_code_is_sent_again_by_its_status_and_a_reached_cap_never(code: Code) -> None:
    for status in code.statuses:
        name = code.code
        expected = status in SENT_AGAIN and name != "token_daily_cap_reached"
        assert retry.should_retry(refused(status, name)) is expected


@pytest.mark.parametrize("page", [False, True], ids=["envelope", "page"])
@pytest.mark.parametrize("status", sorted(SENT_AGAIN))
@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("0", 0.0),
        ("1", 1.0),
        ("59.5", 59.5),
        ("60", 60.0),
        ("61", False),
        ("60.1", False),
        ("86400", False),
        ("-5", 0.0),
        ("soon", True),
        ("inf", True),
        ("nan", True),
        ("", True),
    ],
)
def test_retry_after_is_honoured_up_to_a_minute(status: int, page: bool, header: str, answer: float) -> None:
    found = retry.should_retry(refused(status, retry_after=header, page=page))
    assert found == answer
    assert isinstance(found, bool) is isinstance(answer, bool)


def test_a_reached_cap_is_not_waited_for_whatever_the_header_says() -> None:
    assert retry.should_retry(refused(429, "token_daily_cap_reached", "1")) is False


@pytest.mark.parametrize("page", [False, True], ids=["envelope", "page"])
@pytest.mark.parametrize("status", range(300, 600))
def test_a_submit_is_sent_again_on_every_5xx_too(status: int, page: bool) -> None:
    expected = status in SENT_AGAIN or status >= 500
    assert retry.should_submit_again(refused(status, page=page)) is expected
    if status >= 500:
        assert retry.should_submit_again(refused(status, retry_after="7", page=page)) == 7.0
        assert retry.should_submit_again(refused(status, retry_after="61", page=page)) is False
    assert retry.should_submit_again(Unreachable("x")) is True


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.code)
def test_a_description_is_sent_again_only_where_the_answer_says_that_it_was_refunded(code: Code) -> None:
    for status in {*code.statuses, 429, 503}:
        refunded = (status, code.code) in {(429, "upstream_rate_limited"), (503, "vision_unavailable")}
        assert retry.should_describe_again(refused(status, code.code)) is refunded


def test_no_other_failure_of_a_description_is_sent_again() -> None:
    for error in (Unreachable("x"), refused(502, page=True), refused(503), refused(429), ValueError("x")):
        assert retry.should_describe_again(error) is False


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.code)
def test_only_the_apis_own_rate_limit_is_waited_for(code: Code) -> None:
    for status in code.statuses:
        assert retry.is_rate_limit(refused(status, code.code)) is (code.code == "rate_limited")
    assert not retry.is_rate_limit(refused(429, page=True))
    assert not retry.is_rate_limit(Unreachable("x"))


def test_a_failure_without_a_status_is_sent_again_and_a_mistake_of_ours_is_not() -> None:
    assert retry.should_retry(Unreachable("x")) is True
    for error in (ValueError("x"), ZooopError("x"), KeyError("x")):
        assert retry.should_retry(error) is False


class Hasty(asyncio.SelectorEventLoop):
    """An event loop whose timers fire at once."""

    def call_later(  # type: ignore[override]  # the arguments go through as they come
        self, delay: float, *args: Any, **more: Any
    ) -> asyncio.TimerHandle:
        return super().call_later(0, *args, **more)


def tries(errors: Sequence[Exception], **more: Any) -> tuple[int, Exception | None, list[float]]:
    """Return how often a request that fails with these errors is sent, its last error, and the waits due."""
    left, waits = list(errors), []
    sent = 0

    async def send() -> str:
        nonlocal sent
        sent += 1
        if left:
            raise left.pop(0)
        return "done"

    def note(details: stamina.instrumentation.RetryDetails) -> None:
        waits.append(details.wait_for)

    hooks = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks([note])
    try:
        with asyncio.Runner(loop_factory=Hasty) as runner:
            runner.run(retry.call(send, **more))
    except Exception as error:
        return sent, error, waits
    finally:
        stamina.instrumentation.set_on_retry_hooks(hooks)
    return sent, None, waits


@pytest.fixture
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.mark.usefixtures("no_waits")
def test_there_are_three_attempts_and_the_last_failure_is_raised_as_it_is() -> None:
    failures = [Unreachable(str(number)) for number in range(5)]
    sent, error, _ = tries(failures)
    assert (sent, error) == (3, failures[2])
    assert tries(failures[:2])[:2] == (3, None)
    assert tries([])[:2] == (1, None)


@pytest.mark.usefixtures("no_waits")
def test_what_its_rule_refuses_is_sent_once_only() -> None:
    assert tries([Unreachable("x")], rule=retry.should_describe_again)[0] == 1


@pytest.mark.usefixtures("no_waits")
def test_a_rate_limit_that_is_waited_for_counts_as_no_attempt_and_forgets_no_lost_answer() -> None:
    slow = [refused(429, "rate_limited") for _ in range(20)]
    assert tries(slow, waits=retry.is_rate_limit)[:2] == (21, None)
    lost, end = Unreachable("x", maybe_arrived=True), refused(400)
    sent, error, _ = tries([lost, *slow, end], waits=retry.is_rate_limit)
    assert (sent, error) == (22, end)
    assert end.maybe_arrived


@pytest.mark.usefixtures("no_waits")
def test_an_attempt_that_must_not_be_made_raises_the_failure_before_it() -> None:
    late, lost = retry.NotSent("late"), Unreachable("x", maybe_arrived=True)
    for before in ([lost], [lost, refused(503)], [refused(429, "rate_limited")]):
        sent, error, _ = tries([*before, late, late], waits=retry.is_rate_limit)
        assert (sent, error) == (len(before) + 1, before[-1])
        assert error is not None
        assert error.maybe_arrived is (lost in before)  # type: ignore[attr-defined]
    sent, error, _ = tries([late, late])
    assert (sent, error) == (1, late)
    assert not late.maybe_arrived


@pytest.mark.usefixtures("no_waits")
def test_an_error_in_between_that_is_not_transient_ends_it() -> None:
    refusal = refused(400)
    sent, error, _ = tries([Unreachable("x"), refusal, Unreachable("y")])
    assert (sent, error) == (2, refusal)


def test_the_waits_are_one_and_three_seconds_and_what_retry_after_says() -> None:
    assert tries([Unreachable("x")] * 3)[2] == [1.0, 3.0]
    slow = refused(429, "rate_limited", "42")
    assert isinstance(slow, RateLimited)
    assert tries([slow] * 3)[2] == [42.0, 42.0]
    assert tries([refused(429, "rate_limited", "0"), Unreachable("x")])[2] == [0.0, 3.0]
    assert tries([refused(502, retry_after="7", page=True), Unreachable("x")])[2] == [7.0, 3.0]


def test_a_retry_prints_nothing_into_a_cell() -> None:
    program = (
        "import asyncio, stamina\n"
        "from zooop_nb.client import retry\n"
        "from zooop_nb.errors import Unreachable\n"
        "async def fail(): raise Unreachable('x')\n"
        "stamina.set_testing(True, attempts=3, cap=True)\n"
        "try: asyncio.run(retry.call(fail))\n"
        "except Unreachable: print('raised')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("raised\n", "")
