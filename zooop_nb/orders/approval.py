"""Whether an order may be placed: confirmation, budget, wallet and daily cap, as pure rules.

API documentation: "Confirmation policy", "Wallet", "Daily credit cap".
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from zooop_nb.contract.shapes import Me
from zooop_nb.errors import Action, OverBudget, remedy

BATCH_TASKS: Final = 3
BATCH_CREDITS: Final = 100

Number = int | float


def must_confirm(
    *, tasks: int, total: Number, variants: bool, yes: bool, ask: bool, policy: str = "auto"
) -> bool:
    """Whether to ask before submitting `tasks` tasks that cost `total` credits together.

    One task asks nothing. `variants` is the guide's "make N variants" (`-n N`): its count asks nothing,
    its price does. Any other batch asks from 3 tasks or 100 credits. `yes` never asks; `ask` always does;
    `policy` is the setting `confirm`.
    """
    if yes:
        return False
    if ask or policy == "always":
        return True
    if policy == "never" or tasks == 1:
        return False
    return total >= BATCH_CREDITS or (tasks >= BATCH_TASKS and not variants)


def check_wallet(me: Me, total: Number) -> None:
    """Raise `OverBudget` where the wallet or the daily cap does not hold `total` credits.

    The server checks again, precisely; this spares the order that would be refused.
    """
    if me.balance is not None and total > me.balance:
        raise OverBudget(
            f"This costs {total} credits; the {me.wallet} wallet holds {me.balance}.",
            value=str(total),
            remedies=[remedy(Action.TOP_UP)],
        )
    left = me.key.credits_remaining_today
    if left is not None and total > left:
        raise OverBudget(
            f"This costs {total} credits; the token's daily cap leaves {left} until midnight UTC.",
            value=str(total),
        )


def check_call_budget(total: Number, budget: Number | None) -> None:
    """Raise `OverBudget` where a call costs more than its own `budget`."""
    if budget is not None and total > budget:
        raise OverBudget(
            f"This costs {total} credits; the budget of this call is {budget}.",
            value=str(total),
            remedies=[remedy(Action.RAISE_BUDGET)],
        )


class Budget:
    """What a session may spend, promised to one call at a time."""

    def __init__(self) -> None:
        self._lock = Lock()

    @contextmanager
    def promise(
        self, total: Number, *, limit: Number | None, committed: Callable[[], Number]
    ) -> Iterator[None]:
        """Hold the budget while the intents of orders for `total` credits are written.

        `committed` tells what is spent and what intents may still cost. It is asked under the lock, so two
        threads cannot promise the same credits. Raises `OverBudget` where `limit` does not allow it.
        """
        with self._lock:
            left = None if limit is None else limit - committed()
            if left is not None and total > left:
                raise OverBudget(
                    f"This costs {total} credits; the budget of {limit} has {max(left, 0)} left.",
                    value=str(total),
                    remedies=[remedy(Action.RAISE_BUDGET)],
                )
            yield
