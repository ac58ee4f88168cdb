"""Executions: which run of which cell places an order.

An execution is one outermost, non-silent run of a cell. What the cell runs itself (`run_cell`, subshells,
threads, asynchronous work) belongs to it.

IPython's hooks are paired by their `ExecutionInfo`; `post_run_cell` also fires without `pre_run_cell` (for
the cell that loads the extension, and for blank ones) and may be given None (an interrupted asynchronous
cell).
"""

import asyncio
import sys
import threading
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final, Literal
from weakref import WeakKeyDictionary

Outcome = Literal["well", "interrupted", "failed"]

_RUNS_CELLS: Final = "run_cell_async"
"""IPython's function that runs a cell; `pre_run_cell` fires within it, and `post_run_cell` after it."""

_ids: "WeakKeyDictionary[Any, str]" = WeakKeyDictionary()
"""The ids of executions by their `ExecutionInfo`."""


@dataclass(eq=False)
class CellRun:
    """One execution of a cell."""

    info: Any
    """IPython's `ExecutionInfo`."""
    thread: int
    task: "asyncio.Task[Any] | None"
    """The asyncio task that runs an asynchronous cell; None for any other cell."""
    stopped: bool = False
    """Whether an inner cell was interrupted: an outer one goes on after it, and seems to end well."""
    shown_before: BaseException | None = None
    """The last exception that IPython had shown as the cell began."""
    ended: Outcome | None = None
    """How it ended; None while it runs."""

    @property
    def id(self) -> str:
        """The id of the execution; it stays the same if the cell reloads the extension."""
        return _ids.setdefault(self.info, uuid.uuid4().hex)

    @property
    def source(self) -> str:
        """The cell's source."""
        return str(self.info.raw_cell)

    @property
    def cell_id(self) -> str | None:
        """The front end's own id of the cell."""
        found = getattr(self.info, "cell_id", None)
        return None if found is None else str(found)


