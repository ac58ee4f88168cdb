"""The price of an order by the documented formula, with its breakdown.

final = max(minPrice, ceil(base * multiplier + surcharges + basePrice)). Computed with exact fractions:
credits are money, and 0.1 * 30 must not come to 4. API documentation: "POST /v1/quote".
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from zooop_nb.sandbox.catalogue.shapes import Factor, Surcharge, Wire, exact, pricing_key
from zooop_nb.sandbox.params import refuse
from zooop_nb.sandbox.resolve import Resolved, number


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one order. Everything but `units` is in credits, or a plain factor.

    `units` is the billed quantity in the unit of the version's typical price: images, seconds, frames,
    thousands of characters or calls.
    """

    credits: int
    pricing_key: str
    base: Fraction
    multiplier: Fraction
    surcharges: Fraction
    base_price: Fraction
    min_price_applied: bool
    units: float

    def breakdown(self) -> Wire:
        """Return the breakdown of `/v1/quote`; whole numbers are integers."""
        return {
            "pricingKey": self.pricing_key,
            "base": _plain(self.base),
            "multiplier": _plain(self.multiplier),
            "surcharges": _plain(self.surcharges),
            "basePrice": _plain(self.base_price),
            "minPriceApplied": self.min_price_applied,
        }


def price(resolved: Resolved, seconds: Mapping[str, float], frames: Mapping[str, int]) -> Price:
    """Price a resolved body. `seconds` and `frames` are the lengths of the media in its params, by URL.

    Raises Refusal (400 `invalid_payload`, with `param`) if the price depends on the length of media
    whose length is unknown.
    """
    pricing = resolved.pricing
    key = pricing_key(resolved.params[id] for id in pricing.key)
    base = pricing.rates[key]
    measured = _Measured(resolved.params, seconds, frames)
    multiplier = measured.product(pricing.times)
    surcharges = sum((measured.surcharge(each) for each in pricing.surcharges), Fraction(0))
    markup = resolved.recipe.markup if resolved.recipe else 0
    base_price = pricing.base_price + markup
    reckoned = math.ceil(base * multiplier + surcharges + base_price)
    floor = pricing.min_price + markup
    return Price(
        credits=max(floor, reckoned),
        pricing_key=key,
        base=base,
        multiplier=multiplier,
        surcharges=surcharges,
        base_price=base_price,
        min_price_applied=floor > reckoned,
        units=float(_units(resolved, measured)),
    )


def _units(resolved: Resolved, measured: "_Measured") -> Fraction:
    if resolved.unit == "call":
        return Fraction(1)
    thousand = 1000 if resolved.unit == "1k_chars" else 1
    return math.prod(map(measured.amount, resolved.pricing.times), start=Fraction(1)) / thousand


@dataclass(frozen=True, slots=True)
class _Measured:
    """Params together with the lengths of the media they reference."""

    params: Mapping[str, object]
    seconds: Mapping[str, float]
    frames: Mapping[str, int]

    def product(self, factors: Iterable[Factor]) -> Fraction:
        return math.prod((self.amount(factor) / factor.per for factor in factors), start=Fraction(1))

    def surcharge(self, surcharge: Surcharge) -> Fraction:
        if any(self.params.get(id) != value for id, value in surcharge.when.items()):
            return Fraction(0)
        return surcharge.add * self.product(surcharge.times)

    def amount(self, factor: Factor) -> Fraction:
        """Return the exact quantity that the factor counts."""
        value = self.params.get(factor.param)
        match factor.by:
            case "count":
                return Fraction(1) if value is None else exact(number(value))
            case "duration":
                return exact(number(value))
            case "chars":
                return Fraction(len(str(value)))
            case "items":
                return Fraction(max(0, len(value) - factor.free) if isinstance(value, list) else 0)
            case "input-seconds":
                return exact(round(_length(self.seconds, value, factor.param), 3))
            case _:
                return exact(_length(self.frames, value, factor.param))


def _length(lengths: Mapping[str, float], url: object, param: str) -> float:
    length = lengths.get(str(url))
    if not length:
        refuse(param, "has no length that could be measured, and the price depends on it")
    return length


def _plain(amount: Fraction) -> int | float:
    return int(amount) if amount.denominator == 1 else float(amount)
