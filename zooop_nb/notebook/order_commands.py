"""The verbs that make something: the one line, the question, the progress, the result."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from zooop_nb.errors import InputError
from zooop_nb.notebook.cell_position import Placement
from zooop_nb.notebook.grammar import Command, Options
from zooop_nb.notebook.shell_session import Session
from zooop_nb.notebook.variables import expand_text, expand_value

if TYPE_CHECKING:
    from zooop_nb.orders.pricing import OrderRequest
    from zooop_nb.results.values import Gallery, Quoted, Result
    from zooop_nb.studio import Studio
    from zooop_nb.tasks.checkout import PricedBatch
    from zooop_nb.tasks.task import Task, Tasks

Namespace = Mapping[str, object]
V = TypeVar("V", "Result", "Gallery")


def make(
    session: Session, command: Command, namespace: Namespace, placed: Placement
) -> "Result | Gallery | Task | Tasks":
    """Make what a line asks for. The value is shown here where nobody else would."""
    from zooop_nb.tasks.task import WaitingStopped

    studio = session.studio()
    tasks: Tasks | None = None
    try:
        prepared = studio.prepare([ask_for(studio, command, namespace)], **money_of(command.options))
        with studio.desk.release_on_error(prepared):
            announce(prepared)
            studio.confirm(prepared)
            tasks = studio.place(prepared)
        tasks.accepted()
        if command.options.background:
            return _in_background(tasks)
        return wait(tasks, silent=command.silent, placed=placed)
    except WaitingStopped:
        raise
    except KeyboardInterrupt:
        if tasks is not None:
            raise tasks.interrupted() from None
        raise KeyboardInterrupt("Stopped. This line has submitted nothing, and pays nothing.") from None


def quote(session: Session, command: Command, namespace: Namespace) -> "Quoted":
    """Price what a line asks for."""
    studio = session.studio()
    prepared = studio.prepare([ask_for(studio, command, namespace)], paying=False)
    return prepared.plans[0].quoted()


def resume(
    session: Session, order_id: str | None, *, silent: bool, placed: Placement
) -> "Gallery | Result | None":
    """Pick up what is unfinished, or one order."""
    from zooop_nb.results.values import Gallery

    tasks, final_result = session.studio().desk.resume(order_id)
    if not tasks and not final_result:
        print("Nothing is unfinished.")
        return Gallery(()) if placed == "used" else None
    for result in final_result:
        print(f"{result.order_id}  {result.status}: {result.error or 'ended'}")
    made = [task.final_result() for task in _watched(tasks)]
    results = (*final_result, *made)
    if order_id is not None:
        return _placed(results[0], silent, placed)
    return _placed(Gallery(results), silent, placed)


def ask_for(studio: "Studio", command: Command, namespace: Namespace) -> "OrderRequest":
    """What a line asks for, its expressions filled."""
    from dataclasses import replace

    from zooop_nb.orders.pricing import OrderRequest

    options = command.options
    params = {name: expand_value(value.text, namespace) for name, value in command.params.items()}
    if command.verb == "again":
        if command.arguments:
            raise InputError(
                f"again takes name=value, not “{' '.join(command.arguments)}”.", value=command.arguments[0]
            )
        ask = studio.ask_again(params)
        return replace(
            ask,
            count=options.count or 1,
            tags=(*ask.tags, *options.tags),
            version=options.version or ask.version,
        )
    if command.verb in {"tool", "template"} and not command.arguments:
        raise InputError(f"{command.verb} needs a slug: %zooop {command.verb} SLUG.", value=command.verb)
    return OrderRequest(
        command.verb,
        words=expand_text(command.words, namespace),
        params=params,
        slug=expand_text(command.arguments[0], namespace) if command.arguments else None,
        model=options.model,
        version=options.version,
        count=options.count or 1,
        best=options.best,
        cheap=options.cheap,
        tags=tuple(options.tags),
    )


def money_of(options: Options) -> dict[str, Any]:
    """The options that `Studio.prepare` takes as they are."""
    budget = options.budget
    if budget is not None and budget == int(budget):
        budget = int(budget)
    return {"yes": options.yes, "ask": options.ask, "budget": budget, "fresh": options.fresh}


def announce(prepared: "PricedBatch") -> None:
    """The one line before submitting, and what is attached to instead. API documentation: "Quote before
    submit"."""
    from zooop_nb.results.render import quoted_line

    for plan in prepared.plans:
        if plan.attached:
            many = len(plan.attached) > 1
            print(
                f"→ attached to {f'{len(plan.attached)} orders' if many else 'the order'} that an earlier "
                f"run of this cell left; nothing more to pay for {'them' if many else 'it'}"
            )
        if plan.entries:
            print(quoted_line(plan.quoted()))


def wait(tasks: "Tasks", *, silent: bool, placed: Placement) -> "Result | Gallery":
    """Wait with a line of progress; the value, shown where nobody else would show it."""
    _watched(tasks)
    if len(tasks) == 1:
        return _placed(tasks[0].result(), silent, placed)
    return _placed(tasks.result(), silent, placed)


def _watched(tasks: "Tasks") -> "Tasks":
    from zooop_nb.notebook.progress import ProgressLine

    line = ProgressLine()
    try:
        for moments in tasks.moments():
            line.update(moments)
    except KeyboardInterrupt:
        # It may have come while the line was drawn.
        raise tasks.interrupted() from None
    finally:
        line.done()
    return tasks


def _placed(value: V, silent: bool, placed: Placement) -> V:
    if not silent and placed != "out":
        if placed == "bare":
            from IPython.display import display

            display(value)  # type: ignore[no-untyped-call]
        else:
            print(value._repr_mimebundle_()["text/plain"])
    return value


def _in_background(tasks: "Tasks") -> "Task | Tasks":
    """The tasks at once; a display that is updated from the kernel's own loop, if there is one."""
    from zooop_nb.notebook.progress import ProgressLine

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        # A terminal's IPython runs no loop between its lines.
        print(f"{len(tasks)} under way; %zooop tasks tells how far.")
    else:
        line = ProgressLine()
        line.update([task.progress for task in tasks if task.progress is not None])
        _keep(loop.create_task(_update(tasks, line)))
    return tasks[0] if len(tasks) == 1 else tasks


async def _update(tasks: "Tasks", line: Any) -> None:
    while not all(task.done() for task in tasks):
        line.update([task.progress.now() for task in tasks if task.progress is not None])
        await asyncio.sleep(0.5)
    from zooop_nb.results.values import Gallery

    results = [await asyncio.to_thread(task.final_result) for task in tasks]
    bundle = (results[0] if len(results) == 1 else Gallery(tuple(results)))._repr_mimebundle_()
    line.done(bundle["text/html"], bundle["text/plain"])


_updates: "set[asyncio.Task[None]]" = set()


def _keep(task: "asyncio.Task[None]") -> None:
    """A loop keeps no reference of its own to a task."""
    _updates.add(task)
    forget: Callable[[asyncio.Task[None]], None] = _updates.discard
    task.add_done_callback(forget)
