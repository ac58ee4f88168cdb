"""The verbs that tell something, or change what the session is set to."""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import TYPE_CHECKING, Any, Final, TypeVar

from zooop_nb.errors import BadValue, InputError, UnknownName
from zooop_nb.nearest import nearest
from zooop_nb.notebook import help as verbs
from zooop_nb.notebook.grammar import Command, Options
from zooop_nb.notebook.shell_session import Session
from zooop_nb.settings import SETTINGS

if TYPE_CHECKING:
    from zooop_nb.contract.shapes import Me
    from zooop_nb.results.values import Upload
    from zooop_nb.tasks.description import Described

Arguments = Sequence[str]
Files = Sequence[object]
Params = Mapping[str, object]
T = TypeVar("T")

RENEW_BEFORE: Final = timedelta(days=14)
"""How long before a token's expiry its owner is warned. API documentation: `GET /v1/me`, "Field notes"."""


class Lines:
    """A few lines of text, shown as such."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        from zooop_nb.results.html import card

        return card("".join(f"<div>{escape(line)}</div>" for line in self.lines))


def help(command: Command) -> None:
    """All verbs, or the one that is named."""
    name = command.verb if command.verb != "help" else next(iter(command.arguments), None)
    if command.inner is not None:
        name = command.inner.verb
    if name is not None and name.rstrip("?") not in verbs.SPECS:
        raise UnknownName("verb", name, nearest=nearest(name, verbs.SPECS))
    print(verbs.overview() if name is None or name == "help" else verbs.of_verb(name.rstrip("?")))


def one(arguments: Sequence[T], verb: str, what: str) -> T:
    """The one argument of a verb."""
    if len(arguments) != 1:
        got = " ".join(map(str, arguments)) or "nothing"
        raise InputError(f"{verb} takes {what}, not {got}.", value=got)
    return arguments[0]


def _none(arguments: Arguments, params: Params, verb: str) -> None:
    if extra := [*arguments, *params]:
        raise InputError(f"{verb} takes no “{extra[0]}”.", value=extra[0])


def _models(session: Session, arguments: Arguments, params: Params) -> Any:
    _none((), params, "models")
    return session.studio().models(one(arguments or ["image"], "models", "a verb"))


def _tools(session: Session, arguments: Arguments, params: Params) -> Any:
    _none(arguments, params, "tools")
    return session.studio().tools()


def _templates(session: Session, arguments: Arguments, params: Params) -> Any:
    _none(arguments, params, "templates")
    return session.studio().templates()


def _me(session: Session, arguments: Arguments, params: Params) -> Lines:
    _none(arguments, params, "me")
    studio = session.studio()
    return Lines(*me_lines(studio.me(), mode=studio.backend.mode))


def me_lines(me: "Me", *, mode: str, now: datetime | None = None) -> list[str]:
    """What a token says of itself, in lines: wallet, cap, project, expiry, limits."""
    from zooop_nb.results.render import credits_text

    where = " (sandbox: nothing here costs money)" if mode == "sandbox" else ""
    balance = "not told" if me.balance is None else credits_text(me.balance)
    lines = [f"Wallet: {me.wallet}, {balance}{where}"]
    if me.key.daily_credit_cap is None:
        lines.append("Daily cap: none. Set one where the token was made, and a mistake stays small.")
    else:
        lines.append(
            f"Daily cap: {credits_text(me.key.daily_credit_cap)}, {me.key.credits_spent_today} spent today, "
            f"{me.key.credits_remaining_today} left until midnight UTC"
        )
    if me.project.bound and me.project.id is not None:
        lines.append(f"Project: {me.project.name}")
    else:
        lines.append("Project: deleted. Nothing can be submitted; revoke the token and create another.")
    lines.append(f"Key: {me.key.label or 'without a label'} ({me.key.prefix})")
    if me.key.expires_at:
        left = datetime.fromisoformat(me.key.expires_at) - (now or datetime.now(UTC))
        when = me.key.expires_at[:10]
        soon = f" in {max(left.days, 0)} days: renew it now" if left < RENEW_BEFORE else ""
        lines.append(f"Expires: {when}{soon}")
    else:
        lines.append("Expires: never")
    limits = ", ".join(f"{name} {value}" for name, value in me.limits.items())
    return [*lines, f"Limits: {limits}"]


def _show(session: Session, arguments: Arguments, params: Params) -> Any:
    _none((), params, "show")
    studio = session.studio()
    result = studio.result(one(arguments, "show", "the id of an order or a task"))
    described = (result.model, result.status) == ("describe", "succeeded")
    return studio.described(result.order_id) if described else result


def _tasks(session: Session, arguments: Arguments, params: Params) -> Any:
    _none(arguments, params, "tasks")
    return session.studio().tasks()


def _ledger(session: Session, arguments: Arguments, params: Params) -> Any:
    _none(arguments, params, "ledger")
    return session.studio().ledger.frame()


def _sandbox(session: Session, arguments: Arguments, params: Params) -> Lines:
    if arguments and arguments != ["off"]:
        raise InputError(f"sandbox takes off, or nothing, not “{arguments[0]}”.", value=arguments[0])
    for name in params:
        if name != "speed":
            raise UnknownName("param of sandbox", name, nearest=nearest(name, ["speed"]))
    if arguments:
        stopped = session.stop_sandbox()
        return Lines(
            f"{'The sandbox has ended.' if stopped else 'No sandbox was running.'} {_where(session)}"
        )
    settings = session.settings()
    if session.sandbox is None and settings.on_sandbox and settings.token is not None:
        return Lines(
            "You are on a sandbox already: pictures and sounds are made here, and nothing costs money."
        )
    try:
        speed = float(str(params.get("speed", 10)))
        if not 0 <= speed < float("inf"):
            raise ValueError
    except ValueError:
        raise BadValue(f"speed is a number, 0 or more, not “{params['speed']}”.", value="speed") from None
    session.start_sandbox(speed)
    return Lines(
        "You are on a sandbox of your own: a small ZOOOP on this machine, without a token and at no cost.",
        "Its pictures and sounds are real files, drawn here and marked; its prices and times are made up.",
        "`%zooop sandbox off` goes back.",
    )


def _where(session: Session) -> str:
    settings = session.settings()
    return (
        f"Orders go to {settings.host} now." if settings.token else "There is no API key; nothing is ordered."
    )


def _config(session: Session, arguments: Arguments, params: Params) -> Any:
    import pandas as pd

    if arguments:
        raise InputError(f"config takes name=value, not “{arguments[0]}”.", value=arguments[0])
    session.choose(params)
    settings = session.settings()
    if "nested_loops" in params:
        _nested_loops(bool(settings.nested_loops))
    if params:
        return Lines(*(f"{name} = {getattr(settings, name)}" for name in params))
    rows = [
        {
            "setting": name,
            "value": "" if getattr(settings, name) is None else str(getattr(settings, name)),
            "from": settings.sources[name],
            "variable": setting.variable,
            "what": setting.help,
        }
        for name, setting in SETTINGS.items()
    ]
    return pd.DataFrame(rows).set_index("setting")


def _nested_loops(on: bool) -> None:
    import asyncio

    if "nest_asyncio" in sys.modules:
        print(
            "nest_asyncio (without the 2) is loaded in this kernel. Where it was applied first, queued cells "
            "can be lost; restart the kernel and leave it out.",
            file=sys.stderr,
        )
    if on:
        import nest_asyncio2

        nest_asyncio2.apply()
    elif hasattr(asyncio, "_nest_patched"):
        print("A loop that was patched stays so until the kernel is restarted.", file=sys.stderr)


def describe(session: Session, files: Files, params: Params, options: Options) -> "Described":
    """A picture in words, for 1 credit."""
    _no_params(params, "describe")
    picture = one(files, "describe", "one picture (quote a path with spaces)")
    studio = session.studio()
    print("→ describe · 1 credit")
    return studio.describe(
        picture,
        options.language,
        yes=options.yes,
        ask=options.ask,
        budget=options.budget,
        tags=options.tags,
    )


def _upload(session: Session, files: Files, params: Params) -> "Upload":
    _no_params(params, "upload")
    return session.studio().upload(one(files, "upload", "one file (quote a path with spaces)"))


def _no_params(params: Params, verb: str) -> None:
    for name in params:
        near = ["--language"] if (verb, name) == ("describe", "language") else []
        raise UnknownName(f"param of {verb}", name, nearest=near)


def _doctor(session: Session, arguments: Arguments, params: Params) -> Lines:
    _none(arguments, params, "doctor")
    from zooop_nb.doctor import examine

    return Lines(*examine(session.settings).lines())


VERBS: Final[Mapping[str, Callable[[Session, Any, Params], Any]]] = {
    "upload": _upload,
    "models": _models,
    "tools": _tools,
    "templates": _templates,
    "me": _me,
    "show": _show,
    "tasks": _tasks,
    "ledger": _ledger,
    "sandbox": _sandbox,
    "config": _config,
    "doctor": _doctor,
}
"""What each telling verb does."""
