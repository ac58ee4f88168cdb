"""The strict schema of the catalogue's files: an unknown or missing key is an error that names its place.

These types are the only schema of the files. The files are validated whenever a sandbox starts, so that must
be fast: msgspec, which also reads the world file, checks all of them in milliseconds. Checks that involve
more than one entry are in `check.py`.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

Name = Annotated[str, Meta(min_length=1)]
Slug = Annotated[str, Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]
Scalar = str | int | float | bool
Positive = Annotated[float, Meta(gt=0)]
Length = Annotated[int, Meta(ge=1)]
Preview = Annotated[str, Meta(pattern=r"^https://storage\.zooop\.ai/assets/")]
Action = Literal[
    "picture", "edit", "svg", "vectorise", "cutout", "upscale-image", "restyle-image",
    "video", "animate", "motion", "lipsync", "extend", "restyle-video", "upscale-video",
    "speech", "clone", "sfx", "music",
]  # fmt: skip

_IN_WORDS = frozenset({"aspect_ratio", "resolution", "voice"})
_CHOSEN = frozenset({"aspect_ratio", "resolution", "enum"})
_NUMBERS = frozenset({"float", "duration"})


class _Entry(Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """Base class of the objects in the files."""


class Option(_Entry):
    """A choice of a param, with its label in a form."""

    value: str | float
    label: Name
    preview_url: Preview | UnsetType = UNSET


class Constraints(_Entry):
    """The constraints on a param's value."""

    min: float | UnsetType = UNSET
    max: float | UnsetType = UNSET
    step: Positive | UnsetType = UNSET
    min_length: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    max_length: Length | UnsetType = UNSET
    min_count: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    max_count: Length | UnsetType = UNSET
    pattern: Name | UnsetType = UNSET

    def __post_init__(self) -> None:
        if all(getattr(self, name) is UNSET for name in self.__struct_fields__):
            raise ValueError("constraints that constrain nothing")


class Param(_Entry):
    """A param, in the API's format."""

    id: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")]
    type: Annotated[str, Meta(pattern="^[a-z_]+$")]
    required: bool
    display_name: str | UnsetType = UNSET
    description: Name | UnsetType = UNSET
    default: Scalar | UnsetType = UNSET
    max_length: Length | UnsetType = UNSET
    options: Annotated[list[str | float | Option], Meta(min_length=1)] | UnsetType = UNSET
    enum_values: Annotated[list[str], Meta(min_length=1)] | UnsetType = UNSET
    constraints: Constraints | UnsetType = UNSET

    def __post_init__(self) -> None:
        listed = self.options or self.enum_values
        if self.type in _IN_WORDS:
            values = [each.value if isinstance(each, Option) else each for each in self.options or ()]
            for value in (*values, "" if self.default is UNSET else self.default):
                if not isinstance(value, str):
                    raise ValueError(f"{self.id}: {value!r} is no text: YAML reads an unquoted 1:1 as 61")
        if self.type in _CHOSEN and not listed:
            raise ValueError(f"{self.id}: a param of type {self.type} needs options or enumValues")
        if self.type in _NUMBERS and not listed:
            bounds = self.constraints or Constraints(min_count=0)
            if bounds.min is UNSET or bounds.max is UNSET:
                # A number without a range would allow a request for a year of video.
                raise ValueError(f"{self.id}: a number needs constraints with min and max")


class TypicalPrice(_Entry):
    """The approximate price that the API shows."""

    typical_credits: Positive
    unit: Literal["image", "second", "frame", "1k_chars", "call"]
    note: Name | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.unit in ("image", "call") and self.typical_credits % 1:
            raise ValueError(f"typicalCredits must be an integer for the flat unit {self.unit}")


class FactorEntry(_Entry):
    """One factor that a price is multiplied by."""

    by: Literal["count", "duration", "chars", "items", "input-seconds", "input-frames"]
    param: Name
    per: Positive | UnsetType = UNSET
    free: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


Factors = Annotated[list[FactorEntry], Meta(min_length=1)]


class SurchargeEntry(_Entry):
    """Credits added if params have these values."""

    add: Positive
    when: Annotated[dict[str, Scalar], Meta(min_length=1)] | UnsetType = UNSET
    times: Factors | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.when is UNSET and self.times is UNSET:
            raise ValueError("a surcharge needs when or times; otherwise it belongs in basePrice")


