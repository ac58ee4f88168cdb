"""One window: who may go when, and what a cancelled wait, another loop or a forked process leaves behind."""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zooop_nb.client import throttle
from zooop_nb.client.throttle import Window
from zooop_nb.contract.limits import RATES, TOLD_RATES


class Time:
    """A clock that a test moves, with the waits that stand on it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleeping: list[tuple[float, asyncio.Event]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleeping.append((self.now + seconds, woken))
        await woken.wait()

    @property
    def sleeping(self) -> int:
        return sum(not woken.is_set() for _, woken in self._sleeping)

    async def move(self, seconds: float, step: float = 1.0) -> None:
        for _ in range(round(seconds / step)):
            self.now += step
            for due, woken in self._sleeping:
                if due <= self.now:
                    woken.set()
            await settle()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Requests:
    """Requests to one window, each in flight until it is answered."""

    def __init__(self, window: Window, time: Time) -> None:
        self.window = window
        self.sent: list[Any] = []
        self._time = time
        self._answers: dict[Any, asyncio.Event] = {}

    def send(self, name: Any, on_wait: Callable[[float], None] | None = None, **more: Any) -> Any:
        self._answers[name] = asyncio.Event()
        return asyncio.create_task(self._one(name, on_wait, more))

    def answer(self, *names: Any) -> None:
        for name in names:
            self._answers[name].set()

    async def _one(self, name: Any, on_wait: Any, more: Any) -> None:
        unused = more.pop("unused", False)
        async with self.window.place(self._time.sleep, on_wait, **more) as place:
            self.sent.append(name)
            await self._answers[name].wait()
            if unused:
                place.give_back()


def play(limit: int | None, story: Callable[[Requests, Time], Any]) -> None:
    async def whole() -> None:
        time = Time()
        requests = Requests(Window(limit, time), time)
        await story(requests, time)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run(whole())


def test_a_place_is_free_a_minute_after_its_response_and_not_before() -> None:
    async def story(requests: Requests, time: Time) -> None:
        for name in range(3):
            requests.send(name)
        await settle()
        assert requests.sent == [0, 1]
        await time.move(500)
        assert requests.sent == [0, 1]
        requests.answer(0, 1)
        await settle()
        await time.move(59)
        assert requests.sent == [0, 1]
        await time.move(1)
        assert requests.sent == [0, 1, 2]

    play(2, story)


def test_those_that_wait_go_in_their_order_and_only_the_first_watches_the_clock() -> None:
    async def story(requests: Requests, time: Time) -> None:
        for name in range(9):
            requests.send(name)
            await settle()
        requests.answer(*range(9))
        await settle()
        assert time.sleeping == 1
        await time.move(60)
        assert requests.sent == [0, 1, 2, 3]
        await time.move(180)
        assert requests.sent == list(range(9))

    play(2, story)


@pytest.mark.parametrize("gone", [2, 3])
def test_a_cancelled_wait_holds_up_nobody_and_costs_no_place(gone: int) -> None:
    async def story(requests: Requests, time: Time) -> None:
        tasks = [requests.send(name) for name in range(6)]
        requests.answer(*range(6))
        await settle()
        tasks[gone].cancel()
        await settle()
        await time.move(60)
        left = [name for name in range(2, 6) if name != gone]
        assert requests.sent == [0, 1, *left[:2]]
        await time.move(60)
        assert requests.sent == [0, 1, *left]

    play(2, story)


def test_a_request_that_is_cancelled_in_flight_may_have_arrived_and_counts() -> None:
    async def story(requests: Requests, time: Time) -> None:
        first = requests.send(0)
        requests.send(1)
        await settle()
        first.cancel()
        await settle()
        assert requests.sent == [0]
        await time.move(60)
        assert requests.sent == [0, 1]

    play(1, story)


def test_a_request_that_never_left_gives_its_place_to_the_next() -> None:
    async def story(requests: Requests, time: Time) -> None:
        requests.send(0, unused=True)
        requests.send(1)
        await settle()
        requests.answer(0)
        await settle()
        assert requests.sent == [0, 1]

    play(1, story)


def test_a_429_shuts_the_window_and_one_request_tries_alone_the_refused_one_first() -> None:
    async def story(requests: Requests, time: Time) -> None:
        requests.send("refused")
        await settle()
        requests.window.shut(90)
        requests.answer("refused")
        requests.send("a")
        requests.send("b")
        await settle()
        requests.send("refused again", ahead=True)
        await settle()
        await time.move(89)
        assert requests.sent == ["refused"]
        await time.move(1)
        assert requests.sent == ["refused", "refused again"]
        requests.window.admitted()
        requests.answer("refused again")
        await settle()
        assert requests.sent == ["refused", "refused again", "a", "b"]

    play(60, story)


@pytest.mark.parametrize("limit", [None, 60])
def test_pauses_without_a_time_grow_to_a_minute_and_start_again_after_a_success(limit: int | None) -> None:
    async def story(requests: Requests, time: Time) -> None:
        for number, expected in enumerate((1, 3, 9, 27, 60, 60)):
            requests.window.shut(None)
            requests.send(number)
            await settle()
            await time.move(expected - 1)
            assert number not in requests.sent
            await time.move(1)
            assert number in requests.sent
            requests.answer(number)
            await settle()
        for _ in range(2000):
            requests.window.shut(0)
        requests.window.admitted()
        await time.move(60)
        requests.window.shut(None)
        requests.send("x")
        await time.move(1)
        assert "x" in requests.sent

    play(limit, story)


def test_who_waits_is_told_at_once_and_then_once_a_second_how_long() -> None:
    async def story(requests: Requests, time: Time) -> None:
        told: dict[str, list[float]] = {"third": [], "fifth": []}
        for name in (1, 2):
            requests.send(name)
        requests.answer(1, 2)
        await settle()
        requests.send("third", told["third"].append)
        requests.send(4)
        requests.send("fifth", told["fifth"].append)
        requests.answer("third", 4, "fifth")
        await settle()
        await time.move(200, 0.25)
        assert requests.sent == [1, 2, "third", 4, "fifth"]
        assert told["third"] == [60.0 - each for each in range(60)]
        assert told["fifth"] == [120.0 - each for each in range(120)]

    play(2, story)


def test_a_new_limit_holds_from_now_on() -> None:
    async def story(requests: Requests, time: Time) -> None:
        for name in range(6):
            requests.send(name)
        await settle()
        requests.window.set_limit(4)
        await settle()
        assert requests.sent == [0, 1, 2, 3]
        requests.window.set_limit(1)
        for name in range(4):
            requests.answer(name)
            await settle()
            await time.move(10)
        told: list[float] = []
        requests.send("last", told.append)
        requests.answer(4, 5, "last")
        await settle()
        # Answered 40, 30, 20 and 10 seconds ago; with one place the last of them decides, and two are ahead.
        assert told == [50 + 2 * 60]
        await time.move(49)
        assert requests.sent == [0, 1, 2, 3]
        await time.move(1)
        assert requests.sent == [0, 1, 2, 3, 4]
        await time.move(60)
        assert requests.sent == [0, 1, 2, 3, 4, 5]
        await time.move(60)
        assert requests.sent == [0, 1, 2, 3, 4, 5, "last"]

    play(2, story)


def test_a_window_serves_one_loop_after_another_also_after_one_that_was_abandoned() -> None:
    time = Time()
    window = Window(1, time)

    async def once() -> None:
        async with window.place(time.sleep):
            pass

    asyncio.run(once())
    abandoned = asyncio.new_event_loop()

    async def held() -> None:
        async with window.place(time.sleep):
            await asyncio.Event().wait()

    tasks = [abandoned.create_task(held()) for _ in range(2)]
    time.now += 60
    abandoned.run_until_complete(settle())
    abandoned.close()

    async def next_one() -> None:
        task = asyncio.create_task(once())
        await settle()
        await time.move(60)
        await asyncio.wait_for(task, 5)

    asyncio.run(next_one())
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30), st.booleans()), min_size=1, max_size=25),
)
def test_a_server_never_sees_more_than_the_limit_in_its_window(
    limit: int, requests: list[tuple[int, int, bool]]
) -> None:
    stamps: list[float] = []

    async def story() -> None:
        time = Time()
        window = Window(limit, time)

        async def one(takes: int, late: bool) -> None:
            async with window.place(time.sleep):
                if not late:
                    stamps.append(time.now)
                if takes:
                    await time.sleep(takes)
                if late:
                    stamps.append(time.now)

        tasks = []
        for after, takes, late in requests:
            await time.move(after, 5.0)
            tasks.append(asyncio.create_task(one(takes, late)))
        while not all(task.done() for task in tasks):
            await time.move(5, 5.0)

    asyncio.run(story())
    assert len(stamps) == len(requests)
    stamps.sort()
    for first, later in zip(stamps, stamps[limit:], strict=False):
        assert later - first >= 60


# The windows of a process.


@pytest.fixture(autouse=True)
def fresh() -> None:
    throttle.forget()


def test_windows_are_shared_by_host_token_endpoint_and_clock() -> None:
    time, other = Time(), Time()
    window = throttle.window("h", "t", "POST /v1/tasks", time)
    assert window is throttle.window("h", "t", "POST /v1/tasks", time)
    assert window is not throttle.window("h2", "t", "POST /v1/tasks", time)
    assert window is not throttle.window("h", "t2", "POST /v1/tasks", time)
    assert window is not throttle.window("h", "t", "POST /v1/quote", time)
    assert window is not throttle.window("h", "t", "POST /v1/tasks", other)
    throttle.forget()
    assert window is not throttle.window("h", "t", "POST /v1/tasks", time)


def admitted(endpoint: str, time: Time) -> int:
    """How many requests go at once."""
    count = 0

    async def whole() -> None:
        nonlocal count
        requests = Requests(throttle.window("h", "t", endpoint, time), time)
        tasks = [requests.send(number) for number in range(200)]
        await settle()
        count = len(requests.sent)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(whole())
    return count


@pytest.mark.parametrize("endpoint", [name for name, rate in RATES.items() if rate is not None])
def test_each_endpoint_has_its_documented_rate(endpoint: str) -> None:
    assert admitted(endpoint, Time()) == RATES[endpoint]


@pytest.mark.parametrize("name", TOLD_RATES)
def test_a_rate_that_the_account_tells_is_taken(name: str) -> None:
    time = Time()
    throttle.learn("h", "t", time, {name: 7, "aNewOne": 3})
    assert admitted(TOLD_RATES[name], time) == 7


@pytest.mark.parametrize(
    "rate", [0, -1, 7.5, 7.0, "7", True, None, [7], {"perMin": 7}, float("inf")], ids=repr
)
def test_a_rate_that_is_no_positive_whole_number_is_ignored(rate: object) -> None:
    time = Time()
    throttle.learn("h", "t", time, {"tasksPerMin": rate})
    assert admitted("POST /v1/tasks", time) == 60


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_windows_of_its_own() -> None:
    time = Time()
    assert admitted("POST /v1/describe-image", time) == 10
    assert admitted("POST /v1/describe-image", time) == 0

    def child() -> None:
        sys.exit(admitted("POST /v1/describe-image", time))

    forked = multiprocessing.get_context("fork").Process(target=child)
    forked.start()
    forked.join(60)
    assert forked.exitcode == 10
    assert admitted("POST /v1/describe-image", time) == 0
