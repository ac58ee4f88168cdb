"""IPython's side of TAB: from a cell and a session to `completion.complete`, and back.

Imported at the first TAB, not when the extension is loaded.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult

from zooop_nb.notebook.completion.candidates import Completion
from zooop_nb.notebook.completion.rules import complete, complete_expression
from zooop_nb.notebook.completion.source import SessionSource
from zooop_nb.notebook.shell_session import ShellSession


class Place(NamedTuple):
    """A line of ours: the text behind the magic's name, its offset in the cell's line, and its form."""

    text: str
    offset: int
    form: Literal["line", "cell", "body"]


_CELL = re.compile(r"[ \t]*%%zooop[ \t]+")
_AUTOMAGIC = re.compile(r"[ \t]*zooop[ \t]+(?![= \t])")
# The magic itself, behind another that runs a line (`%time`), or assigned; not within a string or comment.
_LINE = re.compile(
    r"""[ \t]*(?:%[^\W\d][\w.]*[ \t]+(?:-\w+[ \t]+)*)?"""
    r"""(?:(?:[^#'"%\n]|"[^"\n]*"|'[^'\n]*')*=[ \t]*)?%zooop[ \t]+"""
)


def locate(cell: str, row: int, column: int, *, automagic: bool) -> Place | None:
    """Return the line of ours under the cursor (row and column from 0); None if it is not ours.

    `automagic` says whether `zooop image` without a `%` is the magic.
    """
    lines = cell.split("\n")
    first = next((place for place, line in enumerate(lines) if line.strip()), 0)
    line = lines[row]
    if opening := _CELL.match(lines[first]):
        if row > first:
            return Place(line, 0, "body")
        begin: re.Match[str] | None = opening
        form: Literal["line", "cell"] = "cell"
    else:
        begin, form = _LINE.match(line), "line"
        if begin is None and automagic and len(lines) == 1:
            begin = _AUTOMAGIC.match(line)
    if begin is None or column < begin.end():
        return None
    return Place(line[begin.end() :], begin.end(), form)


class _NothingElse(Sequence[SimpleCompletion]):
    """No completions, and no other matcher's either.

    IPython honours a matcher's wish to suppress the others only if it has completions, and asks for their
    number: this sequence counts as one and holds none.
    """

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[SimpleCompletion]:
        return iter(())

    def __getitem__(self, place: Any) -> Any:
        raise IndexError(place)


def answer(context: CompletionContext, session: ShellSession) -> SimpleMatcherResult:
    """Return what `complete` finds at the cursor of a cell, as IPython expects it from a matcher."""
    shell, column = session.shell, context.cursor_position
    place = locate(
        context.full_text,
        context.cursor_line,
        column,
        automagic=shell.automagic and "zooop" not in shell.user_ns,
    )
    if place is None:
        return {"completions": [], "suppress": False}
    hidden = shell.user_ns_hidden
    namespace = {
        name: value for name, value in shell.user_ns.items() if not (name in hidden and hidden[name] is value)
    }
    cursor = column - place.offset
    if place.form == "body":
        found = complete_expression(place.text, cursor, namespace) or Completion(cursor)
    else:
        found = complete(place.text, cursor, place.form == "cell", SessionSource(session), namespace)
    if found.python:
        return {"completions": [], "suppress": False}
    return {
        "completions": [
            SimpleCompletion(each.text, type=each.label or each.type) for each in found.candidates
        ]
        or _NothingElse(),
        "matched_fragment": place.text[found.start : cursor],
        "suppress": True,
        "ordered": True,
    }
