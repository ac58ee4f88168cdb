"""What the checkout needs of a front end. Light to import: loading the extension registers one."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from zooop_nb.tasks.batch import PricedBatch


class Frontend(Protocol):
    """What a checkout needs of the front end. Called on the caller's thread, never on the background one."""

    def announce(self, batch: "PricedBatch") -> None:
        """Show what will be ordered and what it costs, before it is confirmed and submitted."""
        ...

    def ask(self, question: str) -> bool | None:
        """Return the user's answer to a question, or None if the front end takes no input."""
        ...
