"""The commands that change the session: its sandbox and its settings."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from zooop_nb.errors import BadValue, InputError
from zooop_nb.notebook.arguments import filled, known_params
from zooop_nb.notebook.grammar import Command
from zooop_nb.notebook.lines import Lines
from zooop_nb.notebook.shell_session import ShellSession
from zooop_nb.settings import SETTINGS

Namespace = Mapping[str, object]


def sandbox(session: ShellSession, command: Command, namespace: Namespace) -> Lines:
    """Start a sandbox of the session's own, or stop it with `off`."""
    arguments, params = filled(command, namespace)
    if arguments and arguments != ["off"]:
        raise InputError(f"sandbox takes off, or nothing, not “{arguments[0]}”.", value=str(arguments[0]))
    known_params(command, "speed")
    if arguments:
        stopped = session.stop_sandbox()
        said = "The sandbox has ended." if stopped else "No sandbox was running."
        return Lines(f"{said} {_where(session)}")
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


def config(session: ShellSession, command: Command, namespace: Namespace) -> Any:
    """List the settings, or change some of them for the session."""
    import pandas as pd

    arguments, params = filled(command, namespace)
    if arguments:
        raise InputError(f"config takes name=value, not “{arguments[0]}”.", value=str(arguments[0]))
    session.choose(params)
    settings = session.settings()
    if "nested_loops" in params:
        _set_nested_loops(bool(settings.nested_loops))
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


def _where(session: ShellSession) -> str:
    settings = session.settings()
    return (
        f"Orders go to {settings.host} now." if settings.token else "There is no API key; nothing is ordered."
    )


def _set_nested_loops(on: bool) -> None:
    if "nest_asyncio" in sys.modules:
        print(
            "nest_asyncio (without the 2) is loaded in this kernel. If it was applied first, queued cells "
            "can be lost; restart the kernel and leave it out.",
            file=sys.stderr,
        )
    if on:
        import nest_asyncio2

        nest_asyncio2.apply()
    elif hasattr(asyncio, "_nest_patched"):
        print("A loop that was patched stays patched until the kernel is restarted.", file=sys.stderr)
