"""The commands that order: the one line, the question, the progress, the result."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from zooop_nb.errors import InputError
from zooop_nb.notebook.arguments import filled, known_params, one
from zooop_nb.notebook.cell_position import CellPosition
from zooop_nb.notebook.grammar import Command, Options
from zooop_nb.notebook.shell_session import ShellSession
from zooop_nb.notebook.variables import expand_text, expand_value
from zooop_nb.verbs import ORDER_VERBS

if TYPE_CHECKING:
    from zooop_nb.orders.request import OrderRequest, SpendingOptions
    from zooop_nb.results.values import Described, Gallery, Quoted, Result
    from zooop_nb.studio import Studio
    from zooop_nb.tasks.task import Task, Tasks

Namespace = Mapping[str, object]
V = TypeVar("V", bound="Result | Gallery")


def order(session: ShellSession, command: Command, namespace: Namespace) -> "Result | Gallery | Task | Tasks":
    """Order what a line asks for. The value is displayed here if nothing else would display it."""
    from zooop_nb.tasks.task import WaitingStopped

    position = session.cell_position()
    studio = session.studio()
    request = request_for(studio, command, namespace)
    background = command.options.background
    tasks = studio.order_all([request], spending_options(command.options), background=background)
    if background:
        return _in_background(tasks)
    try:
        _watch(tasks)
        return _display(tasks.single_or_gallery(), command.silent, position)
    except WaitingStopped:
        raise
    except KeyboardInterrupt:
        # It may have come while the picture was displayed.
        raise tasks.interrupted() from None


def quote(session: ShellSession, command: Command, namespace: Namespace) -> "Quoted":
    """Price what a line asks for."""
    inner = command.inner
    if inner is None:
        raise InputError("quote needs a verb: %zooop quote image a red panda.", value="quote")
    if inner.verb not in ORDER_VERBS:
        cost = "costs 1 credit" if inner.verb == "describe" else "costs nothing"
        raise InputError(f"{inner.verb} has no quote: it {cost}.", value=inner.verb)
    studio = session.studio()
    return studio.checkout.quote(request_for(studio, inner, namespace), session.origin())


def describe(session: ShellSession, command: Command, namespace: Namespace) -> "Described":
    """Describe an image, for 1 credit."""
    known_params(command, instead={"language": "--language"})
    files, _ = filled(command, namespace)
    picture = one(files, "describe", "one picture (quote a path with spaces)")
    options = command.options
    return session.studio().describe(
        picture,
        options.language,
        yes=options.yes,
        ask=options.ask,
        budget=options.budget,
        fresh=options.fresh,
        tags=options.tags,
    )


def resume(session: ShellSession, command: Command, namespace: Namespace) -> "Gallery | Result | None":
    """Pick up what is unfinished, or one order."""
    from zooop_nb.results.values import Gallery
    from zooop_nb.tasks.task import WaitingStopped

    position = session.cell_position()
    arguments = [expand_text(each, namespace) for each in command.arguments]
    order_id = one(arguments, "resume", "an order's id") if arguments else None
    tasks, others = session.studio().checkout.resume(order_id, session.origin())
    if not tasks and not others:
        print("Nothing is unfinished.")
        return Gallery(()) if position == "used" else None
    try:
        for result in others:
            print(f"{result.order_id}  {result.status}: {result.error or 'ended'}")
        results = (*others, *_watch(tasks).final_results())
        if order_id is not None:
            return _display(results[0], command.silent, position)
        return _display(Gallery(results), command.silent, position)
    except WaitingStopped:
        raise
    except KeyboardInterrupt:
        raise tasks.interrupted() from None


COMMANDS: Final[Mapping[str, Callable[[ShellSession, Command, Namespace], Any]]] = {
    "quote": quote,
    "describe": describe,
    "resume": resume,
}
"""The commands of single verbs; every verb of `ORDER_VERBS` is `order`."""


def request_for(studio: "Studio", command: Command, namespace: Namespace) -> "OrderRequest":
    """Return what a line asks for, its expressions filled. Raises `InputError`."""
    from zooop_nb.orders.request import OrderRequest

    options = command.options
    request = OrderRequest(
        command.verb,
        words=expand_text(command.words, namespace),
        params={name: expand_value(value.text, namespace) for name, value in command.params.items()},
        model=options.model,
        version=options.version,
        count=options.count or 1,
        best=options.best,
        cheap=options.cheap,
        tags=tuple(options.tags),
    )
    if command.verb == "again":
        if command.arguments:
            raise InputError(
                f"again takes name=value, not “{' '.join(command.arguments)}”.", value=command.arguments[0]
            )
        return studio.repeat(request, fresh=options.fresh)
    if command.verb in {"tool", "template"}:
        if not command.arguments:
            raise InputError(f"{command.verb} needs a slug: %zooop {command.verb} SLUG.", value=command.verb)
        return replace(request, slug=expand_text(command.arguments[0], namespace))
    return request


def spending_options(options: Options) -> "SpendingOptions":
    """Return the options of a line that govern spending."""
    return {
        "yes": options.yes,
        "ask": options.ask,
        "budget": options.budget,
        "fresh": options.fresh,
    }


def _watch(tasks: "Tasks") -> "Tasks":
    """Show a line of progress until all have ended."""
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


def _display(value: V, silent: bool, position: CellPosition) -> V:
    if not silent and position != "out":
        if position == "bare":
            from IPython.display import display

            display(value)  # type: ignore[no-untyped-call]
        else:
            print(value._repr_mimebundle_()["text/plain"])
    return value


def _in_background(tasks: "Tasks") -> "Task | Tasks":
    """Return the tasks at once, with a display that the kernel's own loop updates, if there is one."""
    from zooop_nb.notebook.progress import ProgressLine

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        # IPython in a terminal runs no loop between its lines.
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
    """Keep a reference to a task: its loop keeps none."""
    _updates.add(task)
    forget: Callable[[asyncio.Task[None]], None] = _updates.discard
    task.add_done_callback(forget)
