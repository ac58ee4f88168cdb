"""The queue: one by one, so many under way, those first that somebody waits for."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.support.orders import an_order
from zooop_nb.errors import APIError, ZooopError, class_for
from zooop_nb.ledger import OrderRecord
from zooop_nb.tasks.queue import SubmitQueue, concerned_by


class Line:
    """A queue, and the orders that had their turn, in order."""

    def __init__(self, places: int) -> None:
        self.queue = SubmitQueue()
        self.queue.places = places
        self.turns: list[str] = []

    async def come(self, name: str, background: bool = False) -> "asyncio.Task[None]":
        """Let an order wait for its turn."""

        async def wait() -> None:
            await self.queue.turn(an_order(order_id=name), background=background)
            self.turns.append(name)

        task = asyncio.create_task(wait())
        await settled()
        return task

    def waiting(self) -> list[str]:
        return [each.order_id for each in self.queue.waiting()]


async def settled() -> None:
    """Let everything go on that can."""
    for _ in range(5):
        await asyncio.sleep(0)


def scene(play: Callable[[Line], Coroutine[Any, Any, None]], places: int = 1) -> None:
    async def whole() -> None:
        await play(Line(places))

    asyncio.run(whole())


def test_an_outage_is_remembered_for_those_that_wait_for_its_end_and_no_longer() -> None:
    async def play(line: Line) -> None:
        await line.come("a")
        line.queue.note_answer(False)
        await line.come("b")
        assert line.queue.is_outage
        line.queue.leave("a")
        await settled()
        assert (line.turns, line.queue.is_outage) == (["a", "b"], True)
        line.queue.sent("b")
        await line.come("c")
        assert not line.queue.is_outage

    scene(play, places=3)


def test_an_api_that_answers_all_but_what_is_sent_is_not_out_of_order() -> None:
    queue = SubmitQueue()
    for _ in range(3):
        queue.note_answer(False)
        assert queue.is_outage
        queue.note_other_answer()
    assert not queue.is_outage
    queue.note_answer(True)
    queue.note_answer(False)
    assert queue.is_outage


def test_orders_are_sent_one_by_one() -> None:
    async def play(line: Line) -> None:
        for name in "abc":
            await line.come(name)
        assert (line.turns, line.waiting()) == (["a"], ["b", "c"])
        line.queue.sent("a")
        await settled()
        assert line.turns == ["a", "b"]
        line.queue.sent("a")
        await settled()
        assert line.turns == ["a", "b"], "only its own turn is given on"

    scene(play, places=9)


def test_no_more_are_under_way_than_there_are_places() -> None:
    async def play(line: Line) -> None:
        for name in "abcd":
            await line.come(name)
            line.queue.sent(name)
        await settled()
        assert line.turns == ["a", "b"]
        line.queue.leave("a")
        await settled()
        assert line.turns == ["a", "b", "c"]
        line.queue.sent("c")
        await settled()
        assert line.waiting() == ["d"]
        line.queue.leave("b")
        line.queue.leave("b")
        await settled()
        assert line.turns == ["a", "b", "c", "d"]

    scene(play, places=2)


def test_what_is_under_way_already_has_a_place() -> None:
    async def play(line: Line) -> None:
        line.queue.occupy("old")
        line.queue.occupy("old")
        await line.come("a")
        assert line.turns == []
        line.queue.leave("old")
        await settled()
        assert line.turns == ["a"]

    scene(play)


def test_an_order_that_leaves_gives_back_turn_and_place() -> None:
    async def play(line: Line) -> None:
        await line.come("a")
        await line.come("b")
        line.queue.leave("a")
        await settled()
        assert line.turns == ["a", "b"]

    scene(play)


def test_foreground_goes_before_background_and_each_in_its_order() -> None:
    async def play(line: Line) -> None:
        line.queue.occupy("old")
        for name, background in (("b1", True), ("f1", False), ("b2", True), ("f2", False)):
            await line.come(name, background)
        line.queue.leave("old")
        for _ in range(4):
            await settled()
            line.queue.leave(line.turns[-1])
        assert line.turns == ["f1", "f2", "b1", "b2"]

    scene(play)


def test_an_order_that_somebody_waits_for_now_goes_before_the_background() -> None:
    async def play(line: Line) -> None:
        line.queue.occupy("old")
        for name, background in (("b1", True), ("b2", True), ("b3", True), ("f1", False)):
            await line.come(name, background)
        line.queue.foreground("b3")
        line.queue.foreground("unknown")
        line.queue.leave("old")
        for _ in range(4):
            await settled()
            line.queue.leave(line.turns[-1])
        assert line.turns == ["b3", "f1", "b1", "b2"], "in the order in which they came"

    scene(play)


def test_what_is_withdrawn_has_the_error_and_no_turn() -> None:
    async def play(line: Line) -> None:
        await line.come("a")
        tasks = [await line.come(name) for name in "bcd"]
        line.queue.withdraw({"b", "c", "a"}, ZooopError("the cap is reached"))
        await settled()
        for each in tasks[:2]:
            with pytest.raises(ZooopError, match="the cap is reached"):
                await each
        assert (line.turns, line.waiting()) == (["a"], ["d"])
        line.queue.leave("a")
        await settled()
        assert line.turns == ["a", "d"]

    scene(play)


@pytest.mark.parametrize("had_its_turn", [False, True])
def test_an_order_that_is_cancelled_is_in_nobodys_way(had_its_turn: bool) -> None:
    async def play(line: Line) -> None:
        line.queue.occupy("old")
        gone, other = await line.come("gone"), await line.come("other")
        if had_its_turn:
            # It has its turn, and is cancelled before it hears of it.
            line.queue.leave("old")
        gone.cancel()
        await settled()
        assert gone.cancelled()
        if not had_its_turn:
            assert line.waiting() == ["other"]
            line.queue.leave("old")
        await settled()
        assert line.turns == ["other"]
        assert other.done()

    scene(play)


def test_all_that_are_cancelled_at_once_leave_the_queue_empty() -> None:
    async def play(line: Line) -> None:
        tasks = [await line.come(name) for name in "abcd"]
        for each in tasks[1:]:
            each.cancel()
        await settled()
        assert line.waiting() == []
        line.queue.leave("a")
        await line.come("e")
        assert line.turns == ["a", "e"]

    scene(play)


# Which others a refusal concerns.


def refusal(status: int, code: str) -> APIError:
    return class_for(status, "", code)("no", status=status, type="", code=code)


REFUSED = an_order(model_id="m1")
SAME_MODEL, OTHER_MODEL = an_order(model_id="m1"), an_order(model_id="m2")
TOOL = an_order(target="tool", model_id="m1")


@pytest.mark.parametrize(
    ("error", "concerned"),
    [
        (refusal(429, "token_daily_cap_reached"), [SAME_MODEL, OTHER_MODEL, TOOL]),
        (refusal(402, "insufficient_credits"), [SAME_MODEL, OTHER_MODEL, TOOL]),
        (refusal(401, "invalid_token"), [SAME_MODEL, OTHER_MODEL, TOOL]),
        (refusal(403, "account_banned"), [SAME_MODEL, OTHER_MODEL, TOOL]),
        (refusal(503, "no_provider"), [SAME_MODEL]),
        (refusal(404, "unknown_model"), [SAME_MODEL]),
        (refusal(400, "invalid_param"), []),
        (refusal(429, "rate_limited"), []),
        (ZooopError("no"), []),
    ],
    ids=lambda each: getattr(each, "code", None),
)
def test_a_refusal_concerns_those_that_would_be_refused_as_well(
    error: ZooopError, concerned: list[OrderRecord]
) -> None:
    rule = concerned_by(REFUSED, error) or (lambda _: False)
    assert [each for each in (SAME_MODEL, OTHER_MODEL, TOOL) if rule(each)] == concerned
