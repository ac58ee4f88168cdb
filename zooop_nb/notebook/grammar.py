"""Parses a `%zooop` line: the verb, the prompt as it was typed, the params and the options.

A prompt is prose, and prose is full of characters that a shell would interpret: apostrophes, quotes, `?`,
`$`, `#`, commas. `shlex` and `argparse` would reject or alter it, so the line has rules of its own. `tokens`
splits it; this module gives the tokens their meaning:

- The words that remain without params and options are the prompt, as typed. If a param or option is removed
  between words, the whitespace before it is kept and that after it is dropped.
- A prompt that is a single quoted group loses its quotes; a group among other words keeps them, and its
  content is neither param nor option. That also holds after `--`.
- A param's value loses the quotes that directly follow `=`. It stays text, marked as quoted: the param
  decides its type. `name=` without a value, and `name = value` with spaces, are errors, because the order
  would not be the one that was meant.
- A dash and a letter make an option; one that does not exist is an error. In quotes or after `--` it is a
  word.
- An option's value is the next token, or what follows `=` or the letter: `--count 3`, `--count=3`, `-n 3`,
  `-n3`.
- `VERB?`, `VERB ?`, `--help` and `-h` ask for help; so does an empty line.
- In the cell form the prompt is the body, without the blank lines around it and otherwise as typed: quotes
  and a final `;` are kept. The line above then has no words. A blank body counts as none.

Nothing here knows models, namespaces or IPython.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from zooop_nb.contract.credits import Number
from zooop_nb.errors import InputError, UnknownName
from zooop_nb.nearest import nearest
from zooop_nb.notebook.tokens import EXPRESSION, OPTIONS, Token, is_name, tokens
from zooop_nb.verbs import Verb

Fill = Callable[[str], object]
"""Fills the `{expressions}` of one option's value; `variables.expand_value` with a namespace is one."""

_BLANK_START = re.compile(r"\A(?:[^\S\n]*\n)+")
_BLANK_END = re.compile(r"(?:\n[^\S\n]*)+\Z")
_SPACED_EQUALS = re.compile(r"=(?:[\"'{\d].*)?\Z", re.DOTALL)
_LIST_ENTRY = re.compile(rf"(?:{EXPRESSION.pattern}|[^,])*")


