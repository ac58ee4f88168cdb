"""The catalogue in memory: models, versions, recipes and their pricing.

Params are kept as the API's JSON objects, so that what `/v1/models` shows and what a body is checked
against can never differ. API documentation: "GET /v1/models", "GET /v1/ai-tools".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from uuid import UUID, uuid5

Wire = dict[str, Any]
"""A JSON object as it appears in a response. Shared, not copied, so it must not be modified."""

_NAMESPACE = UUID("7f0b6c1e-0d55-5d0e-9a55-3a0f6f0a7a10")


def exact(number: float | str) -> Fraction:
    """Return the number exactly as written: 0.1 is one tenth, not the nearest binary fraction."""
    return Fraction(str(number))


def model_id(type: str, subtype: str, name: str) -> str:
    """Return a model's id, a lower-case UUID derived from category and name, so the same in every run."""
    return str(uuid5(_NAMESPACE, f"{type}/{subtype}/{name}"))


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor that a price is multiplied by.

    `by` says what is counted: `count` (the param's number), `duration` (the param's seconds), `chars`
    (the param's characters), `items` (the param's list, less `free`), `input-seconds` and
    `input-frames` (of the media at the param's URL). `per` is the size of one unit: 1000 characters, a
    clip of 5 seconds.
    """

    by: str
    param: str
    per: Fraction = Fraction(1)
    free: int = 0

    @classmethod
    def read(cls, data: Wire) -> "Factor":
        return cls(data["by"], data["param"], exact(data.get("per", 1)), data.get("free", 0))


@dataclass(frozen=True, slots=True)
class Surcharge:
    """Credits added to base * multiplier if every param in `when` has the given value."""

    add: Fraction
    when: Mapping[str, object]
    times: tuple[Factor, ...]

    @classmethod
    def read(cls, data: Wire) -> "Surcharge":
        return cls(
            exact(data["add"]),
            data.get("when", {}),
            tuple(Factor.read(each) for each in data.get("times", ())),
        )


@dataclass(frozen=True, slots=True)
class Pricing:
    """The price of a version in credits, by the documented formula (see `zooop_nb.sandbox.pricing`).

    `rates` gives the base for each pricing key. The key consists of the values of the params in `key`,
    joined by hyphens, or is `default` if there are none.
    """

    key: tuple[str, ...]
    rates: Mapping[str, Fraction]
    times: tuple[Factor, ...]
    surcharges: tuple[Surcharge, ...]
    base_price: Fraction
    min_price: int

    @classmethod
    def read(cls, data: Wire) -> "Pricing":
        rates = data["rates"] if "rates" in data else {"default": data["rate"]}
        return cls(
            key=tuple(data.get("key", ())),
            rates={key: exact(rate) for key, rate in rates.items()},
            times=tuple(Factor.read(each) for each in data.get("times", ())),
            surcharges=tuple(Surcharge.read(each) for each in data.get("surcharges", ())),
            base_price=exact(data.get("basePrice", 0)),
            min_price=data.get("minPrice", 0),
        )


def pricing_key(values: Iterable[object]) -> str:
    """Return the pricing key for these values: `720p`, `low-2k`, `1080p-true`, `default`."""
    words = (str(value).lower() if isinstance(value, bool) else str(value) for value in values)
    return "-".join(words) or "default"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a model. `typical_price` is the approximate price shown, `pricing` the exact rule."""

    id: str
    name: str
    typical_price: Wire
    pricing: Pricing

    def public(self) -> Wire:
        return {"id": self.id, "name": self.name, "typicalPrice": self.typical_price}


@dataclass(frozen=True, slots=True)
class Combination:
    """Values that are valid separately but refused in combination, with the error message."""

    when: Mapping[str, tuple[object, ...]]
    param: str
    message: str

    @classmethod
    def read(cls, data: Wire) -> "Combination":
        when = {key: tuple(v if isinstance(v, list) else [v]) for key, v in data["when"].items()}
        return cls(when, data["param"], data["message"])


@dataclass(frozen=True, slots=True)
class Model:
    """A model, which the API calls an interface.

    `prompt_max_length` is in characters, 0 if there is no prompt; `seconds` is how long one order takes on
    the real API, `action` the renderer that stands in for the model, `listed` whether the public API shows it
    (models used by AI tools may be hidden).
    """

    id: str
    name: str
    type: str
    subtype: str
    description: str
    brand: Wire
    prompt_required: bool
    prompt_max_length: int
    params: list[Wire]
    versions: tuple[Version, ...]
    tags: list[str]
    seconds: float
    action: str
    refused: tuple[Combination, ...]
    listed: bool

    def version(self, id: str) -> Version | None:
        return next((version for version in self.versions if version.id == id), None)

    def public(self) -> Wire:
        """Return the model as `/v1/models` shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "type": self.type,
            "subType": self.subtype,
            "description": self.description,
            "brand": self.brand,
            "promptRequired": self.prompt_required,
            "promptMaxLength": self.prompt_max_length,
            "params": self.params,
            "versions": [version.public() for version in self.versions],
            "tags": self.tags,
        }


@dataclass(frozen=True, slots=True)
class Recipe:
    """An AI tool or a template: a model and version with some params fixed, and its own other params.

    `kind` is `AI tool` or `template`. `woven` are the inputs inserted at the `{name}` placeholders of the
    fixed prompt. `pricing`, if set, overrides the version's; `markup` (credits) is added to the price.
    """

    kind: str
    slug: str
    name: str
    media_type: str
    model: Model
    version_id: str
    params: list[Wire]
    fixed: Mapping[str, object]
    woven: frozenset[str]
    action: str
    pricing: Pricing | None
    markup: int
    shown: Wire

    def public(self) -> Wire:
        """Return the recipe as `/v1/ai-tools` or `/v1/templates` shows it, without fixed or internal data."""
        return self.shown
