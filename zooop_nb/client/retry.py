"""The one retry layer: the rules as pure functions, with stamina as its driver.

Three attempts, 1 s and then 3 s apart (9 s is the cap of the series). Retried are failures without a status,
429, 502, 503, 504 and 520 to 526. `Retry-After` is honoured; one over 60 s is raised instead of waited for.
API documentation: "Transient errors". A submit under its key is also retried on every other 5xx, a
description only where the answer says that it was refunded. `rate_limited` is waited for without counting as
an attempt, where the request has a window (`throttle`).
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import stamina

from zooop_nb.errors import APIError, DailyCapReached, InvalidResponse, Unreachable, ZooopError

T = TypeVar("T")
Rule = Callable[[Exception], bool | float]
"""Whether to retry after an error: no, yes after the usual wait, or the seconds to wait."""

ATTEMPTS: Final = 3
FIRST_WAIT: Final = 1.0
GROWTH: Final = 3.0
LONGEST_WAIT: Final = 9.0
LONGEST_RETRY_AFTER: Final = 60.0
# stamina logs each retry, and Python prints log records that have no handler: keep them out of the cell.
logging.getLogger("stamina").addHandler(logging.NullHandler())

TRANSIENT: Final = frozenset({429, 502, 503, 504, *range(520, 527)})
"""The HTTP statuses that are retried."""

REFUNDED: Final = frozenset({(429, "upstream_rate_limited"), (503, "vision_unavailable")})
"""The failures of a description that say that it was refunded. API documentation: `POST
/v1/describe-image`."""


class NotSent(ZooopError):
    """An attempt that was not made, because it must not be. Never retried."""


def should_retry(error: Exception) -> bool | float:
    """The rule for requests that have no effect, or none that counts."""
    if isinstance(error, Unreachable):
        return True
    if isinstance(error, InvalidResponse):
        transient = error.transient
    elif isinstance(error, APIError):
        transient = error.status in TRANSIENT and not isinstance(error, DailyCapReached)
    else:
        return False
    return transient and _pause(error)


def should_submit_again(error: Exception) -> bool | float:
    """The rule for a submit: its key makes a repetition harmless, so every 5xx is retried too.

    A rate limit says that the order was not taken: whoever sends it may wait, or not send it after all.
    """
    if isinstance(error, APIError) and is_rate_limit(error):
        return False
    if isinstance(error, APIError | InvalidResponse) and error.status is not None and error.status >= 500:
        return _pause(error)
    return should_retry(error)


def should_describe_again(error: Exception) -> bool | float:
    """The rule for a description, which takes no key: only where the answer says that it was refunded."""
    return isinstance(error, APIError) and (error.status, error.code) in REFUNDED and _pause(error)


def is_rate_limit(error: ZooopError) -> bool:
    """Whether the error is the API's own rate limit: nothing happened, and waiting helps."""
    return isinstance(error, APIError) and error.status == 429 and error.code == "rate_limited"


def _pause(error: APIError | InvalidResponse) -> bool | float:
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= LONGEST_RETRY_AFTER else False


async def call(
    send: Callable[[], Awaitable[T]],
    *,
    rule: Rule = should_retry,
    waits: Callable[[ZooopError], bool] = lambda _: False,
) -> T:
    """Call `send`, retrying by `rule`; the last failure is raised as it is.

    Its `maybe_arrived` then speaks for all attempts: true if any of them may have had its effect. After an
    error that `waits` accepts, `send` is called again without counting: it does the waiting itself. Where
    `send` raises `NotSent`, the failure before it is raised, if there was one.
    """
    lost = False
    last: ZooopError | None = None
    try:
        async for attempt in stamina.retry_context(
            on=rule,
            attempts=ATTEMPTS,
            timeout=None,
            wait_initial=FIRST_WAIT,
            wait_exp_base=GROWTH,
            wait_max=LONGEST_WAIT,
            wait_jitter=0,
        ):
            with attempt:
                while True:
                    try:
                        return await send()
                    except NotSent:
                        raise
                    except ZooopError as error:
                        last = error
                        lost = error.maybe_arrived = lost or error.maybe_arrived
                        if not waits(error):
                            raise
    except NotSent as error:
        raise last or error from None
    raise AssertionError("stamina leaves its loop by returning or raising")
