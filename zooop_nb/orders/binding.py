"""From what was written to a model's params: names checked, types kept or read, choices spelt as listed.

Pure. What the schema does not tell (a combination that is refused, an unknown type) is left to the
server, whose message is shown as it is. API documentation: "Reading a model's params schema".
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from zooop_nb.contract.shapes import Param
from zooop_nb.errors import Action, BadValue, InputError, MissingValue, UnknownName, remedy
from zooop_nb.nearest import nearest
from zooop_nb.orders.models import choices_of

_MEDIA: Final[Mapping[str, str]] = {
    "image_url": "image",
    "image_urls": "image",
    "first_frame": "image",
    "last_frame": "image",
    "mask_url": "image",
    "video_url": "video",
    "video_urls": "video",
    "audio_url": "audio",
    "audio_urls": "audio",
    "voice": "audio",
}
_TEXT: Final = frozenset({"text", "long_text"})


@dataclass(frozen=True, slots=True)
class MediaArgument:
    """Media that was handed over for a param: of which kind, one or several, and as what."""

    kind: str
    """image, video, audio, or any."""
    several: bool
    values: tuple[object, ...]
    most: int | None = None
    """How many the param takes."""

    def check_count(self, name: str, count: int) -> None:
        """Raise `BadValue` for more than the param takes; a gallery among the values counts as one until
        it is spread."""
        if self.most is not None and count > self.most:
            raise BadValue(f"{name} takes up to {self.most}, not {count}.", value=str(count))


@dataclass(frozen=True)
class BoundParams:
    """Params as JSON values, and the media that is still to be resolved."""

    params: Mapping[str, Any]
    media: Mapping[str, MediaArgument] = field(default_factory=dict)


def fill(
    schema: Sequence[Param],
    words: str,
    given: Mapping[str, object],
    *,
    name: str,
    prompt_required: bool = False,
    prompt_max_length: int | None = None,
    defaults: Mapping[str, object] | None = None,
) -> BoundParams:
    """Params for `schema` from words and given values; `name` is the model's, for messages.

    `defaults` stand where nothing was given. A required param that has a default of its own gets it.
    Raises `UnknownName`, `BadValue` or `MissingValue`.
    """
    by_id = {param.id: param for param in schema}
    for each in given:
        if each not in by_id:
            raise UnknownName(
                f"param of {name}",
                each,
                nearest=nearest(each, by_id),
                remedies=[remedy(Action.SHOW_PARAMS, params=", ".join(by_id)), remedy(Action.QUOTE_TEXT)],
            )
    values = {**(defaults or {}), **given}
    words_param = words_param_of(schema)
    if words:
        if words_param is None:
            raise InputError(
                f"{name} takes no words; “{_short(words)}” would be lost.",
                value=words,
                remedies=[remedy(Action.SHOW_PARAMS, params=", ".join(by_id))],
            )
        if words_param.id in given:
            raise InputError(f"{words_param.id} is given twice: as words and by name.", value=words_param.id)
        values[words_param.id] = words
    params: dict[str, Any] = {}
    media: dict[str, MediaArgument] = {}
    for param in schema:
        if param.id not in values or values[param.id] is None:
            continue
        value = values[param.id]
        kind = media_kind(param)
        if kind is not None and not _is_choice(param, value):
            media[param.id] = _wanted(param, kind, value)
        else:
            params[param.id] = coerce(param, value)
    if prompt_max_length is not None and words_param is not None and words_param.id == "prompt":
        _check_length("prompt", params.get("prompt", ""), prompt_max_length)
    _complete(schema, params, media, words_param if prompt_required else None, name)
    return BoundParams(params, media)


def words_param_of(schema: Sequence[Param]) -> Param | None:
    """The param that the words go to: `prompt`, else the required text param, else the only text param."""
    for param in schema:
        if param.id == "prompt":
            return param
    texts = [param for param in schema if param.type in _TEXT]
    required = [param for param in texts if param.required]
    return next(iter(required), texts[0] if len(texts) == 1 else None)


def media_kind(param: Param) -> str | None:
    """Which media a param takes: image, video, audio, or any for a media type that is new; None for
    a param that takes no media."""
    known = _MEDIA.get(param.type)
    if known is None and param.type.endswith(("_url", "_urls")):
        return "any"
    return known


def coerce(param: Param, value: object) -> Any:
    """A value as the param's type wants it. Raises `BadValue` with what the param takes."""
    choices = choices_of(param.options, param.enum_values)
    if choices:
        return _choice(param, choices, value)
    if param.type == "boolean":
        return _boolean(param, value)
    if param.type in {"float", "duration", "integer", "int", "number"}:
        return _number(param, value)
    if param.type in _TEXT:
        text = str(value)
        if any("\ud800" <= sign <= "\udfff" for sign in text):
            raise BadValue(f"{param.id} holds half a character, which cannot be sent.", value=param.id)
        limits = param.constraints if isinstance(param.constraints, dict) else {}
        longest = limits.get("maxLength", param.max_length)
        if isinstance(longest, int):
            _check_length(param.id, text, longest)
        shortest = limits.get("minLength")
        if isinstance(shortest, int) and len(text) < shortest:
            raise BadValue(f"{param.id} needs {shortest} characters or more; it has {len(text)}.", value=text)
        return text
    return _as_default(param, value)


