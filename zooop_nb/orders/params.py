"""The params of a model, as one shape that binding, TAB and help read.

`param_specs` reads the schema of a model, tool or template once. It is tolerant: whatever is wrong in a
schema (options that are a number, limits that are text) counts as absent. API documentation: "Reading a
model's params schema".
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from zooop_nb.contract.credits import Number
from zooop_nb.contract.shapes import Param

Kind = Literal["text", "number", "boolean", "choice", "media", "other"]
MediaKind = Literal["image", "video", "audio", "any"]
N = TypeVar("N", int, Number)

_MEDIA: Final[Mapping[str, MediaKind]] = {
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
_NUMBERS: Final = frozenset({"float", "duration", "integer", "int", "number"})
_UNITS: Final[Mapping[str, str]] = {"duration": "s"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One listed value of a param."""

    value: Any
    """What is sent, as the API lists it."""
    label: str
    """Its name for people."""
    preview_url: str | None = None
    """A sample, such as a voice's."""

    @property
    def text(self) -> str:
        """The value as people type it: `16:9`, `5`, `true`."""
        return typed(self.value)


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One param: what it takes, and how it is shown. None is "not limited" or "not said"."""

    id: str
    """Its name in `params`."""
    type: str
    """The API's own type, known here or not."""
    kind: Kind
    media: MediaKind | None
    """Which media it takes; `any` for a media type that is new. Only if `kind` is `media`."""
    several: bool
    """Whether it takes a list of media."""
    choices: tuple[Choice, ...]
    minimum: Number | None
    maximum: Number | None
    min_length: int | None
    """Characters."""
    max_length: int | None
    """Characters."""
    max_count: int | None
    """How many media values it takes."""
    default: Any
    required: bool
    label: str
    """Its name for people."""
    help: str | None
    unit: str | None
    """The unit of a number, such as `s`."""


def param_specs(params: Iterable[Param]) -> tuple[ParamSpec, ...]:
    """Read a schema. An entry without an id is left out; of several with one id, the first counts."""
    specs: dict[str, ParamSpec] = {}
    for param in params:
        if isinstance(param.id, str) and param.id:
            specs.setdefault(param.id, param_spec(param))
    return tuple(specs.values())


def param_spec(param: Param) -> ParamSpec:
    """Read one entry of a schema."""
    type_ = param.type if isinstance(param.type, str) else ""
    limits = param.constraints if isinstance(param.constraints, Mapping) else {}
    choices = _choices(param.options) or _choices(param.enum_values)
    media = _media_kind(type_)
    minimum, maximum = _span(
        _first(_number, limits.get("min"), param.min), _first(_number, limits.get("max"), param.max)
    )
    min_length, max_length = _span(
        _whole(limits.get("minLength")), _first(_whole, limits.get("maxLength"), param.max_length)
    )
    unit = limits.get("unit")
    return ParamSpec(
        id=param.id,
        type=type_,
        kind=_kind(type_, media, choices),
        media=media,
        several=media is not None and type_.endswith("_urls"),
        choices=choices,
        minimum=minimum,
        maximum=maximum,
        min_length=min_length,
        max_length=max_length,
        max_count=_whole(limits.get("maxCount")),
        default=param.default,
        required=param.required is True,
        label=_said(param.display_name) or param.id.replace("_", " ").replace(".", " ").capitalize(),
        help=_said(param.description),
        unit=unit if isinstance(unit, str) and unit else _UNITS.get(type_),
    )


def words_param(specs: Sequence[ParamSpec]) -> ParamSpec | None:
    """Return the param that the words go to: `prompt`, else the required text param, else the only one."""
    for spec in specs:
        if spec.id == "prompt":
            return spec
    texts = [spec for spec in specs if spec.type in _TEXT]
    required = [spec for spec in texts if spec.required]
    return next(iter(required), texts[0] if len(texts) == 1 else None)


