"""When a call is sent again: the one retry layer, as a pure rule with stamina as its driver.

Three attempts, 1 s and then 3 s apart (9 s is the cap of the series). Retried are failures without a
status, 429, 502, 503, 504 and 520 to 526. `Retry-After` is honoured; one over 60 s is shown instead of
waited for. API documentation: "Transient errors".
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import stamina

from zooop_nb.errors import APIError, DailyCapReached, InvalidResponse, Unreachable

T = TypeVar("T")

ATTEMPTS: Final = 3
FIRST_WAIT: Final = 1.0
GROWTH: Final = 3.0
LONGEST_WAIT: Final = 9.0
LONGEST_RETRY_AFTER: Final = 60.0
# stamina tells its logger of each retry, and Python prints what nobody handles: not into a cell, unasked.
logging.getLogger("stamina").addHandler(logging.NullHandler())

TRANSIENT: Final = frozenset({429, 502, 503, 504, *range(520, 527)})


class Transient(InvalidResponse):
    """An answer that is not the API's, with a status that says to try again (a proxy's 502, say)."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def again(error: Exception) -> bool | float:
    """Whether a failed call may be sent again: no, yes after the usual wait, or the seconds to wait."""
    if isinstance(error, Unreachable):
        return True
    if isinstance(error, DailyCapReached) or not isinstance(error, APIError | Transient):
        return False
    if isinstance(error, APIError) and error.status not in TRANSIENT:
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= LONGEST_RETRY_AFTER else False


async def call(send: Callable[[], Awaitable[T]], *, attempts: int = ATTEMPTS) -> T:
    """`send()`, and again as the rule says; the last failure is raised as it is."""
    async for attempt in stamina.retry_context(
        on=again,
        attempts=attempts,
        timeout=None,
        wait_initial=FIRST_WAIT,
        wait_exp_base=GROWTH,
        wait_max=LONGEST_WAIT,
        wait_jitter=0,
    ):
        with attempt:
            return await send()
    raise AssertionError("stamina leaves its loop by returning or raising")
