"""TAB on a `%zooop` line: verbs, options, models, versions, params and their values.

The line is cut by `tokens`, as the magic cuts it, so what TAB offers is read back as what it was offered for:
a name with spaces comes in quotes, and one that cannot be written where the cursor stands is not offered.

Models, tools and templates are those that an earlier look at them left on disk. The network is never asked:
TAB must answer at once, and with the server away too. On our lines IPython's own completions are kept out
(`pandas` is no word of a prompt), but for attributes inside braces.

Pure, but for `CompletionSource`, which reads. `completer` is IPython's side of it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from zooop_nb.errors import UnknownName
from zooop_nb.notebook.grammar import VerbSpec
from zooop_nb.notebook.help import FILES, ORDERS, SPECS
from zooop_nb.notebook.tokens import OPTIONS, Token, is_name, tokens
from zooop_nb.settings import SETTINGS
from zooop_nb.verbs import VERBS

if TYPE_CHECKING:
    from zooop_nb.contract.categories import Category
    from zooop_nb.contract.shapes import Model, Param, Recipe
    from zooop_nb.ledger import OrderRecord

Kind = Literal[
    "verb", "option", "model", "version", "param", "value", "tool", "template", "order", "setting",
    "variable", "path",
]  # fmt: skip


class CompletionSource(Protocol):
    """What is known without asking anybody."""

    def models(self, category: "Category") -> "Sequence[Model]":
        """The models of a category, recommended first."""

    def tools(self) -> "Sequence[Recipe]":
        """The AI tools."""

    def templates(self) -> "Sequence[Recipe]":
        """The templates."""

    def last(self) -> "OrderRecord | None":
        """The last order that was sent."""

    def unfinished(self) -> "Sequence[OrderRecord]":
        """The orders that `resume` would pick up."""

    def paths(self, begun: str) -> Sequence[str]:
        """The files and folders that a path may go on to; a folder ends in a slash."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text that may stand between `Completion.start` and the cursor.

    `label` says more of it where the text alone says little: a model's brand, a voice's name.
    """

    text: str
    type: Kind
    label: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """What fits at the cursor; `python` tells that it is for IPython to say."""

    start: int
    candidates: tuple[Candidate, ...] = ()
    python: bool = False


_EXPRESSION = re.compile(r"(?P<braces>\{+)[ \t]*(?P<name>(?:[^\W\d]\w*)?)(?P<more>[.\[][^{}\s]*)?\Z")
_PLAIN = re.compile(r"\w[\w.:/@+-]*\Z")
_ORDERS: Final = {name: spec for name, spec in SPECS.items() if name in ORDERS}
"""The verbs that `quote` prices."""
_LOCALES: Final = ("zh", "zh-TW", "ja", "fr", "es", "de", "pt", "ru")
"""API documentation: `POST /v1/describe-image`, `language`."""
_FIXED: Final[Mapping[str, tuple[Candidate, ...]]] = {
    "models": tuple(Candidate(name, "verb") for name in VERBS),
    "help": tuple(Candidate(name, "verb") for name in SPECS),
    "config": tuple(Candidate(f"{name}=", "setting") for name in SETTINGS),
    "sandbox": (Candidate("off", "value"), Candidate("speed=", "param")),
}
"""The arguments of the verbs that take no words."""


def complete(
    line: str, cursor: int, cell_magic: bool, known: CompletionSource, namespace: Mapping[str, object]
) -> Completion:
    """What fits at `cursor` in what stands behind the magic's name.

    `cell_magic` tells that the prompt stands below the line; `namespace` has the user's variables. Takes any
    text, finished or not, and never raises.
    """
    if (expression := complete_expression(line, cursor, namespace)) is not None:
        return expression
    verbs = SPECS
    if cell_magic:
        verbs = {name: spec for name, spec in SPECS.items() if spec.takes != "arguments"}
    return _complete_line(line, cursor, verbs, cell_magic, known)


def complete_expression(line: str, cursor: int, namespace: Mapping[str, object]) -> Completion | None:
    """The variables that fit where the cursor stands in a `{name`; None where it stands in no brace.

    Attributes and indexes are left to IPython, which has the rules for looking at objects safely.
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
    """The cursor on a line whose verb is known. `current` is the token that it stands in; with nothing typed
    of it yet, `typed` is false and the token's own text means nothing."""

    line: str
    cursor: int
    spec: VerbSpec
    before: Sequence[Token]
    whole: Sequence[Token]
    current: Token
    typed: bool
    cell_magic: bool
    known: CompletionSource

    @property
    def fragment(self) -> str:
        """What is typed of the current token."""
        return self.current.text if self.typed else ""

    def spoken(self, found: Iterable[Token]) -> list[Token]:
        """The words among tokens, without the one that is being typed."""
        return [
            token
            for token in found
            if token.kind in ("word", "quoted") and not (self.typed and token.start == self.current.start)
        ]


