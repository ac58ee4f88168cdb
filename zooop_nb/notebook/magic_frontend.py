"""The magic's front end: it prints the one line before each order, and asks as its session does."""

from datetime import datetime
from typing import TYPE_CHECKING

from zooop_nb.contract.credits import credits_text

if TYPE_CHECKING:
    from zooop_nb.frontend import HostFrontend
    from zooop_nb.ledger import Continued
    from zooop_nb.orders.order import Origin
    from zooop_nb.tasks.batch import PricedBatch


class MagicFrontend:
    """The front end of the orders that `%zooop` places."""

    def __init__(self, host: "HostFrontend") -> None:
        self._host = host

    def origin(self) -> "Origin":
        """Return the notebook and the running cell."""
        return self._host.origin()

    def announce(self, batch: "PricedBatch") -> None:
        """Print a line for each order, and for the earlier orders that are taken up instead.

        API documentation: "Quote before submit".
        """
        from zooop_nb.results.render import quoted_line
        from zooop_nb.tasks.batch import quoted

        if batch.taken_up:
            print(taken_up_line(batch))
        for record in batch.elsewhere:
            print(f"→ an order for the same is under way already: %zooop resume {record.order_id[:8]}")
        for priced in batch.orders:
            if priced.records and priced.quote is None:
                print(f"→ {priced.order.target.name} · {credits_text(priced.credits)}")
            elif priced.records:
                print(quoted_line(quoted(priced)))

    def ask(self, question: str) -> bool | None:
        """Ask, if the front end takes input."""
        return self._host.ask(question)


def taken_up_line(batch: "PricedBatch") -> str:
    """Return the line on earlier orders that serve instead of new ones."""
    number = len(batch.taken_up)
    made = sum(record.state == "succeeded" for record in batch.taken_up)
    states = [f"{made} made" if made else "", f"{number - made} under way" if number > made else ""]
    return (
        f"→ takes up {'1 order' if number == 1 else f'{number} orders'} {_of_the_run(batch.continued)}: "
        f"{', '.join(filter(None, states))}; 0 credits (--fresh orders new ones)"
    )


def _of_the_run(continued: "Continued | None") -> str:
    if continued is None:
        return "that an earlier run of this cell left"
    began = datetime.fromisoformat(continued.started_at).astimezone()
    ends = {"interrupted": "interrupted", "failed": "ended by an error"}
    return f"of the run of {began:%H:%M}, {ends.get(continued.outcome or '', 'cut off')}"
