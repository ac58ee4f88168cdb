"""The line that shows how far orders are, updated in place, and gone when they are done.

It is plain HTML under a display id and never a widget, so that a notebook saved in between stays valid in
every reader. It is updated by the thread that waits, from the moments that the engine put down.
"""

import shutil
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from html import escape
from typing import Final, Protocol

from zooop_nb.results.html import ACCENT, LINE, card, muted
from zooop_nb.results.mimebundle import MimeBundle
from zooop_nb.results.text import clean
from zooop_nb.tasks.progress import Progress

EVERY_SECONDS: Final = 0.25
"""The shortest time between two updates that only tell of seconds gone."""

_ENDS: Final = frozenset({"succeeded", "failed", "cancelled", "unknown"})
_LINES: Final = 6
"""How many unfinished orders a block lists."""


class Display(Protocol):
    """Where a line is shown, as `text/html` and `text/plain`."""

    def show(self, bundle: MimeBundle) -> None:
        """Put the line there, or in the place of the one before."""
        ...

    def close(self, bundle: MimeBundle) -> None:
        """Put the end in the line's place; both texts are empty where nothing is to stay."""
        ...


class ProgressLine:
    """One place in a cell's output that follows orders until they are done.

    In a kernel it is a display that updates in place; in a terminal one line on stderr; elsewhere nothing.
    """

    def __init__(
        self, display: Display | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._display = _here() if display is None else display
        self._clock = clock
        self._shown_at: float | None = None
        self._states: list[str] = []

    def update(self, moments: Sequence[Progress]) -> None:
        """Show the latest moment of each order: at once where a state changed, else four times a second."""
        states = [each.state for each in moments]
        now = self._clock()
        if self._shown_at is not None and states == self._states and now - self._shown_at < EVERY_SECONDS:
            return
        self._shown_at, self._states = now, states
        self._display.show({"text/html": line_html(moments), "text/plain": line_text(moments)})

    def done(self, html: str = "", text: str = "") -> None:
        """Give way to a summary; without one the line clears itself."""
        if self._shown_at is not None or html or text:
            self._display.close({"text/html": html, "text/plain": text})
        self._shown_at, self._states = None, []


def line_html(moments: Sequence[Progress]) -> str:
    """The line as HTML: state, seconds gone and a thin bar; for several orders one block."""
    if not moments:
        return ""
    if len(moments) == 1:
        return card(f"<div>{escape(_words(moments[0]))}</div>{_bar(_share(moments[0]), _words(moments[0]))}")
    under_way = _under_way(moments)
    share = sum(_share(each) or 0.0 for each in moments) / len(moments)
    lines = [muted(escape(_words(each))) for each in under_way[:_LINES]]
    if len(under_way) > _LINES:
        lines.append(muted(f"and {len(under_way) - _LINES} more"))
    return card(f"<div>{_count(moments)}</div>{_bar(share, _count(moments))}{''.join(lines)}")


def line_text(moments: Sequence[Progress]) -> str:
    """The line as text: `Kling V3 · running · 7 s of ~18 s`, or `2 of 3 done · Kling V3 · running · …`."""
    if not moments:
        return ""
    if len(moments) == 1:
        return _words(moments[0])
    under_way = _under_way(moments)
    slowest = max(under_way, key=lambda each: each.seconds, default=None)
    return _count(moments) if slowest is None else f"{_count(moments)} · {_words(slowest)}"


def _under_way(moments: Sequence[Progress]) -> list[Progress]:
    return [each for each in moments if each.state not in _ENDS]


def _count(moments: Sequence[Progress]) -> str:
    return f"{len(moments) - len(_under_way(moments))} of {len(moments)} done"


def _words(moment: Progress) -> str:
    gone = f"{max(moment.seconds, 0):.0f} s"
    if moment.state not in _ENDS:
        gone += " · ETA unknown" if moment.eta is None else f" of ~{moment.eta:.0f} s"
    return " · ".join(
        filter(None, [clean(moment.model or "", limit=80), clean(moment.state, limit=40), gone])
    )


def _share(moment: Progress) -> float | None:
    """How much of the expected time is gone, 0 to 1, short of 1 until the end; None without an ETA."""
    if moment.state in _ENDS:
        return 1.0
    if not moment.eta or moment.eta <= 0:
        return None
    return min(max(moment.seconds, 0.0) / moment.eta, 0.97)


def _bar(share: float | None, label: str) -> str:
    if share is None:
        return ""
    percent = round(100 * share)
    return (
        f'<div role="progressbar" aria-label="{escape(label)}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}" style="width:280px;max-width:100%;height:4px;margin:5px 0;'
        f'border-radius:2px;background:{LINE}"><div style="width:{percent}%;height:4px;border-radius:2px;'
        f'background:{ACCENT}"></div></div>'
    )


class _Kernel:
    """A display of the running cell, updated under its id."""

    def __init__(self) -> None:
        self._id: str | None = None

    def show(self, bundle: MimeBundle) -> None:
        from IPython.display import display, update_display

        # IPython types neither function.
        if self._id is None:
            self._id = uuid.uuid4().hex
            display(bundle, raw=True, display_id=self._id)  # type: ignore[no-untyped-call]
        else:
            update_display(bundle, raw=True, display_id=self._id)  # type: ignore[no-untyped-call]

    def close(self, bundle: MimeBundle) -> None:
        self.show(bundle)
        self._id = None


class _Terminal:
    """One line on stderr that writes over itself."""

    def __init__(self) -> None:
        self._width = 0

    def show(self, bundle: MimeBundle) -> None:
        room = shutil.get_terminal_size().columns - 1
        text = bundle["text/plain"]
        line = text if len(text) <= room else text[: room - 1] + "…"
        self._write("\r" + line.ljust(self._width))
        self._width = len(line)

    def close(self, bundle: MimeBundle) -> None:
        text = bundle["text/plain"]
        self._write("\r" + " " * self._width + "\r" + (f"{text}\n" if text else ""))
        self._width = 0

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


class _Nowhere:
    """Nobody looks."""

    def show(self, bundle: MimeBundle) -> None:
        """Nothing to do."""

    def close(self, bundle: MimeBundle) -> None:
        """Nothing to do."""


def _here() -> Display:
    # Where IPython was never imported there is no kernel, and a script is spared the import.
    if "IPython" in sys.modules:
        from IPython.core.getipython import get_ipython

        shell = get_ipython()
        if shell is not None and getattr(shell, "kernel", None) is not None:
            return _Kernel()
    # There is no stderr under pythonw.
    if sys.stderr is not None and sys.stderr.isatty():
        return _Terminal()
    return _Nowhere()
