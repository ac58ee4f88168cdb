"""How a value shows itself, for values that do not know who draws them.

`zooop_nb.results.render` registers the drawing of each kind; what it has not registered shows its repr.
"""

from functools import singledispatch
from typing import Any

MimeBundle = dict[str, Any]
"""Content types and what to show in each, as Jupyter's `_repr_mimebundle_` gives them."""


@singledispatch
def bundle(value: object) -> MimeBundle:
    """The value as `text/html` and `text/plain`."""
    return {"text/plain": repr(value)}


class Displayable:
    """A value that shows itself in a notebook."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> MimeBundle:
        return bundle(self)
