"""The sandbox with many clients at once: each order is filled and paid once, and only rate limits refuse.

This checks correctness; `tests/bench/load.py` measures the speed on request.
"""

import asyncio

from tests.support import load


def test_forty_orders_from_twenty_clients_are_filled_and_the_books_are_exact() -> None:
    with load.start(2, tasks=15) as sandbox:
        tally = asyncio.run(load.run(sandbox.url, orders=40, clients=20, tokens=load.tokens(2)))
        load.check_books(sandbox.books(), tally, orders=40)
        assert tally.limited["submit"] > 0
        assert set(tally.limited) == {"submit"}
        assert sandbox.process.log == ""
