"""What the catalogue's files become in memory: models, versions, recipes and their pricing.

Params stay the wire's own dictionaries, so that what `/v1/models` shows and what a body is checked
against can never differ. API documentation: "GET /v1/models", "GET /v1/ai-tools".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from uuid import UUID, uuid5

Wire = dict[str, Any]
"""A JSON object as it stands in an answer. Shared, not copied: read it, never change it."""

_NAMESPACE = UUID("7f0b6c1e-0d55-5d0e-9a55-3a0f6f0a7a10")


def exact(number: float | str) -> Fraction:
    """The number as it is written: 0.1 is one tenth here, not the nearest binary fraction."""
    return Fraction(str(number))


def model_id(type: str, subtype: str, name: str) -> str:
    """A model's id, the same in every run: a lower-case UUID made from category and name."""
    return str(uuid5(_NAMESPACE, f"{type}/{subtype}/{name}"))


@dataclass(frozen=True, slots=True)
class Factor:
    """One thing that a price is multiplied by.

    `by` says what is counted: `count` (the param's number), `duration` (the param's seconds), `chars`
    (the param's characters), `items` (the param's list, less `free`), `input-seconds` and
    `input-frames` (of the media that the param points to). `per` is the size of one unit: 1000
    characters, a clip of 5 seconds.
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
    """Credits on top of base * multiplier, where every param in `when` has the value given there."""

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
    """What a version costs, in credits, by the documented formula (see `zooop_nb.sandbox.pricing`).

    `rates` gives the base for each pricing key; the key is made of the values of the params in `key`,
    joined by a hyphen, and is `default` where there are none.
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
    """The name under which a rate stands for these values: `720p`, `low-2k`, `1080p-true`, `default`."""
    words = (str(value).lower() if isinstance(value, bool) else str(value) for value in values)
    return "-".join(words) or "default"


@dataclass(frozen=True, slots=True)
class Version:
    """One of a model's versions. `typical_price` is the wire's ballpark, `pricing` the rule behind it."""

    id: str
    name: str
    typical_price: Wire
    pricing: Pricing

    def public(self) -> Wire:
        return {"id": self.id, "name": self.name, "typicalPrice": self.typical_price}


@dataclass(frozen=True, slots=True)
class Combination:
    """Values that each are fine and together are refused, with the sentence that says so."""

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

    `prompt_max_length` is in characters, 0 where there is no prompt; `seconds` is how long one order takes in
    real life, `action` the renderer that stands in for it,
    `listed` whether the public surface shows it (the models behind AI tools may be hidden ones).
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
        """The model as `/v1/models` shows it."""
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
    """An AI tool or a template: a model and version with some params fixed and the others its own.

    `kind` is `AI tool` or `template`. `woven` are the inputs that the fixed prompt's `{name}` places
    take up. `pricing` overrides the version's where there is one; `markup` (credits) comes on top.
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
        """The recipe as `/v1/ai-tools` or `/v1/templates` shows it: nothing fixed, nothing internal."""
        return self.shown
