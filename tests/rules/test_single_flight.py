"""Single flight: one run for all who ask at the same time, whatever becomes of some of them."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from zooop_nb.contract.categories import Category
from zooop_nb.contract.shapes import Model
from zooop_nb.orders.catalogue import Catalogue
from zooop_nb.orders.single_flight import ById, SingleFlight
from zooop_nb.verbs import GENERATION_VERBS


class Work:
    """Work that ends when the test says so, and counts how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.may_end = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return number


async def under_way(*waits: "asyncio.Task[int]") -> None:
    """Let everything come to where it waits."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(each.done() for each in waits)


def test_all_who_ask_meanwhile_share_one_run_and_later_ones_do_not() -> None:
    async def scene() -> None:
        flights, work = SingleFlight(), Work()
        waits = [asyncio.create_task(flights.run("key", work)) for _ in range(20)]
        other = asyncio.create_task(flights.run("another", work))
        await under_way(*waits, other)
        work.may_end.set()
        assert await asyncio.gather(*waits) == [1] * 20
        assert await other == 2
        assert await flights.run("key", work) == 3

    asyncio.run(scene())


def test_values_are_kept_on_request_and_errors_never() -> None:
    async def scene() -> None:
        flights, work = SingleFlight(keep=True), Work()
        work.error = ValueError("refused")
        work.may_end.set()
        waits = await asyncio.gather(*(flights.run("key", work) for _ in range(3)), return_exceptions=True)
        assert waits == [work.error] * 3
        assert work.begun == 1
        work.error = None
        assert [await flights.run("key", work) for _ in range(3)] == [2] * 3

    asyncio.run(scene())


def test_who_stops_waiting_takes_nobody_along_even_if_they_asked_first() -> None:
    async def scene() -> None:
        flights, work = SingleFlight(), Work()
        first, second = (asyncio.create_task(flights.run("key", work)) for _ in range(2))
        await under_way(first, second)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert first.cancelled()
        assert work.cancelled == 0
        third = asyncio.create_task(flights.run("key", work))
        await under_way(second, third)
        work.may_end.set()
        assert (await second, await third, work.begun) == (1, 1, 1)

    asyncio.run(scene())


def test_when_nobody_waits_any_more_the_work_is_cancelled_and_who_asks_next_begins_anew() -> None:
    async def scene() -> None:
        flights, work = SingleFlight(), Work()
        waits = [asyncio.create_task(flights.run("key", work)) for _ in range(2)]
        await under_way(*waits)
        for each in waits:
            each.cancel()
        # At once: the cancelled work has not ended by then.
        await asyncio.wait(waits)
        late = asyncio.create_task(flights.run("key", work))
        await under_way(late)
        assert (work.begun, work.cancelled) == (2, 1)
        work.may_end.set()
        assert await late == 2

    asyncio.run(scene())


def test_what_another_loop_left_under_way_is_begun_anew() -> None:
    # So it is in a forked child: the parent's loop does not run there.
    flights = SingleFlight()

    async def leave() -> None:
        task = asyncio.create_task(flights.run("key", Work()))
        await under_way(task)

    async def ask() -> int:
        work = Work()
        work.may_end.set()
        return await flights.run("key", work)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    assert asyncio.run(ask()) == 1
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_an_object_is_a_key_by_itself_and_is_held_so_that_its_id_serves_no_other() -> None:
    one, equal = bytearray(b"x"), bytearray(b"x")
    assert ById(one) == ById(one)
    assert hash(ById(one)) == hash(ById(one))
    assert ById(one) != ById(equal)

    async def scene() -> None:
        flights = SingleFlight(keep=True)

        async def length(value: bytearray) -> int:
            return len(value)

        for size in range(50):
            # Each would have its predecessor's address if nothing held that.
            value = bytearray(size)
            assert await flights.run(ById(value), partial(length, value)) == size
            del value

    asyncio.run(scene())


# The catalogue.


class Listing:
    """What the catalogue needs of a backend: it counts, and refuses the first `refusals` requests."""

    host = "https://api.example.org"

    def __init__(self, refusals: int = 0) -> None:
        self.requests = 0
        self.refusals = refusals

    async def models(self, type: str, subtype: str) -> Sequence[Model]:
        self.requests += 1
        refused = self.requests <= self.refusals
        await asyncio.sleep(0)
        if refused:
            raise ConnectionError("no answer")
        return [Model("m1", "A model")]


@pytest.fixture
def category() -> Category:
    return GENERATION_VERBS["image"]


def test_twenty_orders_side_by_side_request_a_list_once(tmp_path: Path, category: Category) -> None:
    backend = Listing()
    catalogue = Catalogue(backend, tmp_path)  # type: ignore[arg-type]

    async def scene() -> None:
        lists = await asyncio.gather(*(catalogue.models(category) for _ in range(20)))
        assert [len(each) for each in lists] == [1] * 20
        await catalogue.models(category)

    asyncio.run(scene())
    assert backend.requests == 1


def test_a_refused_list_is_requested_again(tmp_path: Path, category: Category) -> None:
    backend = Listing(refusals=1)
    catalogue = Catalogue(backend, tmp_path)  # type: ignore[arg-type]

    async def scene() -> None:
        asked = (catalogue.models(category) for _ in range(5))
        first = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(each, ConnectionError) for each in first)
        assert len(await catalogue.models(category)) == 1

    asyncio.run(scene())
    assert backend.requests == 2
