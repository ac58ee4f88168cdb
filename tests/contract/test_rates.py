"""The documented rate limits: kept before the server must say 429, and waited for where it says so."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import CHEAP, MAIN, OTHER, intent, picture_of
from tests.support.sandbox_harness import SandboxHarness
from tests.support.virtual_time import VirtualTime
from zooop_nb import errors
from zooop_nb.client import LiveBackend, throttle
from zooop_nb.contract.backend import Intent, OnWait
from zooop_nb.contract.shapes import Submitted
from zooop_nb.settings import Settings

Timed = Callable[..., Any]


def limited(retry_after: float | None = None) -> dict[str, Any]:
    told = {} if retry_after is None else {"retryAfter": retry_after}
    return {"status": 429, "code": "rate_limited", **told}


@pytest.fixture
def clock(books: SandboxHarness) -> VirtualTime:
    return VirtualTime(books)


@pytest.fixture
def timed(clock: VirtualTime, settings_of: Callable[..., Settings]) -> Timed:
    """`timed(call, *tokens)`: run `call(*backends)` on one loop, in virtual time."""

    def run(call: Callable[..., Coroutine[Any, Any, Any]], *tokens: str) -> Any:
        async def whole() -> Any:
            backends = [clock.backend(settings_of(token)) for token in tokens or (MAIN,)]
            try:
                return await call(*backends)
            finally:
                for each in backends:
                    await each.aclose()

        return asyncio.run(whole())

    return run


async def a_body(api: LiveBackend) -> bytes:
    model = next(each for each in await api.models("image", "default") if each.name == CHEAP)
    order = {"interfaceId": model.id, "versionId": "standard", "params": {"prompt": "a red panda"}}
    return json.dumps(order).encode()


async def submit(api: LiveBackend, order: Intent, on_wait: OnWait | None = None) -> Submitted:
    """Submit once the rate limit allows it, and again where a refusal by it says that it was not taken."""
    while True:
        await api.submit_allowed(on_wait)
        try:
            return await api.submit(order)
        except errors.RateLimited as error:
            assert not error.maybe_arrived
            if error.code != "rate_limited":
                raise


def test_130_submits_and_200_quotes_at_once_succeed_without_a_429_and_close_to_the_bound(
    clock: VirtualTime, timed: Timed, books: SandboxHarness
) -> None:
    waits: list[float] = []

    async def all_of_them(api: LiveBackend) -> float:
        body = await a_body(api)
        began = clock.now()
        submits = [submit(api, intent(body, f"k{number}")) for number in range(130)]
        quotes = [api.quote(intent(body), waits.append) for _ in range(200)]
        await asyncio.gather(*submits, *quotes)
        return clock.now() - began

    took = timed(all_of_them)
    assert books.spent() == 130
    assert len({each["idempotencyKey"] for each in books.tasks}) == 130
    assert books.books()["rateLimited"] == 0
    # At 60 a minute the last 10 go after two minutes; whatever is more, the requests themselves took.
    print(f"{took:.1f} s, of which {clock.slept:.1f} s were slept")
    assert 120 <= took < 1.05 * 120 + (took - clock.slept)
    # Who waits hears at once how long it may be, and then once a second at most: 80 quotes for one minute.
    assert 50 < max(waits) < 70
    assert min(waits) >= 0
    assert 80 * 10 < len(waits) <= 1.05 * 80 * 60


def test_orders_that_are_sent_one_by_one_are_told_how_long_it_takes_and_nothing_is_sent_meanwhile(
    clock: VirtualTime, timed: Timed, books: SandboxHarness
) -> None:
    waits: list[tuple[int, float]] = []

    async def one_by_one(api: LiveBackend) -> None:
        body = await a_body(api)
        for number in range(150):
            await api.submit_allowed(lambda left: waits.append((books.spent(), left)))
            await api.submit(intent(body, f"k{number}"))

    timed(one_by_one)
    assert books.spent() == 150
    assert books.books()["rateLimited"] == 0
    assert min(sent for sent, _ in waits) == 60
    # The first that waits hears of a minute, less what the requests themselves took.
    assert 60 - (clock.passed - clock.slept) < max(left for _, left in waits) <= 60
    assert min(left for _, left in waits) >= 0
    assert 60 < len(waits) <= 120 + 90


def test_waiting_requests_go_in_the_order_in_which_they_came(timed: Timed, books: SandboxHarness) -> None:
    async def many(api: LiveBackend) -> None:
        body = await a_body(api)
        await asyncio.gather(*(submit(api, intent(body, f"{number:03}")) for number in range(150)))

    timed(many)
    keys = [each["idempotencyKey"] for each in books.tasks]
    # Those that go at once share the wire, and arrive as they may.
    assert [sorted(keys[start : start + 60]) for start in (0, 60, 120)] == [
        [f"{number:03}" for number in range(start, min(start + 60, 150))] for start in (0, 60, 120)
    ]


def test_backends_of_one_token_share_its_windows_and_other_tokens_have_their_own(
    clock: VirtualTime, timed: Timed, books: SandboxHarness
) -> None:
    async def at_once(*backends: LiveBackend) -> float:
        body, began = await a_body(backends[0]), clock.now()
        await asyncio.gather(*(api.quote(intent(body)) for api in backends for _ in range(100)))
        return clock.now() - began

    assert timed(at_once, MAIN, OTHER) < 60
    throttle.forget()
    books.reset()
    assert timed(at_once, MAIN, MAIN) >= 60
    assert books.books()["rateLimited"] == 0
    # The windows outlive the loop and the backends that they were used on: 80 of the last minute are theirs.
    assert timed(at_once, MAIN) > 50
    assert books.books()["rateLimited"] == 0


@pytest.mark.parametrize("retry_after", [1, 90, 900, None, 0, -5, 1e18], ids=str)
def test_a_rate_limit_is_waited_for_whatever_it_says_and_is_no_attempt(
    clock: VirtualTime, timed: Timed, books: SandboxHarness, retry_after: float | None
) -> None:
    books.faults({"path": "/v1/tasks", "do": limited(retry_after), "times": 5})

    async def one(api: LiveBackend) -> Any:
        return await submit(api, intent(await a_body(api), "k"))

    assert not timed(one).idempotent
    assert books.pending_faults == 0
    assert books.spent() == 1
    # One under a second is no answer, and one of a million years is none either: the usual growing pauses.
    believed = retry_after is not None and 1 <= retry_after < 1e6
    assert clock.was(retry_after * 5 if believed and retry_after else 1 + 3 + 9 + 27 + 60)


def test_an_order_that_waited_until_its_key_may_be_forgotten_is_not_sent_and_costs_no_place(
    clock: VirtualTime, timed: Timed, books: SandboxHarness
) -> None:
    async def many(api: LiveBackend) -> Any:
        body = await a_body(api)
        await asyncio.gather(*(api.submit(intent(body, f"k{number}")) for number in range(60)))
        soon = api.clock.now() + timedelta(seconds=30)
        late = [api.submit(intent(body, f"late{number}", send_before=soon)) for number in range(60)]
        found = await asyncio.gather(
            *late,
            *(api.submit(intent(body, f"k{number}")) for number in range(60, 120)),
            return_exceptions=True,
        )
        return found[:60]

    for error in timed(many):
        assert isinstance(error, errors.ZooopError)
        assert "was not sent" in str(error)
        assert not error.maybe_arrived
    assert [each["idempotencyKey"][0] for each in books.tasks] == ["k"] * 120
    assert clock.slept < 61


def test_a_rate_limit_is_raised_so_that_the_order_can_still_be_withdrawn(
    clock: VirtualTime, timed: Timed, books: SandboxHarness
) -> None:
    books.faults({"path": "/v1/tasks", "do": limited(90), "times": 2})

    async def one(api: LiveBackend) -> None:
        with pytest.raises(errors.RateLimited) as caught:
            await api.submit(intent(await a_body(api), "k"))
        assert not caught.value.maybe_arrived

    timed(one)
    assert (books.pending_faults, books.spent(), clock.slept) == (1, 0, 0)


@pytest.mark.parametrize("lost", ["drop_before", "drop_after"])
def test_after_a_lost_response_a_rate_limit_says_nothing_of_the_order_and_is_waited_for(
    clock: VirtualTime, timed: Timed, books: SandboxHarness, lost: str
) -> None:
    books.faults(
        {"path": "/v1/tasks", "do": lost, "times": 1}, {"path": "/v1/tasks", "do": limited(90), "times": 3}
    )

    async def one(api: LiveBackend) -> Any:
        return await api.submit(intent(await a_body(api), "k"))

    assert timed(one).idempotent is (lost == "drop_after")
    assert (books.pending_faults, books.spent()) == (0, 1)
    assert clock.was(3 * 90)


OPERATIONS: dict[str, tuple[str, Callable[[LiveBackend, Path, OnWait], Any]]] = {
    "me": ("/v1/me", lambda api, _, on_wait: api.me(on_wait)),
    "tools": ("/v1/ai-tools", lambda api, _, on_wait: api.tools("image", on_wait)),
    "tool": ("/v1/ai-tools/*", lambda api, _, on_wait: api.tool("background-removal", on_wait)),
    "templates": ("/v1/templates", lambda api, _, on_wait: api.templates(None, on_wait)),
    "template": ("/v1/templates/*", lambda api, _, on_wait: api.template("superhero-movie-poster", on_wait)),
    "upload": ("/v1/uploads", lambda api, file, on_wait: api.upload(file, "image/png", on_wait)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_limited_request_waits_and_tells_how_long(
    clock: VirtualTime, timed: Timed, books: SandboxHarness, picture: Path, name: str
) -> None:
    path, call = OPERATIONS[name]
    waits: list[float] = []
    books.faults({"path": path, "do": limited(100), "times": 4})
    assert timed(lambda api: call(api, picture, waits.append))
    assert clock.was(400)
    assert 90 < max(waits) <= 100
    assert 40 < len(waits) <= 404


def test_what_on_wait_raises_ends_the_wait_and_nobody_loses_a_place(
    clock: VirtualTime, timed: Timed, books: SandboxHarness
) -> None:
    def impatient(seconds: float) -> None:
        raise errors.ZooopError(f"in {seconds:.0f} s")

    async def impatiently(api: LiveBackend) -> Any:
        books.faults({"path": "/v1/me", "do": limited(50)})
        with pytest.raises(errors.ZooopError, match="in 50 s"):
            await api.me(impatient)
        return await api.me()

    assert timed(impatiently).balance == 1000
    assert clock.was(50)


@pytest.mark.parametrize("status", ["token_daily_cap_reached", "a_new_limit"])
def test_no_other_429_is_waited_for_longer_than_a_minute(
    clock: VirtualTime, timed: Timed, books: SandboxHarness, status: str
) -> None:
    books.faults({"path": "/v1/tasks", "do": {"status": 429, "code": status, "retryAfter": 61}, "times": 3})

    async def one(api: LiveBackend) -> Any:
        return await submit(api, intent(await a_body(api), "k"))

    with pytest.raises(errors.RateLimited) as caught:
        timed(one)
    assert caught.value.code == status
    assert (books.pending_faults, clock.slept) == (2, 0)


@pytest.mark.parametrize(
    ("do", "sent"),
    [
        (limited(30), 9),
        ({"status": 429, "code": "upstream_rate_limited"}, 3),
        ({"status": 503, "code": "vision_unavailable", "retryAfter": 1}, 3),
        ({"status": 429, "code": "a_new_limit", "retryAfter": 1}, 1),
        ({"status": 429}, 1),
        ({"status": 503}, 1),
        ({"status": 503, "code": "no_provider"}, 1),
        ({"status": 502}, 1),
        ({"status": 500, "code": "oops"}, 1),
        ("drop_before", 1),
        ("drop_after", 1),
        ("garbage", 1),
    ],
    ids=str,
)
def test_a_description_is_sent_again_only_where_nothing_was_charged_or_it_was_refunded(
    timed: Timed, books: SandboxHarness, picture: Path, do: object, sent: int
) -> None:
    async def describe(api: LiveBackend) -> Any:
        url = await api.upload(picture, "image/png")
        books.faults({"path": "/v1/describe-image", "do": do, "times": 9})
        return await api.describe(picture_of(url))

    if sent == 9:
        assert timed(describe).credits == 1
    else:
        with pytest.raises(errors.ZooopError):
            timed(describe)
    assert books.pending_faults == 9 - sent


def test_a_place_is_given_back_where_nothing_left_and_kept_where_it_may_have(
    clock: VirtualTime, settings_of: Callable[..., Settings], books: SandboxHarness
) -> None:
    async def nobody() -> None:
        api = clock.backend(settings_of(host="http://127.0.0.1:9"))
        for _ in range(30):
            with pytest.raises(errors.Unreachable):
                await api.describe(picture_of("u"))
        await api.aclose()

    asyncio.run(nobody())
    assert clock.slept == 0

    async def lost() -> None:
        api = clock.backend(settings_of())
        books.faults({"path": "/v1/describe-image", "do": "drop_before", "times": None})
        for _ in range(11):
            with pytest.raises(errors.Unreachable):
                await api.describe(picture_of("u"))
        await api.aclose()

    asyncio.run(lost())
    assert clock.was(60)


def test_the_rates_that_the_account_tells_are_kept(clock: VirtualTime, settings_of: Any) -> None:
    world = {"tokens": [{"token": MAIN, "balance": 1000}], "limits": {"tasks": 5}}
    with SandboxHarness(speed=0, world=world) as slow:
        time = VirtualTime(slow)

        async def many() -> None:
            api = time.backend(settings_of(host=slow.url))
            body = await a_body(api)
            await api.me()
            await asyncio.gather(*(submit(api, intent(body, f"k{number}")) for number in range(12)))
            await api.aclose()

        asyncio.run(many())
        assert slow.spent() == 12
        assert slow.books()["rateLimited"] == 0
        assert time.was(120)


def test_processes_that_do_not_know_of_each_other_cope_by_what_the_server_says(
    clock: VirtualTime, timed: Timed, books: SandboxHarness
) -> None:
    async def two(mine: LiveBackend, other: LiveBackend) -> None:
        # Another clock is another window, as another process would have.
        other._monotonic = lambda: clock.now()
        body = await a_body(mine)
        await asyncio.gather(
            *(
                submit(api, intent(body, f"{api is mine}{number}"))
                for api in (mine, other)
                for number in range(90)
            )
        )

    timed(two, MAIN, MAIN)
    assert books.spent() == 180
    refused = books.books()["rateLimited"]
    print(f"{refused} refusals, {clock.slept:.0f} s")
    assert refused < 180
    assert clock.slept < 1.5 * 120
