"""What one call will do, priced: shown and confirmed before anything is submitted."""

from dataclasses import dataclass, field

from zooop_nb.contract.credits import Number, credits_text
from zooop_nb.ledger import Continued, OrderRecord
from zooop_nb.orders.order import Origin
from zooop_nb.orders.pricing import PricedOrder, breakdown_of
from zooop_nb.results.values import Quoted


@dataclass(frozen=True)
class PricedBatch:
    """What one call will do: its priced orders, and whether they must be confirmed first."""

    orders: tuple[PricedOrder, ...] = ()
    must_confirm: bool = False
    budget: Number | None = None
    """The budget of this call alone, in credits."""
    resumed: tuple[OrderRecord, ...] = ()
    """Orders that are only followed on, at no cost."""
    continued: Continued | None = None
    """The run of the cell that this one continues."""
    origin: Origin = field(default_factory=Origin)
    """Where it is written."""
    elsewhere: tuple[OrderRecord, ...] = ()
    """Open orders of other places that ask for the same."""

    @property
    def records(self) -> tuple[OrderRecord, ...]:
        """The new orders, which are left to pay for."""
        return tuple(record for priced in self.orders for record in priced.records)

    @property
    def taken_up(self) -> tuple[OrderRecord, ...]:
        """The earlier orders that are followed instead of new ones."""
        return (*self.resumed, *(record for priced in self.orders for record in priced.taken_up))

    @property
    def total(self) -> Number:
        """What is left to pay, in credits."""
        return sum(priced.total for priced in self.orders)

    @property
    def question(self) -> str:
        """The question to confirm."""
        number = len(self.records)
        what = "this task" if number == 1 else f"these {number} tasks"
        return f"Spend {credits_text(self.total)} on {what}?"


def quoted(priced: PricedOrder) -> Quoted:
    """Return the price of the new orders of a priced order, to show.

    Raises `LookupError` if there are none: earlier orders serve for all of them.
    """
    if priced.quote is None:
        raise LookupError("Earlier orders serve for all of this order; there is nothing to price.")
    return Quoted(
        credits=priced.quote.credits,
        count=len(priced.records),
        eta=priced.quote.estimated_seconds,
        model=priced.order.target.name,
        version=priced.order.target.version,
        breakdown=breakdown_of(priced.quote),
        params=priced.order.readable_params(),
    )
