"""What an error says in a notebook: its message, and each remedy in the words of the magics."""

import sys
from collections.abc import Mapping

from zooop_nb.errors import Action, APIError, Remedy, ZooopError
from zooop_nb.results.render import credits_text

_RED = "\x1b[31m"
_PLAIN = "\x1b[0m"

WORDS: Mapping[Action, str] = {
    Action.SET_KEY: "Set ZOOOP_API_KEY in your own terminal, not in the notebook:",
    Action.CREATE_TOKEN: (
        "Create a token at https://zooop.ai/user#apiKeys: pick its project (it stays so), set a daily credit "
        "cap, copy the token (it is shown once). A team's token comes from the team's owner or admin."
    ),
    Action.TRY_SANDBOX: "To try it free, without a token: `%zooop sandbox`",
    Action.INSTALL: "Install it: `%pip install '{package}'`",
    Action.PICK_NEAREST: "Did you mean {nearest}?",
    Action.LIST_MODELS: "`%zooop models {verb}` lists them.",
    Action.SHOW_PARAMS: "It takes: {params}.",
    Action.QUOTE_TEXT: 'To have it in the prompt, put the prompt into quotes: `%zooop image "…"`',
    Action.USE_ANOTHER_MODEL: "Choose another model with `-m`; `%zooop models` lists them.",
    Action.SAY_YES: "Add `--yes` to go ahead.",
    Action.RAISE_BUDGET: "To spend it all the same: `--budget N`, or `%zooop config budget=N` for the session.",
    Action.TOP_UP: "Add credits at https://zooop.ai/pricing.",
    Action.WAIT: "Wait {seconds} s, then run the cell again.",
    Action.CHECK_HOST: "Check ZOOOP_API_HOST ({host}) and your network.",
    Action.RESUME: "Nothing is lost: `%zooop resume {order}` picks it up.",
    Action.FOLLOW_AGAIN: "It goes on: `%zooop resume {order}` waits for it again.",
    Action.REWORD: "Change the prompt or the picture; the same one will be refused again.",
    Action.CHECK_FILE: "Check the file.",
    Action.SEE_TASKS: "`%zooop tasks` lists what is unfinished.",
    Action.FREE_LEDGER: "Check that {path} can be written and that the disk has room.",
}
"""The words of each remedy. What stands between backticks is shown as code; the values are a `Remedy`'s."""


def message_lines(error: ZooopError) -> list[str]:
    """The error as lines of text: what happened, what else the API said, what to do."""
    return [_as_text(pieces) for pieces in _lines(error)]


def error_text(error: ZooopError, *, ansi: bool = True) -> list[str]:
    """The lines that IPython shows in place of a traceback (`_render_traceback_`), the first one red."""
    first, *rest = message_lines(error)
    return [f"{_RED}{first}{_PLAIN}" if ansi else first, *rest]


def set_key_lines(platform: str | None = None) -> list[str]:
    """How to set the variable for good on an operating system (`sys.platform`); code is in backticks.

    The lines are the integration guide's own. API documentation: "API key — setup".
    """
    platform = sys.platform if platform is None else platform
    if platform == "win32":
        return [
            "PowerShell: `[Environment]::SetEnvironmentVariable('ZOOOP_API_KEY','zpk_live_…','User')`",
            'cmd: `setx ZOOOP_API_KEY "zpk_live_…"`',
            "Then restart Jupyter from a new window, so that it inherits the variable.",
        ]
    shell = (
        [] if platform == "darwin" else ["(Where your shell is bash: `~/.bashrc` in place of `~/.zshrc`.)"]
    )
    return [
        "`echo 'export ZOOOP_API_KEY=zpk_live_…' >> ~/.zshrc && source ~/.zshrc`",
        *shell,
        "Then restart Jupyter from that terminal, so that it inherits the variable.",
    ]


_Pieces = list[tuple[str, bool]]
"""A line in pieces, each with whether it is code."""


class _Values(dict[str, str]):
    """A remedy's values. One that is missing leaves a gap: a message about an error must not fail itself."""

    def __missing__(self, name: str) -> str:
        return ""


def _lines(error: ZooopError) -> list[_Pieces]:
    lines: list[_Pieces] = [[(_seen(error.message), False)]]
    if isinstance(error, APIError):
        lines.extend([(_seen(fact), False)] for fact in _facts(error))
    for each in error.remedies:
        lines.append(_worded(WORDS[each.do], each))
        if each.do is Action.SET_KEY:
            lines.extend(_worded(line, Remedy(each.do)) for line in set_key_lines())
    return lines


def _facts(error: APIError) -> list[str]:
    """What the envelope carried besides its message. API documentation: "Error envelope"."""
    facts = []
    labels = error.extras.get("labels")
    if labels:
        facts.append(f"Why: {', '.join(map(str, labels)) if isinstance(labels, list) else labels}.")
    cap, spent = _credits(error.extras.get("cap")), _credits(error.extras.get("spent"))
    if cap and spent:
        facts.append(f"The token's daily cap is {cap}; spent today: {spent}.")
    if error.code.startswith("token_daily_cap_"):
        facts.append("The cap starts anew at midnight UTC.")
    return facts


def _credits(value: object) -> str | None:
    return credits_text(value) if isinstance(value, int | float) else None


def _worded(template: str, said: Remedy) -> _Pieces:
    values = _Values({name: _seen(value) for name, value in said.values.items()})
    # Apart before the values go in, so that a backtick in a value stays one.
    pieces = [piece.format_map(values) for piece in template.split("`")]
    return [
        (piece.strip(), True) if number % 2 else (piece, False)
        for number, piece in enumerate(pieces)
        if piece
    ]


def _seen(text: str) -> str:
    """Text without control characters: a server's words must not steer a terminal."""
    return "".join(each if each.isprintable() else " " for each in text)


def _as_text(pieces: _Pieces) -> str:
    return "".join(text for text, _ in pieces)
