"""Putting the magic into a shell, and taking everything out again."""

from typing import Any, Final
from weakref import WeakKeyDictionary

from IPython.core.completer import CompletionContext, SimpleMatcherResult, context_matcher

from zooop_nb import frontend as face
from zooop_nb.notebook.help_guard import keep_question_marks
from zooop_nb.notebook.magics import ZooopMagics
from zooop_nb.notebook.shell_session import Session

MATCHER: Final = "zooop"
"""Our name among IPython's matchers, as `%config IPCompleter.disable_matchers` knows it."""

_sessions: "WeakKeyDictionary[Any, Session]" = WeakKeyDictionary()


def load(shell: Any) -> None:
    """Register magic, input transformer, completion, settings and the face of this shell. No network."""
    if shell in _sessions:
        return
    session = Session(shell)
    _sessions[shell] = session
    shell.register_magics(ZooopMagics(shell, session))
    shell.input_transformers_cleanup.append(keep_question_marks)
    shell.Completer.custom_matchers.append(_matcher(session))
    shell.configurables.append(session.config)
    shell.events.register("pre_run_cell", session.before_cell)
    session.face_before = face.use(session)


def unload(shell: Any) -> None:
    """Take out what `load` put in, and end what it started."""
    session = _sessions.pop(shell, None)
    if session is None:
        return
    face.use(session.face_before or face.TerminalFrontend())
    shell.events.unregister("pre_run_cell", session.before_cell)
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
    # IPython lists each class of magics there itself.
    shell.configurables[:] = [each for each in shell.configurables if each is not magics]
    session.close()


def _matcher(session: Session) -> Any:
    """TAB for this session; what it does is imported at the first one."""

    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        from zooop_nb.notebook.completion.matcher import answer

        return answer(context, session)

    return context_matcher(identifier=MATCHER)(matcher)
