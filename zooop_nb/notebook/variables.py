"""Fills the `{expressions}` of a prompt, an argument or a value from the user's namespace.

IPython's own expansion fails on JSON, takes `$5` for a variable and leaves everything raw if one part fails;
here each brace is filled, kept as typed, or an error:

- `{name}`, `{name.attr}`, `{name[index]}` and chains of them (`{a.b[0].c}`) are filled. An index is a whole
  number, or a string with or without quotes. Spaces just inside the braces do not matter.
- `{{` is a literal brace, and so is `}}`, except if it closes two braces that stay as typed, as in JSON.
- A brace that holds anything else stays as typed: JSON, CSS, `{}`, `{1,2}`, calls, and also `{x:.2f}` and
  `{x!r}`, which cannot be told from CSS. An expression inside such a brace is filled.
- An undefined name, an attribute or index that fails, and a double-underscored name are errors.

It is a single pass over split text: what was filled in is not expanded again. Quotes around a value make no
difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from zooop_nb.errors import UnknownVariable
from zooop_nb.nearest import nearest
from zooop_nb.notebook.tokens import EXPRESSION

_BRACE = re.compile(r"[{}]")
_NAME = re.compile(r"\{[ \t]*(\w+)")
_STEP = re.compile(
    r"""\.(?P<attribute>\w+)|\[(?:(?P<index>-?\d+)|(?P<quote>["']?)(?P<key>.*?)(?P=quote))\]"""
)


def expand_text(text: str, namespace: Mapping[str, object]) -> str:
    """Return the text with its expressions filled in as text. Raises `UnknownVariable`."""
    return "".join(_pieces(text, namespace))


def expand_value(text: str, namespace: Mapping[str, object]) -> object:
    """Return the object itself if the text is a single expression, else `expand_text`.

    Raises `UnknownVariable`.
    """
    whole = EXPRESSION.fullmatch(text)
    return _resolve(whole[0], namespace) if whole else expand_text(text, namespace)


def _pieces(text: str, namespace: Mapping[str, object]) -> Iterator[str]:
    doubled: list[bool] = []  # the braces still open: whether each was written twice
    at = 0
    while brace := _BRACE.search(text, at):
        yield text[at : brace.start()]
        at = brace.start()
        if text.startswith("{{", at):
            doubled.append(True)
            yield "{"
            at += 2
        elif expression := EXPRESSION.match(text, at):
            yield str(_resolve(expression[0], namespace))
            at = expression.end()
        elif brace[0] == "{":
            doubled.append(False)
            yield "{"
            at += 1
        else:
            twice = doubled.pop() if doubled else True
            yield "}"
            at += 2 if twice and text.startswith("}}", at) else 1
    yield text[at:]


def _resolve(expression: str, namespace: Mapping[str, object]) -> object:
    head = _NAME.match(expression)
    assert head is not None, expression
    name = head[1]
    _refuse_dunder(name, expression)
    if name not in namespace:
        public = sorted(key for key in namespace if not key.startswith("_"))
        raise UnknownVariable(
            "variable",
            name,
            nearest=nearest(name, public),
            message=f"`{expression}`: nothing is named `{name}` here. "
            "A brace that is text is written `{{`.",
        )
    found = namespace[name]
    for step in _STEP.finditer(expression, head.end()):
        attribute = step["attribute"]
        if attribute is not None:
            _refuse_dunder(attribute, expression)
            found = _attribute(found, attribute, expression)
        else:
            found = _index(found, int(step["index"]) if step["index"] else step["key"], expression)
    return found


def _refuse_dunder(name: str, expression: str) -> None:
    if name.startswith("__"):
        raise UnknownVariable(
            "variable", name, message=f"`{expression}`: `{name}` is Python's own and is not filled in."
        )


def _attribute(owner: object, name: str, expression: str) -> object:
    try:
        return getattr(owner, name)
    except Exception as error:  # a property may raise anything
        public = [known for known in dir(owner) if not known.startswith("_")]
        raise UnknownVariable(
            "attribute", name, nearest=nearest(name, public), message=f"`{expression}`: {_reason(error)}"
        ) from error


def _index(owner: object, key: int | str, expression: str) -> object:
    try:
        return owner[key]  # type: ignore[index]
    except Exception as error:  # as may an index
        known = [entry for entry in owner if isinstance(entry, str)] if isinstance(owner, Mapping) else []
        raise UnknownVariable(
            "index", str(key), nearest=nearest(str(key), known), message=f"`{expression}`: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error}."
    return f"{str(error).rstrip('.') or type(error).__name__}."