def typed(value: Any) -> str:
    """Return a value as people type it: `true` for True, `5` for 5.0."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def param_lines(specs: Sequence[ParamSpec]) -> list[str]:
    """Return a line per param for a help text: `duration  3 to 15 s (default 5)`."""
    width = max((len(spec.id) for spec in specs), default=0)
    # A schema's own texts may hold line breaks.
    return [f"{spec.id.ljust(width)}  {' '.join(_takes(spec).split())}" for spec in specs]


def _takes(spec: ParamSpec) -> str:
    facts = [_values(spec)]
    if spec.required:
        facts.append("required")
    if spec.max_length is not None:
        facts.append(f"up to {spec.max_length} characters")
    if spec.max_count is not None and spec.several:
        facts.append(f"up to {spec.max_count}")
    default = "" if spec.default in (None, "") else f" (default {typed(spec.default)})"
    return ", ".join(facts) + default


def _values(spec: ParamSpec) -> str:
    unit = f" {spec.unit}" if spec.unit else ""
    if spec.choices:
        listed = [choice.text for choice in spec.choices]
        return ", ".join(listed[:_LISTED]) + (", …" if len(listed) > _LISTED else "") + unit
    if spec.kind == "boolean":
        return "true, false"
    if spec.minimum is not None and spec.maximum is not None:
        return f"{typed(spec.minimum)} to {typed(spec.maximum)}{unit}"
    if spec.minimum is not None:
        return f"{typed(spec.minimum)} or more{unit}"
    if spec.maximum is not None:
        return f"up to {typed(spec.maximum)}{unit}"
    if spec.media is not None:
        media = (
            "a file"
            if spec.media == "any"
            else {"image": "an image", "audio": "a sound"}.get(spec.media, "a clip")
        )
        return f"{media}, or several" if spec.several else media
    return "a number" + unit if spec.kind == "number" else spec.kind if spec.kind == "text" else spec.type


_LISTED: Final = 8
"""How many choices a line lists."""


def _kind(type_: str, media: MediaKind | None, choices: tuple[Choice, ...]) -> Kind:
    if media is not None:
        return "media"
    if type_ == "boolean" and all(isinstance(choice.value, bool) for choice in choices):
        return "boolean"
    if choices:
        return "choice"
    if type_ in _NUMBERS:
        return "number"
    return "text" if type_ in _TEXT else "other"


def _media_kind(type_: str) -> MediaKind | None:
    known = _MEDIA.get(type_)
    return "any" if known is None and type_.endswith(("_url", "_urls")) else known


def _choices(options: Any) -> tuple[Choice, ...]:
    if isinstance(options, Mapping):
        options = [{"value": value, "label": label} for value, label in options.items()]
    if not isinstance(options, list | tuple):
        return ()
    return tuple(choice for option in options if (choice := _choice(option)) is not None)


def _choice(option: Any) -> Choice | None:
    label, preview = None, None
    if isinstance(option, Mapping):
        label, preview = option.get("label"), option.get("previewUrl")
        option = option.get("value", option.get("id"))
    if not isinstance(option, str | int | float) or (isinstance(option, float) and not math.isfinite(option)):
        return None
    return Choice(option, _said(label) or typed(option), preview if isinstance(preview, str) else None)


def _number(value: Any) -> Number | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A whole number may be beyond every float, where `isfinite` raises.
    return value if isinstance(value, int) or math.isfinite(value) else None


def _first(read: Callable[[Any], N | None], *values: Any) -> N | None:
    """Return the first value that reads as a limit."""
    return next((found for value in values if (found := read(value)) is not None), None)


def _span(lowest: N | None, highest: N | None) -> tuple[N | None, N | None]:
    """Return both limits, or neither if they are reversed."""
    reversed_ = lowest is not None and highest is not None and lowest > highest
    return (None, None) if reversed_ else (lowest, highest)


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number >= 0 and number == int(number) else None


def _said(value: Any) -> str | None:
    """Return a text that says something, or a number as one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return typed(value).strip() or None