def _choice(param: Param, choices: list[tuple[Any, str]], value: object) -> Any:
    if isinstance(value, list | tuple):
        return [_choice(param, choices, each) for each in value]
    asked = str(value).strip().casefold()
    if isinstance(value, float) and value.is_integer():
        asked = str(int(value))
    if param.type == "duration":
        asked = asked.removesuffix("s").strip()
    for test in (lambda choice, _: _spelt(choice), lambda _, label: label.casefold()):
        for choice, label in choices:
            if test(choice, label) == asked:
                return choice
    listed = [str(choice) for choice, _ in choices]
    near = nearest(str(value), listed)
    raise BadValue(
        f"{param.id} does not take “{value}”. It takes {', '.join(listed[:24])}.",
        value=str(value),
        remedies=[remedy(Action.PICK_NEAREST, nearest=" or ".join(near))] if near else [],
    )


def _spelt(choice: Any) -> str:
    """A choice as it is compared: whole numbers without a fraction."""
    return str(int(choice) if isinstance(choice, float) and choice.is_integer() else choice).casefold()


def _boolean(param: Param, value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in {"true", "yes", "on", "1"}:
        return True
    if text in {"false", "no", "off", "0"}:
        return False
    raise BadValue(f"{param.id} is on or off, not “{value}”.", value=str(value))


def _number(param: Param, value: object) -> int | float:
    text = str(value).strip().lower()
    if param.type == "duration":
        text = text.removesuffix("s").strip()
    number: int | float
    try:
        # A whole number stays exact: a seed may have more digits than a float holds.
        number = int(text) if text.removeprefix("-").isdecimal() else float(text)
    except ValueError:
        raise BadValue(f"{param.id} is a number, not “{value}”.", value=str(value)) from None
    if isinstance(number, float) and not math.isfinite(number):
        raise BadValue(f"{param.id} is a finite number, not “{value}”.", value=str(value))
    limits = param.constraints if isinstance(param.constraints, dict) else {}
    lowest, highest = limits.get("min", param.min), limits.get("max", param.max)
    if (isinstance(lowest, int | float) and number < lowest) or (
        isinstance(highest, int | float) and number > highest
    ):
        span = f"{lowest} to {highest}" if None not in (lowest, highest) else f"{lowest} or more"
        span = f"up to {highest}" if lowest is None else span
        raise BadValue(f"{param.id} takes {span}, not {value}.", value=str(value))
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _as_default(param: Param, value: object) -> Any:
    """A value of a type that is not known: JSON where it reads as such, unless the default is text."""
    if not isinstance(value, str):
        if _is_json(value):
            return value
        raise BadValue(f"{param.id} cannot take a {type(value).__name__}: it is no JSON.", value=str(value))
    if isinstance(param.default, str):
        return value
    try:
        read = json.loads(value)
    except ValueError:
        return value
    return read if _is_json(read) else value


def _is_json(value: object) -> bool:
    """Whether a value can be sent; Python's reader takes NaN and 1e999, which JSON does not have."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _is_choice(param: Param, value: object) -> bool:
    """A voice may be one of the listed ones instead of a sample."""
    choices = choices_of(param.options, param.enum_values)
    if not choices or not isinstance(value, str):
        return False
    return param.type == "voice" and not value.lower().startswith(("http:", "https:", "/", "./", "~"))


def _wanted(param: Param, kind: str, value: object) -> MediaArgument:
    several = param.type.endswith("_urls")
    values: tuple[object, ...]
    if isinstance(value, str) and several:
        values = tuple(_listed(value))
    elif isinstance(value, list | tuple):
        values = tuple(value)
    else:
        values = (value,)
    if not several and len(values) != 1:
        raise BadValue(f"{param.id} takes one {kind}, not {len(values)}.", value=param.id)
    limits = param.constraints if isinstance(param.constraints, dict) else {}
    most = limits.get("maxCount")
    wanted = MediaArgument(kind, several, values, most if isinstance(most, int) else None)
    wanted.check_count(param.id, len(values))
    return wanted


def _listed(text: str) -> Iterator[str]:
    """Paths and URLs in a text, with commas between them. A URL may hold commas itself, as those of
    ZOOOP's pictures do (`format=png,quality=95`): one ends before a space or another URL."""
    for piece in re.split(r",\s+|,(?=https?://)", text, flags=re.IGNORECASE):
        whole = piece.lower().lstrip().startswith(("http://", "https://"))
        for part in [piece] if whole else piece.split(","):
            if part.strip():
                yield part.strip()


def _complete(
    schema: Sequence[Param],
    params: dict[str, Any],
    media: Mapping[str, MediaArgument],
    prompt: Param | None,
    name: str,
) -> None:
    missing = []
    for param in schema:
        if param.id in params or param.id in media:
            continue
        if param.required and param.default is not None:
            params[param.id] = param.default
        elif param.required or param is prompt:
            missing.append(param)
    blank = [
        param
        for param in schema
        if param.type in _TEXT
        and isinstance(text := params.get(param.id), str)
        and not text.strip()
        and (param.required or param is prompt)
    ]
    if missing or blank:
        what = ", ".join(_hint(param) for param in [*missing, *blank])
        raise MissingValue(f"{name} needs {what}.", value=(missing or blank)[0].id)


def _hint(param: Param) -> str:
    if param.id == "prompt":
        return "a prompt"
    choices = choices_of(param.options, param.enum_values)
    if choices:
        return f"{param.id} ({', '.join(str(choice) for choice, _ in choices[:8])})"
    return f"{param.id} ({media_kind(param) or param.type})"


def _check_length(name: str, text: object, longest: int) -> None:
    length = len(str(text))
    if length > longest:
        raise BadValue(
            f"{name} has {length} characters; the model takes up to {longest}.", value=_short(str(text))
        )


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