class PricingEntry(_Entry):
    """The price of a version: one `rate`, or `rates` by the values of the `key` params."""

    rate: Positive | UnsetType = UNSET
    key: Annotated[list[Name], Meta(min_length=1)] | UnsetType = UNSET
    rates: Annotated[dict[str, Positive], Meta(min_length=1)] | UnsetType = UNSET
    times: Factors | UnsetType = UNSET
    surcharges: list[SurchargeEntry] | UnsetType = UNSET
    base_price: Annotated[float, Meta(ge=0)] | UnsetType = UNSET
    min_price: Annotated[int, Meta(ge=0)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        keyed = [self.key is not UNSET, self.rates is not UNSET]
        if any(keyed) != all(keyed) or any(keyed) == (self.rate is not UNSET):
            raise ValueError("pricing needs either rate, or key and rates")


class VersionEntry(_Entry):
    id: Slug
    name: Name
    typical_price: TypicalPrice
    pricing: PricingEntry


class CombinationEntry(_Entry):
    """Values that are refused in combination, and the error message."""

    when: Annotated[dict[str, Scalar | Annotated[list[Scalar], Meta(min_length=1)]], Meta(min_length=2)]
    param: Name
    message: Name


class ModelEntry(_Entry):
    name: Name
    brand: Slug
    description: Name
    seconds: Positive
    params: Annotated[list[Param], Meta(min_length=1)]
    versions: Annotated[list[VersionEntry], Meta(min_length=1)]
    id: Annotated[str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")] | UnsetType = UNSET
    prompt_max_length: Length | UnsetType = UNSET
    action: Action | UnsetType = UNSET
    tags: list[Name] = []
    refused: list[CombinationEntry] = []


class ToolModelEntry(ModelEntry, kw_only=True):
    """A model that only AI tools use; it states its own category."""

    type: Name
    subtype: Name


class RecipeEntry(_Entry):
    """An AI tool."""

    slug: Slug
    name: Name
    media_type: Literal["image", "video"]
    sub_type: str
    summary: Name
    params: Annotated[list[Param], Meta(min_length=1)]
    typical_price: TypicalPrice
    model: Name
    version: Slug
    fixed: dict[str, Scalar]
    tags: list[Name] = []
    woven: list[Name] = []
    action: Action | UnsetType = UNSET
    pricing: PricingEntry | UnsetType = UNSET
    markup: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


class TemplateEntry(RecipeEntry, kw_only=True):
    official: bool


class BrandsFile(_Entry):
    brands: Annotated[dict[str, Name], Meta(min_length=1)]


class CategoryFile(_Entry):
    """`shared` holds fragments for YAML aliases further down; it is never read."""

    type: Name
    subtype: Name
    models: Annotated[list[ModelEntry], Meta(min_length=1)]
    shared: Any = None


class ToolsFile(_Entry):
    tools: Annotated[list[RecipeEntry], Meta(min_length=1)]
    models: list[ToolModelEntry] = []
    shared: Any = None


class TemplatesFile(_Entry):
    templates: Annotated[list[TemplateEntry], Meta(min_length=1)]
    shared: Any = None


SPECIAL: Mapping[str, type[_Entry]] = {"brands": BrandsFile, "tools": ToolsFile, "templates": TemplatesFile}
"""The files that do not belong to a category, by stem."""


def slip(stem: str, data: object) -> str | None:
    """Return the first error in a file's content, with the entry's name and the key; None if valid."""
    try:
        msgspec.convert(data, type=SPECIAL.get(stem, CategoryFile), strict=True)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `")
        return f"{_place(data, path.strip('`'))}: {problem}"
    return None


def _place(data: object, path: str) -> str:
    """Add names to a path: `$.models[3].params[0]` becomes `models[3] (Kling V3).params[0] (prompt)`."""
    said = ""
    at: object = data
    for index, key in re.findall(r"\[([^]]*)\]|\.(\w+)", path):
        if key:
            at = at.get(key) if isinstance(at, dict) else None
            said += f".{key}"
        elif index.isdecimal() and isinstance(at, list):
            at = at[int(index)]
            name = _name(at)
            said += f"[{index}] ({name})" if name else f"[{index}]"
        else:
            said += f"[{index}]"
    return said.removeprefix(".") or "the file"


def _name(entry: object) -> str | None:
    if not isinstance(entry, dict):
        return None
    return next((str(entry[key]) for key in ("name", "slug", "id") if key in entry), None)
