"""From words and given values to a model's params: names checked, types read, choices spelt as listed.

Pure. What the schema does not say (a combination that is refused, an unknown type) is left to the server,
whose message is shown as it is. API documentation: "Reading a model's params schema".
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zooop_nb.contract.credits import Number
from zooop_nb.errors import Action, BadValue, InputError, MissingValue, UnknownName, remedy
from zooop_nb.nearest import nearest
from zooop_nb.orders.params import ParamSpec, typed, words_param


@dataclass(frozen=True, slots=True)
class MediaArgument:
    """Media given for a param: its kind, and whether the param takes several."""

    kind: str
    """image, video, audio, or any."""
    several: bool
    values: tuple[object, ...]
    most: int | None = None
    """How many the param takes."""

    def check_count(self, name: str, count: int) -> None:
        """Raise `BadValue` for more than the param takes. A gallery counts as one until it is spread."""
        if self.most is not None and count > self.most:
            raise BadValue(f"{name} takes up to {self.most}, not {count}.", value=str(count))


@dataclass(frozen=True)
class BoundParams:
    """Params as JSON values, and the media that is still to be resolved."""

    params: Mapping[str, Any]
    media: Mapping[str, MediaArgument] = field(default_factory=dict)


def bind_params(
    specs: Sequence[ParamSpec],
    words: str,
    given: Mapping[str, object],
    *,
    name: str,
    prompt_required: bool = False,
    prompt_max_length: int | None = None,
    defaults: Mapping[str, object] | None = None,
) -> BoundParams:
    """Bind words and given values to the params of a schema; `name` is the model's, for messages.

    `defaults` apply where nothing was given. A required param that has a default of its own gets it.
    `prompt_max_length` is in characters. Raises `UnknownName`, `BadValue` or `MissingValue`.
    """
    by_id = {spec.id: spec for spec in specs}
    for each in given:
        if each not in by_id:
            raise UnknownName(
                f"param of {name}",
                each,
                nearest=nearest(each, by_id),
                remedies=[remedy(Action.SHOW_PARAMS, params=", ".join(by_id)), remedy(Action.QUOTE_TEXT)],
            )
    values = {**(defaults or {}), **given}
    spoken = words_param(specs)
    if words:
        if spoken is None:
            raise InputError(
                f"{name} takes no words; “{_short(words)}” would be lost.",
                value=words,
                remedies=[remedy(Action.SHOW_PARAMS, params=", ".join(by_id))],
            )
        if spoken.id in given:
            raise InputError(f"{spoken.id} is given twice: as words and by name.", value=spoken.id)
        values[spoken.id] = words
    params: dict[str, Any] = {}
    media: dict[str, MediaArgument] = {}
    for spec in specs:
        value = values.get(spec.id)
        if value is None:
            continue
        if spec.media is not None and not _is_choice(spec, value):
            media[spec.id] = _media_argument(spec, spec.media, value)
        else:
            params[spec.id] = read_value(spec, value)
    if prompt_max_length is not None and spoken is not None and spoken.id == "prompt":
        _check_length("prompt", params.get("prompt", ""), prompt_max_length)
    _complete(specs, params, media, spoken if prompt_required else None, name)
    return BoundParams(params, media)


def read_value(spec: ParamSpec, value: object) -> Any:
    """Return a value as the param's type wants it. Raises `BadValue` with what the param takes."""
    if spec.kind == "boolean":
        return _boolean(spec, value)
    if spec.choices:
        return _choice(spec, value)
    if spec.kind == "number":
        return _number(spec, value)
    if spec.kind == "text":
        return _text(spec, value)
    return _as_default(spec, value)


def _choice(spec: ParamSpec, value: object) -> Any:
    if isinstance(value, list | tuple):
        return [_choice(spec, each) for each in value]
    asked = typed(value).strip().casefold()
    if spec.type == "duration":
        asked = asked.removesuffix("s").strip()
    for choice in spec.choices:
        if choice.text.casefold() == asked:
            return choice.value
    for choice in spec.choices:
        if choice.label.casefold() == asked:
            return choice.value
    if spec.type == "boolean" and (truth := _truth(asked)) is not None:
        for choice in spec.choices:
            if _truth(choice.text) is truth:
                return choice.value
    listed = [choice.text for choice in spec.choices]
    near = nearest(str(value), listed)
    raise BadValue(
        f"{spec.id} does not take “{value}”. It takes {', '.join(listed[:24])}.",
        value=str(value),
        remedies=[remedy(Action.PICK_NEAREST, nearest=" or ".join(near))] if near else [],
    )


def _boolean(spec: ParamSpec, value: object) -> bool:
    if isinstance(value, bool):
        return value
    truth = _truth(str(value))
    if truth is None:
        raise BadValue(f"{spec.id} is on or off, not “{value}”.", value=str(value))
    return truth


