"""Whether an order may be placed: confirmation, budget, wallet and daily cap, as pure rules.

API documentation: "Confirmation policy", "Wallet", "Daily credit cap".
"""

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


def check_wallet(me: Me, total: Number, queued: Number = 0) -> None:
    """Raise `OverBudget` if the wallet or the daily cap does not cover `total` credits.

    `queued` are the credits of orders that are reserved and not sent yet: the wallet still holds them. The
    server checks again, precisely; this avoids an order that would be refused.
    """
    also = f", {credits_text(queued)} of it reserved" if queued else ""
    if me.balance is not None and total + queued > me.balance:
        raise OverBudget(
            f"This costs {credits_text(total)}; the {me.wallet} wallet holds {me.balance}{also}.",
            value=str(total),
            remedies=[remedy(Action.TOP_UP)],
        )
    left = me.key.credits_remaining_today
    if left is not None and total + queued > left:
        raise OverBudget(
            f"This costs {credits_text(total)}; "
            f"the token's daily cap leaves {left} until midnight UTC{also}.",
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


def check_session_budget(total: Number, spent: Number, limit: Number | None) -> None:
    """Raise `OverBudget` if `total` credits are more than the session's limit leaves.

    `spent` is what the session has paid, and what its open orders may still cost.
    """
    if limit is not None and total > limit - spent:
        raise OverBudget(
            f"This costs {credits_text(total)}; the budget of {limit} has {max(limit - spent, 0)} left.",
            value=str(total),
            remedies=[remedy(Action.RAISE_BUDGET)],
        )
