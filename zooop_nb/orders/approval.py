"""Whether an order may be placed: confirmation, budget, wallet and daily cap, as pure rules.

API documentation: "Confirmation policy", "Wallet", "Daily credit cap".
"""

from collections.abc import Callable
from threading import Lock
from typing import Final

from zooop_nb.contract.credits import Number, credits_text
from zooop_nb.contract.shapes import Me
from zooop_nb.errors import Action, OverBudget, remedy

BATCH_TASKS: Final = 3
BATCH_CREDITS: Final = 100


def must_confirm(
    *, tasks: int, total: Number, variants: bool, yes: bool, ask: bool, policy: str = "auto"
) -> bool:
    """Return whether to ask before submitting `tasks` tasks that cost `total` credits together.

    A single task asks nothing. `variants` is the guide's "make N variants" (`-n N`): its count asks nothing,
    its price may. Any other batch asks from 3 tasks or 100 credits. `yes` never asks; `ask` always does;
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
    """Raise `OverBudget` if the wallet or the daily cap does not cover `total` credits.

    The server checks again, precisely; this avoids an order that would be refused.
    """
    if me.balance is not None and total > me.balance:
        raise OverBudget(
            f"This costs {credits_text(total)}; the {me.wallet} wallet holds {me.balance}.",
            value=str(total),
            remedies=[remedy(Action.TOP_UP)],
        )
    left = me.key.credits_remaining_today
    if left is not None and total > left:
        raise OverBudget(
            f"This costs {credits_text(total)}; the token's daily cap leaves {left} until midnight UTC.",
            value=str(total),
        )


def check_call_budget(total: Number, budget: Number | None) -> None:
    """Raise `OverBudget` if a call costs more than its own `budget`, in credits."""
    if budget is not None and total > budget:
        raise OverBudget(
            f"This costs {credits_text(total)}; the budget of this call is {budget}.",
            value=str(total),
            remedies=[remedy(Action.RAISE_BUDGET)],
        )


class Budget:
    """The session's budget, reserved by one call at a time."""

    def __init__(self) -> None:
        self._lock = Lock()

    # As in the ledger: a context manager that an interrupt catches at its start would keep the lock.
    def reserve(
        self,
        total: Number,
        write: Callable[[], None],
        *,
        limit: Number | None,
        committed: Callable[[], Number],
    ) -> None:
        """Hold the budget while `write` records the intents of orders for `total` credits.

        `committed` returns what is spent and what intents may still cost. It is called under the lock, so
        that two threads cannot reserve the same credits. Raises `OverBudget` if `limit` does not allow it.
        """
        with self._lock:
            left = None if limit is None else limit - committed()
            if left is not None and total > left:
                raise OverBudget(
                    f"This costs {credits_text(total)}; the budget of {limit} has {max(left, 0)} left.",
                    value=str(total),
                    remedies=[remedy(Action.RAISE_BUDGET)],
                )
            write()
