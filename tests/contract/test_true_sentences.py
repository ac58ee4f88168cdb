"""What an interrupt says about money is true: "nothing is paid" only where nothing is, nor will be.

The moments are those at which Python looks for signals, spread over the call by a seed that is printed.
"""

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.contract.conftest import CHEAP
from tests.support.sandbox_harness import SandboxHarness
from tests.support.waiting import until
from zooop_nb.errors import ZooopError
from zooop_nb.ledger import OrderRecord
from zooop_nb.studio import Studio
from zooop_nb.tasks.task import WaitingStopped

SEED = int(os.environ.get("TEST_SEED") or random.randrange(10**6))
MOMENTS = 6
"""Few: the API takes ten descriptions a minute."""
NOTHING = "Nothing was submitted, and nothing is paid"


def interrupted(call: Callable[[], object], moment: int | None) -> tuple[int, BaseException | None]:
    """Call, interrupted at a moment; return how many moments there were, and what was raised."""
    seen = 0

    def profile(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal seen
        if event in ("call", "c_return"):
            seen += 1
            if seen == moment:
                sys.setprofile(None)
                raise KeyboardInterrupt

    raised: BaseException | None = None
    sys.setprofile(profile)
    try:
        call()
    except (KeyboardInterrupt, ZooopError) as error:
        raised = error
    finally:
        sys.setprofile(None)
    return seen, raised


def orders(studio: Studio) -> list[OrderRecord]:
    rows = studio.ledger._db.connection.execute("SELECT * FROM orders").fetchall()
    return [OrderRecord.from_row(row) for row in rows]


CALLS: dict[str, tuple[Callable[[Studio, Path, str], Any], int]] = {
    "image": (lambda studio, _, words: studio.image(words, model=CHEAP), 1),
    "batch": (
        lambda studio, _, words: studio.batch("image", [words, words + "!"], model=CHEAP, yes=True),
        2,
    ),
    "describe": (lambda studio, picture, _: studio.describe(picture), 1),
}


@pytest.mark.parametrize("verb", CALLS)
def test_nothing_is_paid_is_only_said_where_nothing_is_nor_will_be(
    studio: Studio, books: SandboxHarness, picture: Path, verb: str
) -> None:
    print(f"seed {SEED}")
    call, _ = CALLS[verb]

    def order(words: str) -> object:
        return call(studio, picture, words)

    order("warm")
    # Half of the moments lie before the first submit, half of them while it waits.
    books.faults({"path": "/v1/tasks", "do": {"delay": 0.05}, "times": None})
    number, _ = interrupted(lambda: order("counted"), None)
    chosen = sorted(random.Random(SEED).sample(range(1, number), min(MOMENTS, number - 1)))
    unpaid: list[str] = []
    for moment in chosen:
        before, known = len(books.charges), {each.order_id for each in orders(studio)}
        print(f"moment {moment} of {number}")
        _, raised = interrupted(lambda moment=moment: order(f"at {moment}"), moment)  # type: ignore[misc]
        said = str(raised)
        # Whatever is on its way arrives: the sandbox takes it as soon as its delay is over.
        until(lambda: not [each for each in orders(studio) if each.state == "queued"])
        new = [each for each in orders(studio) if each.order_id not in known]
        if isinstance(raised, WaitingStopped) and not raised.order_ids:
            assert NOTHING in said
            assert [each.state for each in new if each.state not in {"quoted", "withdrawn", "refused"}] == []
            assert len(books.charges) == before
            unpaid += [each.order_id for each in new]
        elif raised is not None:
            assert NOTHING not in said
        left = studio.resume()
        assert all(each.status != "unknown" or verb == "describe" for each in left)
    # And still, after everything that was on its way has arrived. An interrupt just before the waiting leaves
    # an order that is followed on.
    until(lambda: not [each for each in orders(studio) if each.state in {"intended", "submitted"}])
    assert all(studio.ledger.get(each).state in {"quoted", "withdrawn", "refused"} for each in unpaid)
    paid = [each for each in orders(studio) if each.state == "succeeded"]
    assert books.spent() == len(paid) + sum(each.state == "unknown" for each in orders(studio))
