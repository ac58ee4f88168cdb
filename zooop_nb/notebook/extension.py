"""Loads the magic into a shell, and unloads all of it again."""

from typing import Any, Final
from weakref import WeakKeyDictionary

from IPython.core.completer import CompletionContext, SimpleMatcherResult, context_matcher

from zooop_nb import frontend
from zooop_nb.notebook.help_guard import keep_question_marks
from zooop_nb.notebook.magics import ZooopMagics
from zooop_nb.notebook.shell_session import ShellSession

MATCHER: Final = "zooop"
"""The matcher's name for `%config IPCompleter.disable_matchers`."""

_sessions: "WeakKeyDictionary[Any, ShellSession]" = WeakKeyDictionary()


def load(shell: Any) -> None:
    """Register the magic, input transformer, completion, settings and front end. No network."""
    if shell in _sessions:
        return
    session = ShellSession(shell)
    _sessions[shell] = session
    shell.register_magics(ZooopMagics(shell, session))
    shell.input_transformers_cleanup.append(keep_question_marks)
    shell.Completer.custom_matchers.append(_matcher(session))
    shell.configurables.append(session.config)
    shell.events.register("pre_run_cell", session.executions.before_cell)
    shell.events.register("post_run_cell", session.executions.after_cell)
    session.executions.adopt_running_cell()
    session.previous_default = frontend.register(session)


def unload(shell: Any) -> None:
    """Remove what `load` registered, and stop what it started."""
    session = _sessions.pop(shell, None)
    if session is None:
        return
    if session.previous_default is not None:
        frontend.register(session.previous_default)
    shell.events.unregister("pre_run_cell", session.executions.before_cell)
    shell.events.unregister("post_run_cell", session.executions.after_cell)
    shell.configurables.remove(session.config)
    shell.input_transformers_cleanup.remove(keep_question_marks)
    shell.Completer.custom_matchers[:] = [
        matcher
        for matcher in shell.Completer.custom_matchers
        if getattr(matcher, "matcher_identifier", None) != MATCHER
    ]
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("zooop", None)
    magics = shell.magics_manager.registry.pop("ZooopMagics", None)
    # IPython itself lists each class of magics there.
    shell.configurables[:] = [each for each in shell.configurables if each is not magics]
    session.close()


def _matcher(session: ShellSession) -> Any:
    """Return the session's matcher; what it needs is imported at the first TAB."""

    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        from zooop_nb.notebook.completion.matcher import answer

        return answer(context, session)

    return context_matcher(identifier=MATCHER)(matcher)
