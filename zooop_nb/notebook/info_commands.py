"""The commands that report something; none of them orders."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from zooop_nb.contract.credits import credits_text
from zooop_nb.errors import UnknownName
from zooop_nb.nearest import nearest
from zooop_nb.notebook import session_commands
from zooop_nb.notebook.arguments import filled, known_params, none, one
from zooop_nb.notebook.grammar import Command
from zooop_nb.notebook.help import of_verb, overview
from zooop_nb.notebook.lines import Lines
from zooop_nb.notebook.shell_session import ShellSession
from zooop_nb.verbs import GENERATION_VERBS, VERBS

if TYPE_CHECKING:
    from zooop_nb.contract.shapes import Me
    from zooop_nb.results.values import Upload

Namespace = Mapping[str, object]

RENEW_BEFORE: Final = timedelta(days=14)
"""How long before a token's expiry its owner is warned. API documentation: `GET /v1/me`, "Field notes"."""


def help(session: ShellSession, command: Command, namespace: Namespace) -> None:
    """Print all verbs, or the help of the one that is named."""
    name = command.verb if command.verb != "help" else next(iter(command.arguments), None)
    if command.inner is not None:
        name = command.inner.verb
    if name is not None and name.rstrip("?") not in VERBS:
        raise UnknownName("verb", name, nearest=nearest(name, VERBS))
    if name is None or name == "help":
        print(overview())
    else:
        name = name.rstrip("?")
        print(of_verb(name, _model_lines(session, name)))


def _model_lines(session: ShellSession, verb: str) -> list[str]:
    """Return the params of the model that the verb would use; none before the first look at the models."""
    from zooop_nb.notebook.completion.source import SessionSource
    from zooop_nb.notebook.completion.target import model_of

    model = model_of(verb, (), SessionSource(session)) if verb in GENERATION_VERBS else None
    if model is None:
        return []
    from zooop_nb.orders.params import param_lines, param_specs

    lines = param_lines(param_specs(model.params))
    return [f"Params of {model.name}:", *(f"  {line}" for line in lines)]


def _models(session: ShellSession, command: Command, namespace: Namespace) -> Any:
    known_params(command)
    arguments, _ = filled(command, namespace)
    return session.studio().models(str(one(arguments or ["image"], "models", "a verb")))


def _tools(session: ShellSession, command: Command, namespace: Namespace) -> Any:
    none(command)
    return session.studio().tools()


def _templates(session: ShellSession, command: Command, namespace: Namespace) -> Any:
    none(command)
    return session.studio().templates()


def _me(session: ShellSession, command: Command, namespace: Namespace) -> Lines:
    none(command)
    studio = session.studio()
    return Lines(*me_lines(studio.me(), mode=studio.backend.mode))


def me_lines(me: "Me", *, mode: str, now: datetime | None = None) -> list[str]:
    """Return what a token says of itself: wallet, cap, project, expiry, limits, a line each."""
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


def _show(session: ShellSession, command: Command, namespace: Namespace) -> Any:
    known_params(command)
    arguments, _ = filled(command, namespace)
    studio = session.studio()
    result = studio.result(str(one(arguments, "show", "the id of an order or a task")))
    described = (result.model, result.status) == ("describe", "succeeded")
    return studio.described(result.order_id) if described else result


def _tasks(session: ShellSession, command: Command, namespace: Namespace) -> Any:
    none(command)
    return session.studio().tasks()


def _ledger(session: ShellSession, command: Command, namespace: Namespace) -> Any:
    none(command)
    return session.studio().ledger.frame()


def _upload(session: ShellSession, command: Command, namespace: Namespace) -> "Upload":
    known_params(command)
    files, _ = filled(command, namespace)
    return session.studio().upload(one(files, "upload", "one file (quote a path with spaces)"))


def _doctor(session: ShellSession, command: Command, namespace: Namespace) -> Lines:
    none(command)
    from zooop_nb.doctor import examine
    from zooop_nb.notebook.errors_text import remedy_words

    return Lines(*examine(session.settings).lines(remedy_words))


COMMANDS: Final[Mapping[str, Callable[[ShellSession, Command, Namespace], Any]]] = {
    "upload": _upload,
    "models": _models,
    "tools": _tools,
    "templates": _templates,
    "me": _me,
    "show": _show,
    "tasks": _tasks,
    "ledger": _ledger,
    "sandbox": session_commands.sandbox,
    "config": session_commands.config,
    "doctor": _doctor,
}
"""What each verb does that orders nothing."""
