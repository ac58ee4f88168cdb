"""The magic: `%zooop VERB ...` and `%%zooop VERB ...`, a thin parser over the commands."""

from collections import ChainMap
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand

from zooop_nb import late
from zooop_nb.errors import ZooopError
from zooop_nb.notebook.grammar import Command, parse
from zooop_nb.notebook.help import overview
from zooop_nb.notebook.shell_session import ShellSession
from zooop_nb.notebook.stop_button import give_back, raise_interrupts
from zooop_nb.notebook.variables import expand_value
from zooop_nb.verbs import ORDER_VERBS, VERBS

Action = Callable[[ShellSession, Command, Mapping[str, object]], Any]
"""What a verb does: from the session, the command and the user's variables to the value of the line."""


@magics_class
class ZooopMagics(Magics):
    """The magic of one shell."""

    def __init__(self, shell: Any, session: ShellSession) -> None:
        super().__init__(shell)
        self._session = session
        self._shell = shell

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def zooop(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        namespace: Mapping[str, object] = ChainMap(local_ns or {}, self._shell.user_ns)
        handler = raise_interrupts()
        try:
            command = parse(line, cell, VERBS, partial(expand_value, namespace=namespace))
            value = _action(command)(self._session, command, namespace)
            # IPython's own `;` looks at the transformed cell, which has none any more.
            return None if command.silent and self._session.cell_position() != "used" else value
        except ZooopError as error:
            _show_short(error)
            raise
        except KeyboardInterrupt as interrupt:
            from zooop_nb.notebook.errors_text import interrupt_text

            text = interrupt_text(interrupt)
            interrupt._render_traceback_ = lambda: [text]  # type: ignore[attr-defined]
            raise
        finally:
            give_back(handler)

    zooop.__doc__ = overview()


def _action(command: Command) -> Action:
    # Late: the commands import what they need, and loading the extension should stay cheap.
    late.module("zooop_nb.notebook.order_commands")
    from zooop_nb.notebook import info_commands, order_commands

    if command.verb == "help" or command.options.help:
        return info_commands.help
    if command.verb in ORDER_VERBS:
        return order_commands.order
    return order_commands.COMMANDS.get(command.verb) or info_commands.COMMANDS[command.verb]


def _show_short(error: ZooopError) -> None:
    """Make IPython show the error as a short message without a traceback."""
    from zooop_nb.notebook.errors_text import error_text

    lines = error_text(error)
    error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
