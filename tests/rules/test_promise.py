"""What the background loop sets, and other threads wait for: an interrupt leaves nothing locked."""

import asyncio
import threading
from concurrent.futures import CancelledError

import pytest

from tests.support.interrupts import ends_on_another_thread, interrupted_at_each_moment
from zooop_nb.tasks.loop import BackgroundLoop
from zooop_nb.tasks.promise import Promise, Signal


def test_the_value_comes_to_every_thread_that_waits() -> None:
    promise: Promise[int] = Promise()
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(promise.result(30))) for _ in range(4)]
    for each in threads:
        each.start()
    promise.settle(7)
    promise.settle(8)
    promise.fail(ValueError())
    for each in threads:
        each.join(30)
    assert found == [7] * 4
    assert (promise.done(), promise.value(), promise.result()) == (True, 7, 7)


def test_an_error_is_raised_and_a_cancellation_is_one() -> None:
    promise: Promise[int] = Promise()
    with pytest.raises(TimeoutError):
        promise.result(0)
    promise.fail(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        promise.result()
    cancelled: Promise[int] = Promise()
    cancelled.fail(asyncio.CancelledError())
    with pytest.raises(CancelledError):
        cancelled.result()


def test_a_call_comes_once_before_or_after() -> None:
    promise: Promise[int] = Promise()
    calls: list[str] = []
    promise.call_when_done(lambda: calls.append("before"))
    promise.settle(1)
    promise.call_when_done(lambda: calls.append("after"))
    assert calls == ["before", "after"]


def test_it_is_awaited_on_another_loop_and_cancelled_from_there() -> None:
    loop = BackgroundLoop()
    stopped = threading.Event()

    async def work(seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            stopped.set()
            raise
        return "done"

    async def here() -> str:
        return await loop.start(work(0.01))

    async def given_up() -> None:
        await asyncio.wait_for(loop.start(work(60)), 0.05)

    assert asyncio.run(here()) == "done"
    with pytest.raises(TimeoutError):
        asyncio.run(given_up())
    assert stopped.wait(30)
    loop.stop()


def test_an_interrupt_at_any_moment_of_the_waiting_does_not_stop_the_loop() -> None:
    loop = BackgroundLoop()

    async def work() -> int:
        await asyncio.sleep(0)
        return 1

    moments = 0
    for _ in interrupted_at_each_moment(lambda: loop.run(work())):
        moments += 1
        assert ends_on_another_thread(lambda: loop.run(work())), f"interrupted at moment {moments}"
    assert moments > 10
    loop.stop()


def test_an_interrupt_at_any_moment_of_a_signal_leaves_who_sets_it_free() -> None:
    signal = Signal()

    def wait() -> None:
        signal.set()
        signal.wait(1)

    for _ in interrupted_at_each_moment(wait):
        assert ends_on_another_thread(signal.set)
    signal.set()
    signal.wait(30)
