"""IPython's side of TAB: from a cell and a session to `completion.complete`, and back.

Imported at the first TAB, not when the extension is loaded.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult

from zooop_nb.errors import ZooopError
from zooop_nb.notebook.completion.rules import Completion, complete, complete_expression
from zooop_nb.notebook.shell_session import Session

if TYPE_CHECKING:
    from zooop_nb.contract.categories import Category
    from zooop_nb.contract.shapes import Model, Recipe
    from zooop_nb.ledger import OrderRecord
    from zooop_nb.orders.catalogue import CatalogueCache
    from zooop_nb.studio import Studio


class Place(NamedTuple):
    """A line of ours: the text behind the magic's name, where it begins in the cell's line, its form."""

    text: str
    offset: int
    form: Literal["line", "cell", "body"]


_CELL = re.compile(r"[ \t]*%%zooop[ \t]+")
_AUTOMAGIC = re.compile(r"[ \t]*zooop[ \t]+(?![= \t])")
# The magic itself, behind another that runs a line (`%time`), or assigned. A `=` or `%` in a string or a
# comment is none of these.
_LINE = re.compile(
    r"""[ \t]*(?:%[^\W\d][\w.]*[ \t]+(?:-\w+[ \t]+)*)?"""
    r"""(?:(?:[^#'"%\n]|"[^"\n]*"|'[^'\n]*')*=[ \t]*)?%zooop[ \t]+"""
)


def locate(cell: str, row: int, column: int, *, automagic: bool) -> Place | None:
    """The line of ours under the cursor (row and column from 0), or None where it is none of ours.

    `automagic` tells whether `zooop image` without a `%` is the magic.
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


class SessionSource:
    """What a session knows without asking anybody: the lists on disk, and the ledger once it is in use."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def models(self, category: "Category") -> "Sequence[Model]":
        """See `CompletionSource`."""
        kept = self._kept()
        return kept.models(category) if kept else ()

    def tools(self) -> "Sequence[Recipe]":
        """See `CompletionSource`."""
        kept = self._kept()
        return kept.tools() if kept else ()

    def templates(self) -> "Sequence[Recipe]":
        """See `CompletionSource`."""
        kept = self._kept()
        return kept.templates() if kept else ()

    def last(self) -> "OrderRecord | None":
        """See `CompletionSource`."""
        studio = self._studio()
        try:
            return (
                studio.ledger.last(mode="sandbox" if studio.settings.on_sandbox else "live")
                if studio
                else None
            )
        except ZooopError:
            # The next order says what is wrong with the ledger; TAB is not the place.
            return None

    def unfinished(self) -> "Sequence[OrderRecord]":
        """See `CompletionSource`."""
        studio = self._studio()
        try:
            return studio.ledger.unfinished() if studio else ()
        except ZooopError:
            return ()

    def paths(self, begun: str) -> Sequence[str]:
        """See `CompletionSource`. Hidden files only where a dot asks for them."""
        cut = max(begun.rfind("/"), begun.rfind(os.sep)) + 1
        folder, name = begun[:cut], begun[cut:]
        try:
            with os.scandir(Path(folder or ".").expanduser()) as found:
                names = sorted(
                    f"{each.name}/" if each.is_dir() else each.name
                    for each in found
                    if each.name.startswith(name) and (name or not each.name.startswith("."))
                )
        except (OSError, RuntimeError, ValueError):
            # No such folder, no such user's home, or a name that no folder can have.
            return ()
        return [folder + each for each in names]

    def _studio(self) -> "Studio | None":
        """The studio, where there is one and its ledger has begun: TAB begins neither."""
        studio = self._session.known_studio()
        return studio if studio is not None and studio.settings.ledger_path.exists() else None

    def _kept(self) -> "CatalogueCache | None":
        try:
            settings = self._session.settings()
        except ZooopError:
            # A setting that cannot be used: the next line that is run says so.
            return None
        from zooop_nb.orders.catalogue import CatalogueCache

        return CatalogueCache(settings.host, settings.cache_path)


class _NothingElse(Sequence[SimpleCompletion]):
    """No completions, and nobody else's either.

    IPython hears a matcher's wish to suppress the others only where it has completions itself, and it asks
    for their number. So this one counts as one and holds none.
    """

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[SimpleCompletion]:
        return iter(())

    def __getitem__(self, place: Any) -> Any:
        raise IndexError(place)


def answer(context: CompletionContext, session: Session) -> SimpleMatcherResult:
    """What `complete` finds under the cursor of a cell, as IPython takes it from a matcher."""
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