class Executions:
    """The executions of one shell. `on_end` is called with each one, and how it ended, as it ends."""

    def __init__(self, shell: Any, on_end: Callable[[CellRun, Outcome], None]) -> None:
        self._shell = shell
        self._on_end = on_end
        self._open: list[CellRun] = []
        self._unreported: list[tuple[CellRun, Outcome]] = []
        self._sources: dict[int, list[Any]] = {}
        """The cells that run on each thread, inner ones last."""
        self._of_threads: WeakKeyDictionary[threading.Thread, CellRun] = WeakKeyDictionary()
        """The last execution that each thread ordered for."""
        self._mine: ContextVar[CellRun | None] = ContextVar("zooop_execution", default=None)

    def adopt_running_cell(self) -> None:
        """Take the cell that is running now, which loads the extension, as an execution."""
        # IPython's displayhook knows only the innermost one, and none after an inner one has ended.
        infos = [each for each in _running() if not each.silent]
        if infos:
            self._begin(infos[0])
            self._sources[threading.get_ident()] += infos[1:]

    def before_cell(self, info: Any) -> None:
        """Begin an execution, unless the cell is run by another. Called for `pre_run_cell`."""
        here = threading.get_ident()
        if not self._is_inner(here):
            # What is still open on this thread was never closed.
            for run in [each for each in self._open if each.thread == here]:
                self._end(run, run.ended or "interrupted")
            self._report()
            self._sources.pop(here, None)
            self._begin(info)
        else:
            self._sources.setdefault(here, []).append(info)

    def after_cell(self, result: Any) -> None:
        """End the execution whose cell has ended. Called for `post_run_cell`."""
        here = threading.get_ident()
        sources = self._sources.get(here, [])
        mine = [each for each in self._open if each.thread == here]
        info = getattr(result, "info", None)
        run = next((each for each in mine if each.info is info), None)
        if run is None and mine and (info is None or _same_cell(info, mine[-1].info)) and not _running():
            # After an exception IPython describes the cell anew; after a cancelled one it knows nothing.
            run = mine[-1]
        if run is not None:
            self._sources.pop(here, None)
            # A cell that is not asynchronous shares its context with what comes after it.
            self._mine.set(None)
            outcome = _outcome(result)
            if outcome == "well":
                outcome = "interrupted" if run.stopped else _shown_since(run)
            self._end(run, outcome)
        elif sources and (info is sources[-1] or (info is not None and _same_cell(info, sources[-1]))):
            sources.pop()
            outer = self.current()
            if outer is not None and _outcome(result) == "interrupted":
                outer.stopped = True

    def current(self) -> CellRun | None:
        """Return the execution that the calling code belongs to; None outside of any."""
        mine = self._mine.get()
        if mine is not None:
            return mine
        here = threading.get_ident()
        on_this_thread = [each for each in self._open if each.thread == here]
        foreground = [each for each in self._open if each.thread == _main()]
        run = next(iter([*on_this_thread[-1:], *foreground[-1:], *self._open[-1:]]), None)
        if here == _main():
            return run
        # A thread that works on after its cell still belongs to it.
        thread = threading.current_thread()
        if run is not None:
            self._of_threads[thread] = run
        return run or self._of_threads.get(thread)

    def source(self) -> str | None:
        """Return the source of the innermost cell that runs here."""
        sources = self._sources.get(threading.get_ident())
        if sources:
            return str(sources[-1].raw_cell)
        run = self.current()
        return None if run is None else run.source

    def close(self) -> None:
        """End what is running: the extension is unloaded, and how its cell ends is not heard of any more."""
        for run in list(self._open):
            self._end(run, "interrupted")
        self._sources.clear()

    def _begin(self, info: Any) -> None:
        here = threading.get_ident()
        run = CellRun(info, here, _task_of_cell(), shown_before=_last_shown())
        self._open.append(run)
        self._sources[here] = [info]
        self._mine.set(run)

    def _end(self, run: CellRun, outcome: Outcome) -> None:
        run.ended = outcome
        run.shown_before = None
        self._unreported.append((run, outcome))
        self._open.remove(run)
        self._report()

    def _report(self) -> None:
        """Report what has ended. An interrupt in the middle of it leaves that to the next cell."""
        while self._unreported:
            run, outcome = self._unreported[0]
            try:
                self._on_end(run, outcome)
            except Exception:
                self._unreported.remove((run, outcome))
                raise
            self._unreported.remove((run, outcome))

    def _is_inner(self, here: int) -> bool:
        mine = self._mine.get()
        running = [each for each in self._open if each.thread == here]
        if not running:
            # A thread or subshell of the cell in the foreground, if one runs.
            return here != _main() and any(each.thread == _main() for each in self._open)
        goes_on = any(each.task is not None and not each.task.done() for each in running)
        return len(_running()) > 1 or (goes_on and mine in running)


def _task_of_cell() -> "asyncio.Task[Any] | None":
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return None
    coroutine = None if task is None else task.get_coro()
    return task if getattr(coroutine, "__name__", None) == _RUNS_CELLS else None


def _running() -> list[Any]:
    """Return IPython's `ExecutionInfo` of the cells that this thread runs, each run by the one before."""
    found: list[Any] = []
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == _RUNS_CELLS and "info" in frame.f_locals:
            found.append(frame.f_locals["info"])
        frame = frame.f_back
    return found[::-1]


def _main() -> int | None:
    return threading.main_thread().ident


def _same_cell(one: Any, other: Any) -> bool:
    return bool(one.raw_cell == other.raw_cell)


def _last_shown() -> BaseException | None:
    """Return the exception whose traceback IPython showed last."""
    return getattr(sys, "last_value", None)


def _shown_since(run: CellRun) -> Outcome:
    """Return how a cell ended that raised nothing.

    `%run`, `%prun` and an output widget show an exception and swallow it, an interrupt among them: what the
    cell did after that is not all that it was to do.
    """
    shown = _last_shown()
    return "well" if shown is None or shown is run.shown_before else _outcome_of(shown)


def _outcome(result: Any) -> Outcome:
    """Return how a cell ended: well, interrupted or failed."""
    if result is None:
        return "interrupted"
    if result.success:
        return "well"
    return _outcome_of(result.error_before_exec or result.error_in_exec)


def _outcome_of(error: BaseException | None) -> Outcome:
    stopped = isinstance(error, KeyboardInterrupt | asyncio.CancelledError)
    return "interrupted" if stopped else "failed"
