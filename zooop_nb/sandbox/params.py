"""Validate param values: type, choices, range, length, count.

The same rules check a body's params and the catalogue's own defaults. Params of undocumented types are
passed through unchanged. API documentation: "Reading a model's params schema".
"""

import json
import math
import re
from fractions import Fraction
from typing import Any, NoReturn

from zooop_nb.sandbox.refusal import Refusal

Wire = dict[str, Any]

MEDIA_TYPES = frozenset(
    {"image_url", "image_urls", "video_url", "audio_url", "first_frame", "last_frame", "mask_url"}
)
"""The types whose values are ZOOOP-hosted URLs; so are those of a `voice` without choices."""

_TEXT_TYPES = frozenset({"text", "long_text"})
_CHOICE_TYPES = frozenset({"aspect_ratio", "resolution", "enum", "voice", "duration"})


def choices(param: Wire) -> list[object]:
    """Return the values that the param offers, in any of the three formats; empty if it lists none."""
    listed = param.get("options") or param.get("enumValues") or []
    return [option["value"] if isinstance(option, dict) else option for option in listed]


def limit(param: Wire, name: str) -> Any:
    """Return a constraint (`min`, `max`, `step`, `minLength`, `maxLength`, `maxCount`, `pattern`), or None.

    Lengths may also be given next to `id` and `type`, as in the documentation's example of a model.
    """
    constraints = param.get("constraints") or {}
    return constraints.get(name, param.get(name))


def is_media(param: Wire) -> bool:
    """Return whether the param's value is a media URL or a list of them."""
    return param["type"] in MEDIA_TYPES or (param["type"] == "voice" and not choices(param))


def is_text(param: Wire) -> bool:
    """Return whether the param takes free text."""
    return param["type"] in _TEXT_TYPES


def is_blank(value: object) -> bool:
    """Return whether the value is empty, so that a required param with it counts as missing."""
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def hint(param: Wire) -> Wire:
    """Return the entry for one missing param in `missing_required_params`: all that is needed to fill it in.

    API documentation: "Error envelope".
    """
    told: Wire = {key: param[key] for key in ("id", "type", "required", "default") if key in param}
    if listed := param.get("options") or param.get("enumValues"):
        told["options"] = listed
    lengths = {key: param[key] for key in ("minLength", "maxLength") if key in param}
    if constraints := lengths | (param.get("constraints") or {}):
        told["constraints"] = constraints
    return told


def shown(value: object) -> str:
    """Format a value for a message: as JSON, shortened, with lone surrogates escaped so it can be encoded."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = text if len(text) <= 80 else f"{text[:77]}..."
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def refuse(id: str, problem: str) -> NoReturn:
    """Raise Refusal 400 `invalid_payload` for one param."""
    raise Refusal(400, "invalid_payload", f'Param "{id}" {problem}', param=id)


def check(param: Wire, value: object) -> object:
    """Return the validated value; for a choice, the listed one (`5` if the body says `5.0`).

    Raises Refusal (400 `invalid_payload`, with `param`) if the param does not accept it.
    """
    kind = param["type"]
    if kind == "image_urls":
        _urls(param, value)
    elif is_media(param):
        _url(param["id"], value)
    elif kind in _TEXT_TYPES:
        _text(param, value)
    elif kind == "boolean":
        if not isinstance(value, bool):
            refuse(param["id"], f"must be true or false, not {shown(value)}")
    elif kind in _CHOICE_TYPES and choices(param):
        return _choice(param, value)
    elif kind in ("float", "duration"):
        _number(param, value)
    return value


def _choice(param: Wire, value: object) -> object:
    offered = choices(param)
    same = [
        option
        for option in offered
        if option == value and isinstance(option, bool) == isinstance(value, bool)
    ]
    if not same:
        listed = ", ".join(shown(option) for option in offered)
        refuse(param["id"], f"must be one of {listed}, not {shown(value)}")
    return same[0]


def _number(param: Wire, value: object) -> None:
    id = param["id"]
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(id, f"must be a number, not {shown(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        refuse(id, f"must be a finite number, not {value}")
    least, most, step = (limit(param, name) for name in ("min", "max", "step"))
    if least is not None and value < least:
        refuse(id, f"must be at least {least}, not {shown(value)}")
    if most is not None and value > most:
        refuse(id, f"must be at most {most}, not {shown(value)}")
    if step is not None and (Fraction(str(value)) - Fraction(str(least or 0))) % Fraction(str(step)):
        refuse(id, f"must go from {least or 0} in steps of {step}; {shown(value)} is between two")


def _text(param: Wire, value: object) -> None:
    id = param["id"]
    if not isinstance(value, str):
        refuse(id, f"must be text, not {shown(value)}")
    if any("\ud800" <= char <= "\udfff" for char in value):
        refuse(id, "is not valid Unicode text")
    least, most, pattern = (limit(param, name) for name in ("minLength", "maxLength", "pattern"))
    if least is not None and len(value) < least:
        refuse(id, f"must have at least {least} characters; it has {len(value)}")
    if most is not None and len(value) > most:
        refuse(id, f"must have at most {most} characters; it has {len(value)}")
    if pattern is not None and not re.fullmatch(pattern, value):
        refuse(id, f"must match {pattern}, not {shown(value)}")


def _url(id: str, value: object) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[!-~]+", value):
        refuse(id, f"must be the URL of media that ZOOOP hosts, not {shown(value)}")


def _urls(param: Wire, value: object) -> None:
    id = param["id"]
    if not isinstance(value, list):
        refuse(id, f"must be a list of URLs, not {shown(value)}")
    for url in value:
        _url(id, url)
    least, most = limit(param, "minCount"), limit(param, "maxCount")
    if least is not None and len(value) < least:
        refuse(id, f"takes at least {least} URLs; it has {len(value)}")
    if most is not None and len(value) > most:
        refuse(id, f"takes at most {most} URLs; it has {len(value)}")
