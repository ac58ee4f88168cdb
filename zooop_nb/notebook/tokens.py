"""The tokens of a `%zooop` line, with their positions.

The magic and its completion must read a line in the same way: what TAB takes for a param must not be paid for
as part of the prompt. So both use this tokenizer. `tokens` never raises and accepts unfinished input (an open
quote, an option without its value); `grammar.parse` judges the tokens.

How a line is split:

- The first token is the verb. Whitespace (any, also the ideographic space) separates tokens.
- A quote, single or double, opens a group only at the start of a token or right after `=`, and closes it only
  before whitespace or the end. Anywhere else it is an ordinary character: `a panda's dream`, `a 5" disc`. At
  the start of a word without a closing one it is an ordinary character too: `'tis the season`. There are no
  backslash escapes.
- `name=value`, with an identifier (dots allowed) right before `=`, is a param.
- `--` and an ASCII letter, or `-` and an ASCII letter, begin an option, known or not. `-`, `-5`, `---` and a
  hyphen inside a word are words.
- `--` alone ends params and options; what follows is words. Quotes group there as before.
- A `{expression}` is one token even if it holds spaces: `{row["first name"]}`.
- A `;` at the very end is a token of its own: it silences the output.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["verb", "word", "quoted", "param", "option", "value", "ends", "silent"]

_IDENTIFIER = r"[^\W\d]\w*"
_KEY = r"""(?:-?\d+|"[^"\n]*"|'[^'\n]*'|\w[\w-]*)"""
_EXPRESSION = rf"\{{[ \t]*{_IDENTIFIER}(?:\.{_IDENTIFIER}|\[{_KEY}\])*[ \t]*\}}"

EXPRESSION = re.compile(_EXPRESSION)
"""`{name}`, `{name.attr}`, `{name[index]}` and chains of them: the braces that are filled."""

_QUOTES = ("'", '"')
_CLOSING = {quote: re.compile(rf"{quote}(?=\s|\Z)") for quote in _QUOTES}
_RUN = re.compile(rf"(?:{_EXPRESSION}|\S)+")
_SPACE = re.compile(r"\s*")
_NAME = re.compile(rf"({_IDENTIFIER}(?:\.{_IDENTIFIER})*)=")
_OPTION = re.compile(r"--?[A-Za-z]")
_SILENCE = re.compile(r";\s*\Z")


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One option of the magic: its long name, its letter, its value and its help.

    `value` is what its value is called in the help; a flag takes none.
    """

    name: str
    short: str = ""
    value: str = ""
    help: str = ""
    repeatable: bool = False

    @property
    def takes_value(self) -> bool:
        """Whether it takes a value; a flag does not."""
        return bool(self.value)

    @property
    def usage(self) -> str:
        """How it is written: `-n, --count N`."""
        letter = f"-{self.short}, " if self.short else ""
        return f"{letter}--{self.name}{f' {self.value}' if self.value else ''}"


OPTIONS = {
    option.name: option
    for option in (
        OptionSpec("model", "m", "NAME", "the model, by a part of its name or brand"),
        OptionSpec("version", "V", "NAME", "the model's version"),
        OptionSpec("count", "n", "N", "N variants"),
        OptionSpec("best", help="the best model"),
        OptionSpec("cheap", help="the cheapest model"),
        OptionSpec("sweep", value="PARAM=A,B,C", help="one order per value", repeatable=True),
        OptionSpec("each", value="VARIABLE", help="one order per entry of a list or DataFrame"),
        OptionSpec("ask", help="ask before spending"),
        OptionSpec("yes", help="spend without asking"),
        OptionSpec("budget", value="N", help="no more than N credits for this line"),
        OptionSpec("background", help="do not wait"),
        OptionSpec("fresh", help="a new order, whatever an earlier run left"),
        OptionSpec("tag", value="TEXT", help="a tag in the ledger; may be repeated", repeatable=True),
        OptionSpec(
            "language", value="LOCALE", help="the language of the answer (zh, ja, fr, ...); default: English"
        ),
        OptionSpec("help", "h", help="the verb's help"),
    )
}
"""Every option, by its long name."""

_LETTERS = {option.short: option for option in OPTIONS.values() if option.short}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the line: `line[start:end] == text`.

    `value` is what it says without quotes and without `name=`: of an option, what is attached to it, and None
    where nothing is. `value_start` is where that begins. `name` is the param's name, or the long name of the
    option (of an unknown one, as typed with its dashes); a `value` token carries its option's name. `quoted`
    tells that quotes were removed, and `closed` that the quote was closed.
    """

    kind: Kind
    text: str
    start: int
    end: int
    value_start: int
    value: str | None = None
    name: str = ""
    quoted: bool = False
    closed: bool = True


