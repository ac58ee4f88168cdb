"""The arguments of a command that takes no words: filled with the user's variables, and checked."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from zooop_nb.errors import InputError, UnknownName
from zooop_nb.nearest import nearest
from zooop_nb.notebook.grammar import Command
from zooop_nb.notebook.variables import expand_text, expand_value
from zooop_nb.verbs import VERBS

T = TypeVar("T")


def filled(command: Command, namespace: Mapping[str, object]) -> tuple[list[object], dict[str, object]]:
    """Return a command's arguments and params with their expressions filled.

    An argument that may be a file keeps its type if it is a whole `{name}`: a result, a picture object.
    """
    expand = expand_value if VERBS[command.verb].takes_files else expand_text
    arguments = [expand(each, namespace) for each in command.arguments]
    return arguments, {name: expand_value(value.text, namespace) for name, value in command.params.items()}


def one(arguments: Sequence[T], verb: str, what: str) -> T:
    """Return the one argument of a verb. Raises `InputError` for none or several."""
    if len(arguments) != 1:
        got = " ".join(map(str, arguments)) or "nothing"
        raise InputError(f"{verb} takes {what}, not {got}.", value=got)
    return arguments[0]


def none(command: Command) -> None:
    """Raise `InputError` if a command has an argument or a param."""
    if extra := [*command.arguments, *command.params]:
        raise InputError(f"{command.verb} takes no “{extra[0]}”.", value=extra[0])


def known_params(command: Command, *names: str, instead: Mapping[str, str] | None = None) -> None:
    """Raise `UnknownName` for a param that is not one of `names`; `instead` maps it to what was meant."""
    for name in command.params:
        if name not in names:
            meant = (instead or {}).get(name)
            near = [meant] if meant else nearest(name, names)
            raise UnknownName(f"param of {command.verb}", name, nearest=near)
