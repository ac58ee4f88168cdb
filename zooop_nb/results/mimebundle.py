"""How a value displays itself, for values that do not know who renders them.

`zooop_nb.results` registers the renderer of each kind once; a kind without a renderer shows its repr.
"""

from functools import singledispatch
from typing import Any

MimeBundle = dict[str, Any]
"""Content types and their data, as Jupyter's `_repr_mimebundle_` returns them."""


@singledispatch
def mimebundle(value: object) -> MimeBundle:
    """Return the value as `text/html` and `text/plain`."""
    return {"text/plain": repr(value)}


class Displayable:
    """A value that displays itself in a notebook."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> MimeBundle:
        return mimebundle(self)
