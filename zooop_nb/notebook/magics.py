"""The magic: `%zooop VERB ...` and `%%zooop VERB ...`, a thin parser over the studio."""

from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand

from zooop_nb.errors import Action, InputError, UnknownName, UnknownVariable, ZooopError, remedy
from zooop_nb.notebook import help as verbs
from zooop_nb.notebook.cell_position import Placement, line_of_caller, placement
from zooop_nb.notebook.grammar import Command, GrammarError, UnknownWord, parse
from zooop_nb.notebook.shell_session import Session
from zooop_nb.notebook.variables import VariableError, expand_text, expand_value


@magics_class
class ZooopMagics(Magics):
    """The magic of one shell."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._session = session
        self._shell = shell

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def zooop(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        namespace: Mapping[str, object] = ChainMap(local_ns or {}, self._shell.user_ns)
        try:
            return self._run(line, cell, namespace)
        except ZooopError as error:
            _show_short(error)
            raise
        except KeyboardInterrupt as interrupt:
            text = str(interrupt) or "Stopped."
            interrupt._render_traceback_ = lambda: [text]  # type: ignore[attr-defined]
            raise

    zooop.__doc__ = verbs.overview()

    def _run(self, line: str, cell: str | None, namespace: Mapping[str, object]) -> Any:
        def fill(text: str) -> object:
            return _mapped(expand_value, text, namespace)

        command = _mapped(parse, line, cell, verbs.SPECS, fill)
        value = self._act(command, namespace)
        # IPython's own `;` looks at the transformed cell, where there is none any more.
        return None if command.silent and self._placed() != "used" else value

    def _act(self, command: Command, namespace: Mapping[str, object]) -> Any:
        from zooop_nb.notebook import info_commands as telling
        from zooop_nb.notebook import order_commands as making

        if command.verb == "help" or command.options.help:
            return telling.help(command)
        if command.verb == "quote":
            if command.inner is None:
                raise InputError("quote needs a verb: %zooop quote image a red panda.", value="quote")
            if command.inner.verb not in verbs.ORDERS:
                cost = "costs 1 credit" if command.inner.verb == "describe" else "costs nothing"
                raise InputError(f"{command.inner.verb} has no quote: it {cost}.", value=command.inner.verb)
            return _mapped(making.quote, self._session, command.inner, namespace)
        if command.verb == "resume":
            arguments = [_mapped(expand_text, each, namespace) for each in command.arguments]
            order = telling.one(arguments, "resume", "an order's id") if arguments else None
            return making.resume(self._session, order, silent=command.silent, placed=self._placed())
        if command.verb in verbs.ORDERS:
            return _mapped(making.make, self._session, command, namespace, self._placed())
        # A whole {name} keeps its type where a file is taken: a result, a picture object.
        fill = expand_value if command.verb in verbs.FILES else expand_text
        arguments = [_mapped(fill, each, namespace) for each in command.arguments]
        params = {
            name: _mapped(expand_value, value.text, namespace) for name, value in command.params.items()
        }
        if command.verb == "describe":
            return telling.describe(self._session, arguments, params, command.options)
        return telling.VERBS[command.verb](self._session, arguments, params)

    def _placed(self) -> Placement:
        cell = self._session.cell
        source = None if cell is None else self._shell.transform_cell(cell)
        return placement(
            source, line_of_caller(self._shell), interactivity=self._shell.ast_node_interactivity
        )


def _mapped(call: Callable[..., Any], *arguments: Any) -> Any:
    """The grammar's own errors as the one tree's."""
    try:
        return call(*arguments)
    except UnknownWord as error:
        raise UnknownName(error.what, error.value, nearest=error.nearest, message=error.message) from None
    except GrammarError as error:
        near = [remedy(Action.PICK_NEAREST, nearest=" or ".join(error.nearest))] if error.nearest else []
        kind = UnknownVariable if isinstance(error, VariableError) else InputError
        raise kind(error.message, value=error.value, remedies=near) from None


def _show_short(error: ZooopError) -> None:
    """Have IPython show the error as a short message without a traceback."""
    from zooop_nb.notebook.errors_text import error_text

    lines = error_text(error)
    error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
