"""The magic's front end: it prints the one line before each order, and asks as its session does."""

from typing import TYPE_CHECKING

from zooop_nb.contract.credits import credits_text

if TYPE_CHECKING:
    from zooop_nb.frontend import HostFrontend
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
        """Print a line for each order, and for the earlier orders that are attached to instead.

        API documentation: "Quote before submit".
        """
        from zooop_nb.results.render import quoted_line
        from zooop_nb.tasks.batch import quoted

        for priced in batch.orders:
            if priced.attached:
                many = len(priced.attached) > 1
                print(
                    f"→ attached to {f'{len(priced.attached)} orders' if many else 'the order'} that an "
                    "earlier run of this cell left; "
                    f"nothing more to pay for {'them' if many else 'it'}"
                )
            if priced.records and priced.quote is None:
                print(f"→ {priced.order.target.name} · {credits_text(priced.credits)}")
            elif priced.records:
                print(quoted_line(quoted(priced)))

    def ask(self, question: str) -> bool | None:
        """Ask, if the front end takes input."""
        return self._host.ask(question)
