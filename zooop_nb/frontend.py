"""Front ends: who answers a confirmation, and where an order is written.

A notebook registers its own front end as the default; without one, it is the terminal's. Only `Studio` reads
the default; below it a front end is passed on.
"""

import sys
import warnings
from typing import TYPE_CHECKING, Protocol

from zooop_nb.tasks.frontend import Frontend

if TYPE_CHECKING:
    from zooop_nb.orders.order import Origin
    from zooop_nb.tasks.batch import PricedBatch


class HostFrontend(Frontend, Protocol):
    """A front end that also knows where an order is written, so that it can serve as the default."""

    def origin(self) -> "Origin":
        """Return where the order that is being placed is written: notebook and cell, as far as known."""
        ...


class TerminalFrontend:
    """The front end of a script or of an interactive Python in a terminal."""

    def origin(self) -> "Origin":
        """A script has no cells."""
        from zooop_nb.orders.order import Origin

        return Origin()

    def announce(self, batch: "PricedBatch") -> None:
        """Warn of orders that ask for the same, and are under way; a program shows the rest as it likes."""
        for record in batch.elsewhere:
            warnings.warn(
                "An order for the same is under way already: "
                f'studio.resume("{record.order_id[:8]}") picks it up.',
                stacklevel=3,
            )

    def ask(self, question: str) -> bool | None:
        """Ask in the terminal, if there is one."""
        return ask(question) if sys.stdin and sys.stdin.isatty() else None


def ask(question: str) -> bool | None:
    """Ask where `input` asks: in the terminal or in the notebook. None if the input ends (Ctrl-D)."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return None


_default: HostFrontend = TerminalFrontend()


def default() -> HostFrontend:
    """Return the registered default."""
    return _default


def register(frontend: HostFrontend) -> HostFrontend:
    """Make a front end the default; return the previous one."""
    global _default
    previous, _default = _default, frontend
    return previous