class _Read(NamedTuple):
    value: str
    start: int
    end: int
    quoted: bool
    closed: bool


def is_name(text: str) -> bool:
    """Return whether this could be a param's name: an identifier, or several joined by dots."""
    return all(part.isidentifier() for part in text.split("."))


def tokens(line: str) -> list[Token]:
    """Return the line's tokens in order. Only whitespace separates them, except before `;`."""
    silence = _SILENCE.search(line)
    text = line[: silence.start()] if silence else line
    found: list[Token] = []
    ended = False
    at = _skip(text, 0)
    while at < len(text):
        if not found:
            token = _plain("verb", text, at)
        elif ended:
            token = _word(text, at)
        elif (token := _plain("ends", text, at)).text == "--":
            ended = True
        elif _OPTION.match(text, at):
            token = _option(text, at)
        elif _awaits_value(found[-1]):
            token = _value(text, at, found[-1].name)
        else:
            token = _param(text, at) or _word(text, at)
        found.append(token)
        at = _skip(text, token.end)
    if silence:
        place = silence.start()
        found.append(Token("silent", ";", place, place + 1, place))
    return found


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _awaits_value(token: Token) -> bool:
    option = OPTIONS.get(token.name)
    return token.kind == "option" and option is not None and option.takes_value and token.value is None


def _plain(kind: Kind, text: str, at: int) -> Token:
    run = _RUN.match(text, at)
    end = run.end() if run else at
    return Token(kind, text[at:end], at, end, at, value=text[at:end])


def _word(text: str, at: int) -> Token:
    if text[at] in _QUOTES:
        read = _read(text, at)
        if read.closed:
            whole = text[at : read.end]
            return Token("quoted", whole, at, read.end, read.start, value=read.value, quoted=True)
    return _plain("word", text, at)


def _param(text: str, at: int) -> Token | None:
    match = _NAME.match(text, at)
    if match is None or not is_name(match[1]):
        return None
    read = _read(text, match.end())
    return Token(
        "param",
        text[at : read.end],
        at,
        read.end,
        read.start,
        value=read.value,
        name=match[1],
        quoted=read.quoted,
        closed=read.closed,
    )


def _value(text: str, at: int, option: str) -> Token:
    read = _read(text, at, assigned=option == "sweep")
    whole = text[at : read.end]
    return Token("value", whole, at, read.end, read.start, read.value, option, read.quoted, read.closed)


def _option(text: str, at: int) -> Token:
    typed = _plain("option", text, at)
    head, equals, _ = typed.text.partition("=")
    if head.startswith("--"):
        name = head[2:] if head[2:] in OPTIONS else head
        value_at = at + len(head) + 1 if equals else None
    else:
        option = _LETTERS.get(head[1])
        attached = head[2:]
        if option is None or (attached and not option.takes_value):
            name, value_at = head, None
        else:
            name = option.name
            # `-n3`, `-n=3`; a lone `-n` leaves its value to the next token.
            value_at = at + 2 if attached else at + 3 if equals else None
    if value_at is None:
        return Token("option", typed.text, at, typed.end, typed.end, name=name)
    read = _read(text, value_at, assigned=name == "sweep")
    whole = text[at : read.end]
    return Token("option", whole, at, read.end, read.start, read.value, name, read.quoted, read.closed)


def _read(text: str, at: int, *, assigned: bool = False) -> _Read:
    """Read the value that begins here; if `assigned`, with its `name=` (`--sweep style="a b,c"`)."""
    begin, lead = at, ""
    if assigned and (match := _NAME.match(text, at)):
        lead, at = match[0], match.end()
    if at < len(text) and text[at] in _QUOTES and _quote_may_open(text, at):
        closing = _CLOSING[text[at]].search(text, at + 1)
        inner_end, end = (closing.start(), closing.end()) if closing else (len(text), len(text))
        start = begin if lead else at + 1
        return _Read(lead + text[at + 1 : inner_end], start, end, True, closing is not None)
    run = _RUN.match(text, at)
    end = run.end() if run else at
    return _Read(lead + text[at:end], begin, end, False, True)


def _quote_may_open(text: str, at: int) -> bool:
    return at == 0 or text[at - 1] == "=" or text[at - 1].isspace()
