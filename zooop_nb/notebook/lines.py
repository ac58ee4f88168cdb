"""A few lines of text as the value of a command."""

from html import escape


class Lines:
    """Lines that are displayed as text."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        from zooop_nb.results.html import card

        return card("".join(f"<div>{escape(line)}</div>" for line in self.lines))