def _complete_line(
    line: str, cursor: int, verbs: Mapping[str, VerbSpec], cell_magic: bool, known: CompletionSource
) -> Completion:
    head = line[:cursor]
    before = tokens(head)
    if before and before[-1].kind == "silent":
        return Completion(cursor)
    typed = bool(before) and before[-1].end == cursor
    if not before or (typed and len(before) == 1):
        fragment = before[0].text if typed else ""
        return _beginning(cursor - len(fragment), fragment, (Candidate(name, "verb") for name in verbs))
    spec = verbs.get(before[0].text)
    if spec is None:
        return Completion(cursor)
    if spec.takes == "verb":
        place = before[0].end
        inner = _complete_line(line[place:], cursor - place, _ORDERS, cell_magic, known)
        return replace(inner, start=inner.start + place)
    # What a letter here would belong to is for the cutter to say.
    current = before[-1] if typed else tokens(f"{head}x")[-1]
    return _complete_token(
        _Spot(line, cursor, spec, before, tokens(line)[1:], current, typed, cell_magic, known)
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
        return _beginning(current.start, spot.fragment, _options(spot.spec, elsewhere))
    if current.kind == "word" and not _in_quotes(spot):
        return _word(spot, over)
    return Completion(spot.cursor)


def _in_quotes(spot: _Spot) -> bool:
    """Whether the cursor stands in a quoted prompt, closed behind it or not closed yet. A single quote
    that is open may be an apostrophe."""
    return any(token.kind == "word" and token.text.startswith('"') for token in spot.before) or any(
        token.kind == "quoted" and token.start < spot.cursor < token.end for token in spot.whole
    )


def _options(spec: VerbSpec, given: set[str]) -> Iterator[Candidate]:
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
        slugs = [Candidate(each.slug, kind, each.name) for each in _recipes(spot.known, verb)]
        return Completion(start, tuple(_fitting(spot.fragment, slugs)))
    if over:
        return Completion(start)
    if verb in ORDERS:
        return _beginning(start, spot.fragment, _param_names(spot))
    if verb in FILES:
        if place > 0:
            return Completion(start)
        typed = replace(spot, current=replace(spot.current, start=start, value_start=start))
        return _value(typed, [(path, "path", "") for path in spot.known.paths(spot.fragment)])
    if verb in {"show", "resume"}:
        return _beginning(start, spot.fragment, _orders(spot.known, verb) if place == 0 else ())
    one_is_enough = place > 0 and verb != "config"
    return _beginning(start, spot.fragment, () if one_is_enough else _FIXED.get(verb, ()))


def _param_names(spot: _Spot) -> Iterator[Candidate]:
    schema = _schema(spot)
    if not schema:
        return
    from zooop_nb.orders.binding import words_param_of

    taken = {token.name for token in spot.whole if token.kind == "param"}
    if spot.cell_magic or len(spot.spoken(spot.whole)) > spot.spec.leading:
        words = words_param_of(schema)
        taken |= {words.id} if words else set()
    for param in schema:
        if is_name(param.id) and param.id not in taken:
            yield Candidate(f"{param.id}=", "param", param.display_name or "")


def _orders(known: CompletionSource, verb: str) -> Iterator[Candidate]:
    last = known.last() if verb == "show" else None
    entries = dict.fromkeys(entry.order_id for entry in ([last] if last else []))
    entries |= dict.fromkeys(entry.order_id for entry in reversed(known.unfinished()))
    return (Candidate(order_id, "order") for order_id in entries)


def _param_value(spot: _Spot) -> Completion:
    name = spot.current.name
    param = next((param for param in _schema(spot) if param.id == name), None)
    if param is None:
        return Completion(spot.cursor)
    from zooop_nb.orders.binding import media_kind
    from zooop_nb.orders.models import choices_of

    choices = choices_of(param.options, param.enum_values)
    if not choices and param.type == "boolean":
        choices = [("true", ""), ("false", "")]
    values: list[tuple[str, Kind, str]] = [(_spelt(value), "value", label) for value, label in choices]
    typed = (spot.current.value or "") if spot.typed else ""
    if media_kind(param) is not None and (not choices or typed.startswith(("/", ".", "~"))):
        # A voice may be a sample instead of one that is listed.
        several, last = _last_of(typed) if param.type.endswith("_urls") else ("", typed)
        values += [(several + path, "path", "") for path in spot.known.paths(last)]
    elif not choices and param.default not in (None, ""):
        values = [(_spelt(param.default), "value", "default")]
    return _value(spot, values)


def _last_of(typed: str) -> tuple[str, str]:
    head, comma, last = typed.rpartition(",")
    return head + comma, last


def _spelt(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _option_value(spot: _Spot) -> Completion:
    if spot.current.name == "language":
        return _value(spot, [(locale, "value", "") for locale in _LOCALES])
    if spot.spec.name not in VERBS and spot.spec.name != "again":
        return Completion(spot.cursor)
    if spot.current.name == "model":
        models = spot.known.models(VERBS[spot.spec.name].category) if spot.spec.name in VERBS else ()
        return _value(spot, [(model.name, "model", model.brand.name) for model in models])
    if spot.current.name == "version":
        model = _model(spot)
        versions = model.versions if model else ()
        return _value(spot, [(version.id, "version", version.name) for version in versions])
    return Completion(spot.cursor)


def _value(spot: _Spot, values: Iterable[tuple[str, Kind, str]]) -> Completion:
    """The values that fit, each as it must be written here."""
    current = spot.current
    start = current.value_start - current.quoted if spot.typed else spot.cursor
    typed = (current.value or "") if spot.typed else ""
    quote = spot.line[start] if spot.typed and current.quoted else ""
    head = spot.line[:start]
    listed = [Candidate(value, kind, "" if label == value else label) for value, kind, label in values]
    written = ((each, _written(head, each.text, quote)) for each in _fitting(typed, listed))
    return Completion(start, tuple(replace(each, text=text) for each, text in written if text is not None))


def _written(head: str, value: str, quote: str) -> str | None:
    """How a value is written behind `head`, so that it is read back as itself; None where it cannot be."""
    if not quote and _PLAIN.match(value):
        return value
    for mark in (quote,) if quote else ("", '"', "'"):
        # Behind a folder the path goes on.
        text = f"{mark}{value}" if value.endswith("/") else f"{mark}{value}{mark}"
        last = tokens(head + text)[-1]
        whole = last.end == len(head + text) and last.value == value
        if whole and last.quoted == bool(mark) and (last.closed or value.endswith("/")) and "{" not in value:
            return text
    return None


def _beginning(start: int, fragment: str, candidates: Iterable[Candidate]) -> Completion:
    """The candidates that begin with the fragment, capitals or not."""
    fold = fragment.casefold()
    return Completion(start, tuple(each for each in candidates if each.text.casefold().startswith(fold)))


def _fitting(typed: str, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """Those that begin with what is typed; then models that have it within their name or brand, read as `-m`
    reads it. Of the rest such a one only where nothing begins so: `9` finds `16:9`, `1` only what begins."""
    listed = list(dict.fromkeys(candidates))
    first = _beginning(0, typed, listed).candidates
    asked = _bare(typed)
    yield from first
    for each in listed if asked else ():
        within = asked in _bare(each.text) or asked in _bare(each.label)
        if within and each not in first and (not first or each.type == "model"):
            yield each


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


# What the line orders.


def _schema(spot: _Spot) -> "Sequence[Param]":
    """The params of what the line orders, as far as it is known."""
    verb = spot.spec.name
    if verb in VERBS:
        model = _model(spot)
        return model.params if model else ()
    if verb == "again":
        entry = spot.known.last()
        if entry is None or entry.target not in {"tool", "template"}:
            model = _model(spot)
            return model.params if model else ()
        verb, slug = entry.target, entry.tool or entry.template or ""
    else:
        slug = next((token.value or "" for token in spot.spoken(spot.whole)), "")
    recipes = _recipes(spot.known, verb)
    if recipes and "://" in slug:
        from zooop_nb.orders.pricing import slug_of

        slug = slug_of(slug)
    return next((recipe.params for recipe in recipes if recipe.slug == slug), ())


def _recipes(known: CompletionSource, verb: str) -> "Sequence[Recipe]":
    return known.tools() if verb == "tool" else known.templates() if verb == "template" else ()


def _model(spot: _Spot) -> "Model | None":
    """The model that the line names, or the one that it would get."""
    verb = spot.spec.name
    if verb == "again":
        return _model_of(spot.known.last(), spot.known)
    models = spot.known.models(VERBS[verb].category)
    if not models:
        return None
    from zooop_nb.orders.models import match_model, select_model

    given = _given(spot.whole)
    hint = given.get("model")
    if not hint:
        category = VERBS[verb].category
        return select_model(category, models, best="best" in given, cheap="cheap" in given)[0]
    try:
        return match_model(models, hint, verb=verb)
    except UnknownName:
        return None


def _model_of(entry: "OrderRecord | None", known: CompletionSource) -> "Model | None":
    if entry is None:
        return None
    for verb in VERBS.values():
        if (verb.category.type, verb.category.subtype) == (entry.type, entry.subtype):
            return next((model for model in known.models(verb.category) if model.id == entry.model_id), None)
    return None


def _given(found: Iterable[Token]) -> dict[str, str]:
    """The options among tokens, with their values."""
    given: dict[str, str] = {}
    for token in found:
        if token.kind in ("option", "value"):
            given[token.name] = token.value or ""
    return given
