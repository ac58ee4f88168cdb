"""The line that shows the progress of orders, updated in place, and removed when they are done.

It is plain HTML under a display id, never a widget, so that a notebook saved meanwhile stays valid in every
reader. The waiting thread updates it from the progress that the background thread stores.
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
"""The shortest time between two updates that only change the elapsed seconds."""
AT_ONCE_AFTER: Final = 0.1
"""The shortest time between any two: drawing takes milliseconds from the thread that the orders run on."""

_ENDS: Final = frozenset({"succeeded", "failed", "cancelled", "unknown", "refused", "withdrawn"})
_LINES: Final = 6
"""The number of unfinished orders that a block lists."""


class Display(Protocol):
    """A place that shows a line as `text/html` and `text/plain`."""

    def show(self, bundle: MimeBundle) -> None:
        """Show the line, replacing the previous one."""
        ...

    def close(self, bundle: MimeBundle) -> None:
        """Replace the line by its end; both texts are empty if nothing should remain."""
        ...


class ProgressLine:
    """One line in a cell's output that follows orders until they are done.

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
        """Show the latest progress of each order: at once if a state changed, else four times a second.

        A state that changes again within a tenth of a second is shown with the next update.
        """
        if not moments:
            return
        states = [each.state for each in moments]
        now = self._clock()
        pause = EVERY_SECONDS if states == self._states else AT_ONCE_AFTER
        # Before the first word of any of them there is nothing to show.
        if not moments or (self._shown_at is not None and now - self._shown_at < pause):
            return
        self._shown_at, self._states = now, states
        self._display.show({"text/html": line_html(moments), "text/plain": line_text(moments)})

    def done(self, html: str = "", text: str = "") -> None:
        """Replace the line by a summary; without one it is cleared."""
        if self._shown_at is not None or html or text:
            self._display.close({"text/html": html, "text/plain": text})
        self._shown_at, self._states = None, []


def line_html(moments: Sequence[Progress]) -> str:
    """Return the line as HTML: state, elapsed seconds and a thin bar; one block for several orders."""
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
    """Return the line as text: `Kling V3 · running · 7 s of ~18 s`, or `2 of 3 done · Kling V3 · …`."""
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
    if moment.state == "waiting":
        pieces = ["waiting for its turn", moment.note or ""]
    else:
        gone = f"{max(moment.seconds, 0):.0f} s"
        if moment.state not in _ENDS:
            gone += " · ETA unknown" if moment.eta is None else f" of ~{moment.eta:.0f} s"
        pieces = [clean(moment.state, limit=40), gone, moment.note or ""]
    return " · ".join(filter(None, [clean(moment.model or "", limit=80), *pieces]))


def _share(moment: Progress) -> float | None:
    """Return the elapsed share of the ETA, 0 to 1 and below 1 until the end; None without an ETA."""
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
    """One line on stderr that overwrites itself."""

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
    """Shows nothing: neither a kernel nor a terminal."""

    def show(self, bundle: MimeBundle) -> None:
        """Nothing to do."""

    def close(self, bundle: MimeBundle) -> None:
        """Nothing to do."""


def _here() -> Display:
    # Without IPython imported there is no kernel; a script is spared the import.
    if "IPython" in sys.modules:
        from IPython.core.getipython import get_ipython

        shell = get_ipython()
        if shell is not None and getattr(shell, "kernel", None) is not None:
            return _Kernel()
    # There is no stderr under pythonw.
    if sys.stderr is not None and sys.stderr.isatty():
        return _Terminal()
    return _Nowhere()