@dataclass(frozen=True, slots=True)
class Value:
    """A param's value as text. `quoted` tells `size="5"` from `size=5` if the type leaves that open."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a line. `budget` is in credits.

    `sweep` has the values of each swept param: text as typed, or the objects that a `{name}` stood for (a
    list's entries one by one). `each` is the variable's name, with or without braces.
    """

    model: str | None = None
    version: str | None = None
    count: int | None = None
    best: bool = False
    cheap: bool = False
    sweep: dict[str, list[object]] = field(default_factory=dict)
    each: str | None = None
    ask: bool = False
    yes: bool = False
    budget: Number | None = None
    background: bool = False
    fresh: bool = False
    tags: list[str] = field(default_factory=list)
    language: str | None = None
    help: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A parsed line. `inner` is the order that `quote` prices; `options` are then those of `inner`."""

    verb: str
    arguments: list[str] = field(default_factory=list)
    words: str = ""
    params: dict[str, Value] = field(default_factory=dict)
    options: Options = field(default_factory=Options)
    silent: bool = False
    inner: Command | None = None


def _as_typed(text: str) -> object:
    return text


def parse(line: str, cell: str | None, verbs: Mapping[str, Verb], fill: Fill = _as_typed) -> Command:
    """Parse the line, and the body if there is one.

    `fill` is given each value of an option after the line was cut, so that `-n {count}` is a number here and
    a filled text is never read again. Words, arguments and params keep their braces: a batch fills those once
    for each row. Raises InputError, and what `fill` raises.
    """
    found = tokens(line)
    silent = bool(found) and found[-1].kind == "silent"
    pieces = found[:-1] if silent else found
    body = cell if cell is not None and cell.strip() else None
    if not pieces:
        if body is not None:
            raise InputError("Name a verb after `%%zooop`: `%%zooop image`, with the prompt below it.")
        return Command("help", options=Options(help=True), silent=silent)
    first, rest = pieces[0], pieces[1:]
    name = first.text.rstrip("?")
    if not name or first.text in ("--help", "-h"):
        return Command("help", options=Options(help=True), silent=silent)
    spec = verbs.get(name)
    if spec is None:
        raise UnknownName(
            "verb",
            name,
            nearest=nearest(name, sorted(verbs)),
            message=f"`{name}` is no verb of `%zooop`; `%zooop help` lists them.",
        )
    if name != first.text or _asks(rest):
        return Command(name, options=Options(help=True), silent=silent)
    if spec.takes == "verb":
        return _outer(name, line[first.end :], cell, verbs, fill)
    return _command(spec, line, rest, body, fill, silent)


def _asks(rest: list[Token]) -> bool:
    return len(rest) == 1 and rest[0].kind == "word" and rest[0].text in ("?", "??")


def _outer(name: str, line: str, cell: str | None, verbs: Mapping[str, Verb], fill: Fill) -> Command:
    following = tokens(line)
    if not following or following[0].kind == "silent":
        raise InputError(
            f"`%zooop {name}` goes before a whole order: `%zooop {name} image a red panda`.", value=name
        )
    verb = following[0].text
    if verb in ("--help", "-h"):
        return Command(name, options=Options(help=True))
    if verb in verbs and verbs[verb].takes == "verb":
        raise InputError(f"`%zooop {name} {verb}` has one `{verb}` too many.", value=verb)
    inner = parse(line, cell, verbs, fill)
    return Command(name, options=inner.options, silent=inner.silent, inner=inner)


def _command(spec: Verb, line: str, rest: list[Token], body: str | None, fill: Fill, silent: bool) -> Command:
    options = _options(spec, rest, fill)
    params = _params(rest)
    for name in options.sweep.keys() & params.keys():
        raise InputError(f"`{name}` is both set and swept; leave one of the two.", value=name)
    spoken = [token for token in rest if token.kind in ("word", "quoted")]
    leading = len(spoken) if spec.takes == "arguments" else spec.leading
    arguments = [token.value or "" for token in spoken[:leading]]
    spoken = spoken[leading:]
    words = _words(line, rest, spoken)
    if body is not None:
        if spec.takes == "arguments":
            raise InputError(
                f"`{spec.name}` takes no text below it: write `%zooop {spec.name}` with one `%`.",
                value=spec.name,
            )
        if spoken:
            raise InputError(
                f"The prompt is the cell's body, so `{words}` cannot stand beside `%%zooop {spec.name}`: "
                "move it down, or write the whole on one `%zooop` line.",
                value=words,
            )
        words = _BLANK_END.sub("", _BLANK_START.sub("", body))
    elif len(spoken) == 1 and spoken[0].kind == "quoted":
        words = spoken[0].value or ""
    return Command(spec.name, arguments, words, params, options, silent)


def _words(line: str, rest: list[Token], spoken: list[Token]) -> str:
    """Return the words as typed, each with the whitespace that follows it."""
    if not spoken:
        return ""
    followers = {token.end: following.start for token, following in pairwise(rest)}
    parts = [part for token in spoken for part in (token.text, line[token.end : followers.get(token.end)])]
    return "".join(parts[:-1])


def _params(rest: list[Token]) -> dict[str, Value]:
    params: dict[str, Value] = {}
    for before, token in pairwise(rest):
        if token.kind == "ends":
            break
        spaced = (
            before.kind == token.kind == "word" and is_name(before.text) and _SPACED_EQUALS.match(token.text)
        )
        if spaced:
            typed = f"{before.text} {token.text}"
            raise InputError(
                f"`{typed}`: write `{before.text}=...` without spaces for a param, and put "
                "quotes around a prompt that holds `=`.",
                value=typed,
            )
    for token in rest:
        if token.kind != "param":
            continue
        _check_closed(token)
        if not token.value and not token.quoted:
            raise InputError(
                f'`{token.name}=` has no value; an empty one is written `{token.name}=""`.', value=token.name
            )
        if token.name in params:
            raise InputError(
                f"`{token.name}` is set twice; leave one, or separate several values with commas.",
                value=token.name,
            )
        params[token.name] = Value(token.value or "", token.quoted)
    return params


def _check_closed(token: Token) -> None:
    if not token.closed:
        raise InputError(
            f"`{token.text}` opens a quote that is not closed; a closing quote is followed by a "
            "space or ends the line.",
            value=token.text,
        )


def _options(spec: Verb, rest: list[Token], fill: Fill) -> Options:
    given: dict[str, list[str]] = {}
    for name, value in _given(spec, rest):
        if OPTIONS[name].takes_value and name in given and not OPTIONS[name].repeatable:
            raise InputError(f"`--{name}` is given twice; leave one.", value=f"--{name}")
        given.setdefault(name, []).append(value)
    for one, other in (("best", "cheap"), ("ask", "yes")):
        if one in given and other in given:
            raise InputError(f"`--{one}` and `--{other}` say opposite things; leave one.", value=f"--{other}")

    def text(name: str) -> str | None:
        return str(fill(given[name][0])) if name in given else None

    return Options(
        model=text("model"),
        version=text("version"),
        count=_count(fill(given["count"][0])) if "count" in given else None,
        best="best" in given,
        cheap="cheap" in given,
        sweep=_sweeps(given.get("sweep", []), fill),
        each=given["each"][0] if "each" in given else None,
        ask="ask" in given,
        yes="yes" in given,
        budget=_budget(fill(given["budget"][0])) if "budget" in given else None,
        background="background" in given,
        fresh="fresh" in given,
        tags=[str(fill(tag)) for tag in given.get("tag", [])],
        language=text("language"),
        help="help" in given,
    )


def _given(spec: Verb, rest: list[Token]) -> Iterator[tuple[str, str]]:
    """Yield each given option with its value as text; a flag's is empty."""
    for place, token in enumerate(rest):
        if token.kind != "option":
            continue
        name = token.name
        if name not in OPTIONS:
            known = [f"--{option}" for option in sorted({*spec.options, "help"})]
            typed = name if name.startswith("--") else token.text
            raise UnknownName(
                "option",
                typed,
                nearest=nearest(typed, known),
                message=f"`{typed}` is no option of `%zooop {spec.name}`; a word that begins with a dash "
                "goes in quotes, or after `--`.",
            )
        if name != "help" and name not in spec.options:
            raise InputError(f"`%zooop {spec.name}` takes no `--{name}`.", value=f"--{name}")
        if not OPTIONS[name].takes_value:
            if token.value is not None:
                raise InputError(
                    f"`{token.text}`: `--{name}` takes no value; write it alone.", value=token.text
                )
            yield name, ""
            continue
        holder = token
        if token.value is None and place + 1 < len(rest) and rest[place + 1].kind == "value":
            holder = rest[place + 1]
        _check_closed(holder)
        if not holder.value:
            raise InputError(f"`{token.text}` needs a value after it.", value=token.text)
        yield name, holder.value


