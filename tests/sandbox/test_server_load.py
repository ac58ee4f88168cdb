"""The sandbox with many clients at once: every order filled and paid once, and nothing refused but by limits.

How fast that is, is measured by `tests/bench/load.py` on request; here it must be right.
"""

import asyncio

import httpx

from tests.bench import load


def test_forty_orders_from_twenty_clients_are_filled_and_the_books_are_exact() -> None:
    with load.start(2, tasks=15) as sandbox:
        tally = asyncio.run(load.run(sandbox.url, orders=40, clients=20, tokens=load.tokens(2)))
        load.check_books(httpx.get(f"{sandbox.url}/_sandbox/books").json(), tally, orders=40)
        assert tally.limited["submit"] > 0
        assert set(tally.limited) == {"submit"}
        assert sandbox.log == ""
