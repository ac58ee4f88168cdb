"""What an order would cost, told before anything is uploaded, recorded or confirmed.

It is exact where every media value has a ZOOOP URL for this token: the API can quote it. Otherwise it is
reckoned from the listed typical price and the length of the files on this machine. API documentation:
"`typicalPrice.unit` values".
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Protocol

from zooop_nb.contract.backend import Backend
from zooop_nb.contract.credits import Number, credits_text
from zooop_nb.contract.limits import DESCRIPTION_CREDITS
from zooop_nb.contract.shapes import Param, TypicalPrice
from zooop_nb.orders.catalogue import Catalogue
from zooop_nb.orders.inputs import MediaStore, known_url
from zooop_nb.orders.order import Media, Order, Origin
from zooop_nb.orders.params import ParamSpec, param_specs, words_param
from zooop_nb.orders.pricing import resolve
from zooop_nb.orders.request import OrderRequest

IMAGE_COUNT: Final = "num_images"
"""The param that says how many images one task makes."""


class Length(Protocol):
    """How long a clip or sound is; None is "not known"."""

    @property
    def duration(self) -> float | None:
        """Seconds."""
        ...

    @property
    def frames(self) -> int | None: ...


Probe = Callable[[Path, str], Length]
"""Reads the length of a file of a content type; `results.probe.probe` is one."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What all tasks of a request cost together."""

    credits: Number | None
    """None if it can only be told once the media is uploaded."""
    exact: bool
    """Whether it is the API's own price."""

    @property
    def text(self) -> str:
        """The estimate in words: `8 credits`, `about 40 credits`, `priced after upload`."""
        if self.credits is None:
            return "priced after upload"
        return credits_text(self.credits) if self.exact else f"about {credits_text(self.credits)}"

    def __str__(self) -> str:
        return self.text


async def estimate(
    request: OrderRequest, catalogue: Catalogue, backend: Backend, store: MediaStore, probe: Probe
) -> Estimate:
    """Return what a request would cost. Nothing is uploaded or recorded, and foreign URLs are not fetched.

    Raises as `resolve` does, and the API's errors from its quote.
    """
    order = await resolve(request, catalogue, store, Origin(), fetch=False)
    if order.target.kind == "describe":
        return Estimate(DESCRIPTION_CREDITS * request.count, exact=True)
    uploaded = await _with_known_urls(order, store)
    if uploaded is not None:
        quote = await backend.quote(uploaded.intent())
        return Estimate(quote.credits * request.count, exact=True)
    typical, params = await _listing(order, catalogue)
    specs = param_specs(params)
    lengths = {
        media: await asyncio.to_thread(probe, media.path, media.content_type)
        for media in order.media()
        if media.path is not None and media.content_type is not None
    }
    credits = typical_credits(typical, specs, order.params, lengths)
    return Estimate(None if credits is None else credits * request.count, exact=False)


def typical_credits(
    typical: TypicalPrice | None,
    specs: Sequence[ParamSpec],
    params: Mapping[str, Any],
    lengths: Mapping[Media, Length],
) -> int | None:
    """Return the credits of one task by its listed typical price; None if the price or a length is missing.

    Credits are charged whole, rounded up.
    """
    if typical is None or typical.typical_credits is None:
        return None
    amount = _amount(typical.unit, specs, params, lengths)
    # Exact, as 0.1 times 30 must not come to 4.
    return None if amount is None else math.ceil(Fraction(str(typical.typical_credits)) * amount)


def _amount(
    unit: str, specs: Sequence[ParamSpec], params: Mapping[str, Any], lengths: Mapping[Media, Length]
) -> Fraction | None:
    """Return how many of a unit one task makes, or takes of its media."""
    by_id = {spec.id: spec for spec in specs}
    match unit:
        case "call":
            return Fraction(1)
        case "image":
            return _set_number(by_id.get(IMAGE_COUNT), params) or Fraction(1)
        case "1k_chars":
            spoken = words_param(specs)
            return Fraction(len(str(params.get(spoken.id, ""))), 1000) if spoken else None
        case "second":
            # Of the output where its length is a param, else of the input.
            made = next((spec for spec in specs if spec.type == "duration"), None)
            # A sound sets the pace for the clip or picture that it goes with.
            given = _given("audio_url", specs, params) or _given("video_url", specs, params)
            return _set_number(made, params) or _total([_duration(lengths.get(each)) for each in given])
        case "frame":
            given = _given("video_url", specs, params)
            return _total([_frames(lengths.get(each)) for each in given])
    return None


def _given(type: str, specs: Sequence[ParamSpec], params: Mapping[str, Any]) -> list[Media]:
    """Return the media of the params of a type, `video_url` or `video_urls` say."""
    values = [params.get(spec.id) for spec in specs if spec.type in {type, f"{type}s"}]
    each_value = (each for value in values for each in (value if isinstance(value, list) else [value]))
    return [each for each in each_value if isinstance(each, Media)]


def _duration(length: Length | None) -> float | None:
    return None if length is None else length.duration


def _frames(length: Length | None) -> float | None:
    return None if length is None else length.frames


def _total(lengths: Sequence[float | None]) -> Fraction | None:
    """Return the sum; None if a length is not known, or there is none."""
    known = [Fraction(str(length)) for length in lengths if length]
    return sum(known, Fraction(0)) if known and len(known) == len(lengths) else None


def _set_number(spec: ParamSpec | None, params: Mapping[str, Any]) -> Fraction | None:
    """Return the number that a param is set to, or left at by default. Choices may spell the unit: `5s`."""
    if spec is None:
        return None
    value = params.get(spec.id, spec.default)
    try:
        number = Fraction(str(value).strip().lower().removesuffix("s"))
    except (ValueError, ZeroDivisionError):
        return None
    return number if number > 0 else None


async def _with_known_urls(order: Order, store: MediaStore) -> Order | None:
    """Return the order with the URLs that its media has already; None if some has none."""
    params: dict[str, Any] = {}
    for name, value in order.params.items():
        several = isinstance(value, list)
        found = []
        for each in value if several else [value]:
            if isinstance(each, Media):
                url = await known_url(each, store)
                if url is None:
                    return None
                each = replace(each, url=url)
            found.append(each)
        params[name] = found if several else found[0]
    return replace(order, params=params)


async def _listing(order: Order, catalogue: Catalogue) -> tuple[TypicalPrice | None, Sequence[Param]]:
    """Return the listed typical price of what the order runs, and its params."""
    target = order.target
    if target.kind == "model":
        assert target.category is not None
        for model in await catalogue.models(target.category):
            for version in model.versions:
                if (model.id, version.id) == (target.id, target.version):
                    return version.typical_price, model.params
        return None, ()
    for recipe in await (catalogue.tools() if target.kind == "tool" else catalogue.templates()):
        if recipe.slug == target.id:
            return recipe.typical_price, recipe.params
    return None, ()
