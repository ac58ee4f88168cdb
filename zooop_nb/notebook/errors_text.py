"""What an error says in a notebook: its message, and each remedy in the words of the magics."""

import sys
from collections.abc import Iterable, Mapping

from zooop_nb.contract.credits import credits_text
from zooop_nb.errors import Action, APIError, Remedy, ZooopError

_RED = "\x1b[31m"
_PLAIN = "\x1b[0m"

WORDS: Mapping[Action, str] = {
    Action.SET_KEY: "Set ZOOOP_API_KEY in your own terminal, not in the notebook:",
    Action.CREATE_TOKEN: (
        "Create a token at https://zooop.ai/user#apiKeys: pick its project (it stays so), set a daily credit "
        "cap, copy the token (it is shown once). A team's token comes from the team's owner or admin."
    ),
    Action.REPLACE_TOKEN: "Revoke the token and create another at https://zooop.ai/user#apiKeys.",
    Action.TRY_SANDBOX: "To try it free, without a token: `%zooop sandbox`",
    Action.START_SANDBOX: "Is the sandbox running? `python -m zooop_nb sandbox` starts one.",
    Action.INSTALL: "Install it: `%pip install '{package}'`",
    Action.PICK_NEAREST: "Did you mean {nearest}?",
    Action.LIST_MODELS: "`%zooop models {verb}` lists them.",
    Action.SHOW_PARAMS: "It takes: {params}.",
    Action.QUOTE_TEXT: 'To have it in the prompt, put the prompt into quotes: `%zooop image "…"`',
    Action.USE_ANOTHER_MODEL: "Choose another model with `-m`; `%zooop models` lists them.",
    Action.SAY_YES: "Add `--yes` to go ahead.",
    Action.RAISE_BUDGET: "To spend it: `--budget N`, or `%zooop config budget=N` for the session.",
    Action.TOP_UP: "Add credits at https://zooop.ai/pricing.",
    Action.WAIT: "Wait {seconds} s, then run the cell again.",
    Action.TRY_LATER: "Try again later.",
    Action.CHECK_NETWORK: "Check your network, proxy and DNS.",
    Action.CHECK_HOST: "Check ZOOOP_API_HOST ({host}) and your network.",
    Action.RESUME: "Nothing is lost: `%zooop resume {order}` picks it up.",
    Action.FOLLOW_AGAIN: "It goes on: `%zooop resume {order}` waits for it again.",
    Action.REWORD: "Change the prompt or the picture; the same one will be refused again.",
    Action.CHECK_FILE: "Check the file.",
    Action.SEE_TASKS: "`%zooop tasks` lists what is unfinished.",
    Action.ORDER_FRESH: (
        "`%zooop show {order}` shows it, `%zooop resume {order}` looks again; `--fresh` orders another."
    ),
    Action.FREE_LEDGER: "Check that {path} can be written and that the disk has room.",
    Action.CHOOSE_FOLDER: "Set {variable} to a folder that you can write to.",
    Action.RESTART_KERNEL: "Restart the kernel without it; `%zooop config nested_loops=on` does what it did.",
}
"""The words of each remedy, with its values. Text between backticks is code."""


def remedy_words(remedies: Iterable[Remedy]) -> str:
    """Word remedies on one line, in the words of the magics."""
    return " ".join(_as_text(_worded(WORDS[each.action], each)) for each in remedies)


def interrupt_text(interrupt: KeyboardInterrupt) -> str:
    """Return what an interrupted line says: what is paid, and how to take it up."""
    from zooop_nb.tasks.task import WaitingStopped, go_on, not_sent

    if not isinstance(interrupt, WaitingStopped):
        return str(interrupt) or "Stopped."
    if not interrupt.order_ids:
        return "Stopped. This line has submitted nothing, and pays nothing."
    if interrupt.ended:
        return str(interrupt)
    if interrupt.describing:
        order_id = interrupt.order_ids[0]
        return f"Waiting stopped; the description goes on and is paid: %zooop show {order_id} has it."
    number = len(interrupt.order_ids)
    text = (
        f"Waiting stopped; {go_on(number, interrupt.on_their_way)}. "
        f"Run the cell again to take {'it' if number == 1 else 'them'} up, or resume."
    )
    return " ".join(filter(None, (text, not_sent(interrupt.withdrawn))))


def message_lines(error: ZooopError) -> list[str]:
    """Return the error as lines of text: what happened, what else the API said, what to do."""
    return [_as_text(pieces) for pieces in _lines(error)]


def error_text(error: ZooopError, *, ansi: bool = True) -> list[str]:
    """Return the lines that replace the traceback (`_render_traceback_`), the first one red."""
    first, *rest = message_lines(error)
    return [f"{_RED}{first}{_PLAIN}" if ansi else first, *rest]


def set_key_lines(platform: str | None = None) -> list[str]:
    """Return how to set the variable for good on a `sys.platform`; code is in backticks.

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
"""The pieces of a line, each with whether it is code."""


class _Values(dict[str, str]):
    """A remedy's values. A missing one leaves a gap: an error message must not fail itself."""

    def __missing__(self, name: str) -> str:
        return ""


def _lines(error: ZooopError) -> list[_Pieces]:
    lines: list[_Pieces] = [[(_seen(error.message), False)]]
    if isinstance(error, APIError):
        lines.extend([(_seen(fact), False)] for fact in _facts(error))
    for each in error.remedies:
        lines.append(_worded(WORDS[each.action], each))
        if each.action is Action.SET_KEY:
            lines.extend(_worded(line, Remedy(each.action)) for line in set_key_lines())
    return lines


def _facts(error: APIError) -> list[str]:
    """Return what the envelope holds besides its message. API documentation: "Error envelope"."""
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
    # Split before the values are filled in, so that a backtick in a value stays one.
    pieces = [piece.format_map(values) for piece in template.split("`")]
    return [
        (piece.strip(), True) if number % 2 else (piece, False)
        for number, piece in enumerate(pieces)
        if piece
    ]


def _seen(text: str) -> str:
    """Return text without control characters: a server's message must not control a terminal."""
    return "".join(each if each.isprintable() else " " for each in text)


def _as_text(pieces: _Pieces) -> str:
    return "".join(text for text, _ in pieces)
