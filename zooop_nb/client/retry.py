"""The one retry layer: the rule as a pure function, with stamina as its driver.

Three attempts, 1 s and then 3 s apart (9 s is the cap of the series). Retried are failures without a status,
429, 502, 503, 504 and 520 to 526. `Retry-After` is honoured; one over 60 s is raised instead of waited for.
API documentation: "Transient errors".
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import stamina

from zooop_nb.errors import APIError, DailyCapReached, InvalidResponse, Unreachable, ZooopError

T = TypeVar("T")

ATTEMPTS: Final = 3
FIRST_WAIT: Final = 1.0
GROWTH: Final = 3.0
LONGEST_WAIT: Final = 9.0
LONGEST_RETRY_AFTER: Final = 60.0
# stamina logs each retry, and Python prints log records that have no handler: keep them out of the cell.
logging.getLogger("stamina").addHandler(logging.NullHandler())

TRANSIENT: Final = frozenset({429, 502, 503, 504, *range(520, 527)})
"""The HTTP statuses that are retried."""


def should_retry(error: Exception) -> bool | float:
    """Return whether to retry after `error`: no, yes after the usual wait, or the seconds to wait."""
    if isinstance(error, Unreachable):
        return True
    if isinstance(error, InvalidResponse):
        transient = error.transient
    elif isinstance(error, APIError):
        transient = error.status in TRANSIENT and not isinstance(error, DailyCapReached)
    else:
        return False
    if not transient or error.retry_after is None:
        return transient
    return error.retry_after if error.retry_after <= LONGEST_RETRY_AFTER else False


async def call(send: Callable[[], Awaitable[T]], *, attempts: int = ATTEMPTS) -> T:
    """Call `send`, retrying transient failures; the last failure is raised as it is.

    Its `maybe_arrived` then speaks for all attempts: true if any of them may have had its effect.
    """
    lost = False
    async for attempt in stamina.retry_context(
        on=should_retry,
        attempts=attempts,
        timeout=None,
        wait_initial=FIRST_WAIT,
        wait_exp_base=GROWTH,
        wait_max=LONGEST_WAIT,
        wait_jitter=0,
    ):
        with attempt:
            try:
                return await send()
            except ZooopError as error:
                lost = error.maybe_arrived = lost or error.maybe_arrived
                raise
    raise AssertionError("stamina leaves its loop by returning or raising")