def _count(value: object) -> int:
    try:
        count = int(value) if isinstance(value, str) else operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        count = 0
    if count < 1 or isinstance(value, bool):
        raise InputError(f"`--count` takes a whole number from 1, not `{value}`.", value=str(value))
    return count


def _budget(value: object) -> Number:
    try:
        credits = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        credits = math.nan
    if not 0 <= credits < math.inf or isinstance(value, bool):
        raise InputError(f"`--budget` takes a number of credits, not `{value}`.", value=str(value))
    return int(credits) if credits == int(credits) else credits


def _sweeps(texts: list[str], fill: Fill) -> dict[str, list[object]]:
    sweeps: dict[str, list[object]] = {}
    for text in texts:
        name, equals, listed = text.partition("=")
        if not equals or not is_name(name):
            raise InputError(f"`--sweep` takes `name=a,b,c`, not `{text}`.", value=text)
        if name in sweeps:
            raise InputError(f"`{name}` is swept twice; name all its values in one `--sweep`.", value=name)
        values = [value for entry in _entries(listed) for value in _flat(fill(entry.strip()))]
        if "" in [value for value in values if isinstance(value, str)] or not values:
            raise InputError(f"`--sweep {text}` has an empty value.", value=text)
        sweeps[name] = values
    return sweeps


def _entries(listed: str) -> Iterator[str]:
    at = 0
    while at <= len(listed) and (entry := _LIST_ENTRY.match(listed, at)):
        yield entry[0]
        at = entry.end() + 1


def _flat(value: object) -> list[object]:
    if isinstance(value, (list, tuple, range)):
        return list(value)
    # Arrays and Series, without importing numpy or pandas.
    if callable(to_list := getattr(value, "tolist", None)) and isinstance(plain := to_list(), list):
        return plain
    return [value]
