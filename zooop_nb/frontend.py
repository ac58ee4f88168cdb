"""What the studio asks of whoever stands in front of it: where an order is written, and yes or no.

A notebook puts its own face here; without one, it is a plain Python program.
"""

import sys
from typing import Protocol

from zooop_nb.orders.order import Origin


class Frontend(Protocol):
    """Called on the thread of the caller, never on the engine's."""

    def origin(self) -> Origin:
        """Where the order that is being made is written."""
        ...

    def ask(self, question: str) -> bool | None:
        """The answer to a question; None where nobody can answer."""
        ...


class TerminalFrontend:
    """A script, or an interactive Python in a terminal."""

    def origin(self) -> Origin:
        """A script has no cells."""
        return Origin()

    def ask(self, question: str) -> bool | None:
        """Asked in the terminal, if there is one."""
        if not (sys.stdin and sys.stdin.isatty()):
            return None
        return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


_face: Frontend = TerminalFrontend()


def current() -> Frontend:
    """The face in front of the studio."""
    return _face


def use(face: Frontend) -> Frontend:
    """Put a face in front of the studio; the one that stood there before is returned."""
    global _face
    before, _face = _face, face
    return before