def _truth(text: str) -> bool | None:
    """Return what a text says as a boolean; None if it says neither."""
    text = text.strip().lower()
    if text in {"true", "yes", "on", "1"}:
        return True
    return False if text in {"false", "no", "off", "0"} else None


def _number(spec: ParamSpec, value: object) -> Number:
    text = str(value).strip().lower()
    if spec.type == "duration":
        text = text.removesuffix("s").strip()
    number: Number
    try:
        # A whole number stays exact: a seed may have more digits than a float holds.
        number = int(text) if text.removeprefix("-").isdecimal() else float(text)
    except ValueError:
        raise BadValue(f"{spec.id} is a number, not “{value}”.", value=str(value)) from None
    if isinstance(number, float) and not math.isfinite(number):
        raise BadValue(f"{spec.id} is a finite number, not “{value}”.", value=str(value))
    lowest, highest = spec.minimum, spec.maximum
    if (lowest is not None and number < lowest) or (highest is not None and number > highest):
        span = f"{lowest} to {highest}" if None not in (lowest, highest) else f"{lowest} or more"
        span = f"up to {highest}" if lowest is None else span
        raise BadValue(f"{spec.id} takes {span}, not {value}.", value=str(value))
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _text(spec: ParamSpec, value: object) -> str:
    text = str(value)
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise BadValue(f"{spec.id} holds half a character, which cannot be sent.", value=spec.id)
    if spec.max_length is not None:
        _check_length(spec.id, text, spec.max_length)
    if spec.min_length is not None and len(text) < spec.min_length:
        raise BadValue(
            f"{spec.id} needs {spec.min_length} characters or more; it has {len(text)}.", value=text
        )
    return text


def _as_default(spec: ParamSpec, value: object) -> Any:
    """Return a value of an unknown type: as JSON if it reads as such, unless the default is text."""
    if not isinstance(value, str):
        if _is_json(value):
            return value
        raise BadValue(f"{spec.id} cannot take a {type(value).__name__}: it is no JSON.", value=str(value))
    if isinstance(spec.default, str):
        return value
    try:
        read = json.loads(value)
    except ValueError:
        return value
    return read if _is_json(read) else value


def _is_json(value: object) -> bool:
    """Return whether a value can be sent; Python reads NaN and 1e999, which JSON does not have."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _is_choice(spec: ParamSpec, value: object) -> bool:
    """Return whether a voice is one of the listed ones instead of a sample."""
    if not spec.choices or not isinstance(value, str):
        return False
    return spec.type == "voice" and not value.lower().startswith(("http:", "https:", "/", "./", "~"))


def _media_argument(spec: ParamSpec, kind: str, value: object) -> MediaArgument:
    values: tuple[object, ...]
    if isinstance(value, str) and spec.several:
        values = tuple(_listed(value))
    elif isinstance(value, list | tuple):
        values = tuple(value)
    else:
        values = (value,)
    if not spec.several and len(values) != 1:
        raise BadValue(f"{spec.id} takes one {kind}, not {len(values)}.", value=spec.id)
    argument = MediaArgument(kind, spec.several, values, spec.max_count)
    argument.check_count(spec.id, len(values))
    return argument


def _listed(text: str) -> Iterator[str]:
    """Yield the paths and URLs of a comma-separated text.

    A URL may itself hold commas, as those of ZOOOP's images do (`format=png,quality=95`): it ends before a
    space or another URL.
    """
    for piece in re.split(r",\s+|,(?=https?://)", text, flags=re.IGNORECASE):
        whole = piece.lower().lstrip().startswith(("http://", "https://"))
        for part in [piece] if whole else piece.split(","):
            if part.strip():
                yield part.strip()


def _complete(
    specs: Sequence[ParamSpec],
    params: dict[str, Any],
    media: Mapping[str, MediaArgument],
    prompt: ParamSpec | None,
    name: str,
) -> None:
    missing = []
    for spec in specs:
        if spec.id in params or spec.id in media:
            continue
        if spec.required and spec.default is not None:
            params[spec.id] = spec.default
        elif spec.required or spec is prompt:
            missing.append(spec)
    blank = [
        spec
        for spec in specs
        if spec.kind == "text"
        and isinstance(text := params.get(spec.id), str)
        and not text.strip()
        and (spec.required or spec is prompt)
    ]
    if missing or blank:
        what = ", ".join(_hint(spec) for spec in [*missing, *blank])
        raise MissingValue(f"{name} needs {what}.", value=(missing or blank)[0].id)


def _hint(spec: ParamSpec) -> str:
    if spec.id == "prompt":
        return "a prompt"
    if spec.choices:
        return f"{spec.id} ({', '.join(choice.text for choice in spec.choices[:8])})"
    return f"{spec.id} ({spec.media or spec.type})"


def _check_length(name: str, text: object, longest: int) -> None:
    length = len(str(text))
    if length > longest:
        raise BadValue(
            f"{name} has {length} characters; the model takes up to {longest}.", value=_short(str(text))
        )


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
