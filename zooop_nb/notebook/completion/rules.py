"""TAB on a `%zooop` line: verbs, options, models, versions, params and their values.

`tokens` splits the line, as for the magic, so that what TAB offers is read back as it was meant: a
name with spaces comes in quotes, and what cannot be written at the cursor is not offered.

Models, tools and templates are those in the catalogue cache. The network is never asked: TAB must answer at
once, also offline. On our lines IPython's own completions are suppressed (`pandas` is no word of a prompt),
except for attributes inside braces.

Pure; `source` reads, and `matcher` is IPython's side.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from zooop_nb.notebook.completion.candidates import (
    Candidate,
    Completion,
    Kind,
    beginning,
    fitting,
    written,
)
from zooop_nb.notebook.completion.source import CompletionSource
from zooop_nb.notebook.completion.target import model_of, params_of, recipes_of
from zooop_nb.notebook.tokens import OPTIONS, Token, is_name, tokens
from zooop_nb.settings import SETTINGS
from zooop_nb.verbs import GENERATION_VERBS, ORDER_VERBS, VERBS, Verb

if TYPE_CHECKING:
    from zooop_nb.orders.params import ParamSpec

_EXPRESSION = re.compile(r"(?P<braces>\{+)[ \t]*(?P<name>(?:[^\W\d]\w*)?)(?P<more>[.\[][^{}\s]*)?\Z")
_LOCALES: Final = ("zh", "zh-TW", "ja", "fr", "es", "de", "pt", "ru")
"""API documentation: `POST /v1/describe-image`, `language`."""
_FIXED: Final[Mapping[str, tuple[Candidate, ...]]] = {
    "models": tuple(Candidate(name, "verb") for name in GENERATION_VERBS),
    "help": tuple(Candidate(name, "verb") for name in VERBS),
    "config": tuple(Candidate(f"{name}=", "setting") for name in SETTINGS),
    "sandbox": (Candidate("off", "value"), Candidate("speed=", "param")),
}
"""The arguments of the verbs that take no words."""


def complete(
    line: str, cursor: int, cell_magic: bool, source: CompletionSource, namespace: Mapping[str, object]
) -> Completion:
    """Return what fits at `cursor` in the text behind the magic's name.

    With `cell_magic` the prompt is below the line; `namespace` has the user's variables. Accepts any text,
    finished or not, and never raises.
    """
    if (expression := complete_expression(line, cursor, namespace)) is not None:
        return expression
    verbs = VERBS
    if cell_magic:
        verbs = {name: verb for name, verb in VERBS.items() if verb.takes != "arguments"}
    return _complete_line(line, cursor, verbs, cell_magic, source)


def complete_expression(line: str, cursor: int, namespace: Mapping[str, object]) -> Completion | None:
    """Return the variables that fit a `{name` at the cursor; None if the cursor is not in a brace.

    Attributes and indexes are left to IPython, which inspects objects safely.
    """
    found = _EXPRESSION.search(line[:cursor])
    if found is None or len(found["braces"]) % 2 == 0:
        return None
    if found["more"]:
        return Completion(cursor, python=True)
    public = sorted(name for name in namespace if not name.startswith("_"))
    fitting = (Candidate(name, "variable") for name in public if name.startswith(found["name"]))
    return Completion(found.start("name"), tuple(fitting))


@dataclass(frozen=True, slots=True)
class _Spot:
    """The cursor on a line whose verb is known.

    `current` is the token at the cursor; if nothing of it is typed yet, `typed` is false.
    """

    line: str
    cursor: int
    spec: Verb
    before: Sequence[Token]
    whole: Sequence[Token]
    current: Token
    typed: bool
    cell_magic: bool
    source: CompletionSource

    @property
    def fragment(self) -> str:
        """The typed part of the current token."""
        return self.current.text if self.typed else ""

    def spoken(self, found: Iterable[Token]) -> list[Token]:
        """Return the words among tokens, except the one being typed."""
        return [
            token
            for token in found
            if token.kind in ("word", "quoted") and not (self.typed and token.start == self.current.start)
        ]


def _complete_line(
    line: str, cursor: int, verbs: Mapping[str, Verb], cell_magic: bool, source: CompletionSource
) -> Completion:
    head = line[:cursor]
    before = tokens(head)
    if before and before[-1].kind == "silent":
        return Completion(cursor)
    typed = bool(before) and before[-1].end == cursor
    if not before or (typed and len(before) == 1):
        fragment = before[0].text if typed else ""
        return beginning(cursor - len(fragment), fragment, (Candidate(name, "verb") for name in verbs))
    spec = verbs.get(before[0].text)
    if spec is None:
        return Completion(cursor)
    if spec.takes == "verb":
        place = before[0].end
        inner = _complete_line(line[place:], cursor - place, ORDER_VERBS, cell_magic, source)
        return replace(inner, start=inner.start + place)
    # The tokenizer decides what a letter here would belong to.
    current = before[-1] if typed else tokens(f"{head}x")[-1]
    return _complete_token(
        _Spot(line, cursor, spec, before, tokens(line)[1:], current, typed, cell_magic, source)
    )


def _complete_token(spot: _Spot) -> Completion:
    current = spot.current
    over = any(token.kind == "ends" for token in (spot.before[:-1] if spot.typed else spot.before))
    if current.kind == "param":
        return _param_value(spot)
    if current.kind == "value" or (current.kind == "option" and current.value is not None):
        return _option_value(spot)
    if not over and spot.fragment.startswith("-"):
        elsewhere = {
            token.name for token in spot.whole if token.kind == "option" and token.start != current.start
        }
        return beginning(current.start, spot.fragment, _options(spot.spec, elsewhere))
    if current.kind == "word" and not _in_quotes(spot):
        return _word(spot, over)
    return Completion(spot.cursor)


def _in_quotes(spot: _Spot) -> bool:
    """Return whether the cursor is in a quoted prompt. An open single quote may be an apostrophe."""
    return any(token.kind == "word" and token.text.startswith('"') for token in spot.before) or any(
        token.kind == "quoted" and token.start < spot.cursor < token.end for token in spot.whole
    )


def _options(spec: Verb, given: set[str]) -> Iterator[Candidate]:
    free = [
        option
        for option in OPTIONS.values()
        if option.name in {*spec.options, "help"} and (option.repeatable or option.name not in given)
    ]
    yield from (Candidate(f"-{option.short}", "option", option.name) for option in free if option.short)
    yield from (Candidate(f"--{option.name}", "option") for option in free)


def _word(spot: _Spot, over: bool) -> Completion:
    start, verb = spot.cursor - len(spot.fragment), spot.spec.name
    place = len(spot.spoken(spot.before[1:]))
    if place < spot.spec.leading:
        kind: Kind = "tool" if verb == "tool" else "template"
        slugs = [Candidate(each.slug, kind, each.name) for each in recipes_of(verb, spot.source)]
        return Completion(start, tuple(fitting(spot.fragment, slugs)))
    if over:
        return Completion(start)
    if verb in ORDER_VERBS:
        return beginning(start, spot.fragment, _param_names(spot))
    if spot.spec.takes_files:
        if place > 0:
            return Completion(start)
        typed = replace(spot, current=replace(spot.current, start=start, value_start=start))
        return _value(typed, [(path, "path", "") for path in spot.source.paths(spot.fragment)])
    if verb in {"show", "resume"}:
        return beginning(start, spot.fragment, _orders(spot.source, verb) if place == 0 else ())
    one_is_enough = place > 0 and verb != "config"
    return beginning(start, spot.fragment, () if one_is_enough else _FIXED.get(verb, ()))


def _param_names(spot: _Spot) -> Iterator[Candidate]:
    specs = _specs(spot)
    if not specs:
        return
    from zooop_nb.orders.params import words_param

    taken = {token.name for token in spot.whole if token.kind == "param"}
    if spot.cell_magic or len(spot.spoken(spot.whole)) > spot.spec.leading:
        words = words_param(specs)
        taken |= {words.id} if words else set()
    for spec in specs:
        if is_name(spec.id) and spec.id not in taken:
            yield Candidate(f"{spec.id}=", "param", spec.label)


def _orders(source: CompletionSource, verb: str) -> Iterator[Candidate]:
    last = source.last() if verb == "show" else None
    order_ids = dict.fromkeys(record.order_id for record in ([last] if last else []))
    order_ids |= dict.fromkeys(record.order_id for record in reversed(source.unfinished()))
    return (Candidate(order_id, "order") for order_id in order_ids)


def _param_value(spot: _Spot) -> Completion:
    spec = next((spec for spec in _specs(spot) if spec.id == spot.current.name), None)
    if spec is None:
        return Completion(spot.cursor)
    values: list[tuple[str, Kind, str]] = [(each.text, "value", each.label) for each in spec.choices]
    if not values and spec.kind == "boolean":
        values = [("true", "value", ""), ("false", "value", "")]
    typed = (spot.current.value or "") if spot.typed else ""
    if spec.media is not None and (not values or typed.startswith(("/", ".", "~"))):
        # A voice may be a sample instead of a listed one.
        several, last = _last_of(typed) if spec.several else ("", typed)
        values += [(several + path, "path", "") for path in spot.source.paths(last)]
    elif not values and spec.default not in (None, ""):
        from zooop_nb.orders.params import typed as as_typed

        values = [(as_typed(spec.default), "value", "default")]
    return _value(spot, values)


def _last_of(typed: str) -> tuple[str, str]:
    head, comma, last = typed.rpartition(",")
    return head + comma, last


def _option_value(spot: _Spot) -> Completion:
    verb, option = spot.spec.name, spot.current.name
    if option == "language":
        return _value(spot, [(locale, "value", "") for locale in _LOCALES])
    if option == "model" and verb in GENERATION_VERBS:
        models = spot.source.models(GENERATION_VERBS[verb])
        return _value(spot, [(model.name, "model", model.brand.name) for model in models])
    if option == "version":
        model = model_of(verb, spot.whole, spot.source)
        versions = model.versions if model else ()
        return _value(spot, [(version.id, "version", version.name) for version in versions])
    return Completion(spot.cursor)


def _value(spot: _Spot, values: Iterable[tuple[str, Kind, str]]) -> Completion:
    """Return the values that fit, each as it must be written here."""
    current = spot.current
    start = current.value_start - current.quoted if spot.typed else spot.cursor
    typed = (current.value or "") if spot.typed else ""
    quote = spot.line[start] if spot.typed and current.quoted else ""
    head = spot.line[:start]
    listed = [Candidate(value, kind, "" if label == value else label) for value, kind, label in values]
    texts = ((each, written(head, each.text, quote)) for each in fitting(typed, listed))
    return Completion(start, tuple(replace(each, text=text) for each, text in texts if text is not None))


def _specs(spot: _Spot) -> "Sequence[ParamSpec]":
    """Return the params of what the line orders, as far as it is known."""
    slug = next((token.value or "" for token in spot.spoken(spot.whole)), "")
    return params_of(spot.spec.name, slug, spot.whole, spot.source)
