"""Consistency checks that the file types cannot express: prices, params and recipes must fit together.

A price that no payload can reach, a pricing key without a rate or a default that its own param refuses would
otherwise surface much later, as a wrong response to some order; here loading fails and names them.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import product

from zooop_nb.sandbox.catalogue.shapes import Model, Pricing, Recipe, Wire, pricing_key
from zooop_nb.sandbox.params import MEDIA_TYPES, check, choices
from zooop_nb.sandbox.refusal import Refusal


class CatalogueError(ValueError):
    """The catalogue's files are invalid or inconsistent; the message names the file or the entry."""


_FACTOR_TYPES = {
    "count": {"float", "enum"},
    "duration": {"duration", "float"},
    "chars": {"text", "long_text"},
    "items": {"image_urls"},
    "input-seconds": MEDIA_TYPES,
    "input-frames": MEDIA_TYPES,
}


def once(what: str, values: Iterable[str]) -> None:
    """Raise CatalogueError if a value occurs twice."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise CatalogueError(f"{value}: this {what} stands there twice")
        seen.add(value)


def check_model(model: Model) -> None:
    """Raise CatalogueError if a model's params and prices are inconsistent."""
    where = f"{model.type}/{model.subtype}/{model.name}"
    check_params(where, model.params)
    once(f"version of {where}", (version.id for version in model.versions))
    params = {param["id"]: param for param in model.params}
    for version in model.versions:
        check_pricing(f"{where} {version.id}", version.pricing, params)
    for combination in model.refused:
        for id in (*combination.when, combination.param):
            if id not in params:
                raise CatalogueError(f"{where}: refused names a param that does not exist: {id}")


def check_recipe(recipe: Recipe) -> None:
    """Raise CatalogueError if its model cannot run the recipe, or its prompt does not use its inputs."""
    where = f"{recipe.kind} {recipe.slug}"
    check_params(where, recipe.params)
    if recipe.model.version(recipe.version_id) is None:
        raise CatalogueError(f"{where}: {recipe.model.name} has no version {recipe.version_id!r}")
    own = {param["id"]: param for param in recipe.params}
    of_model = {param["id"]: param for param in recipe.model.params}
    if both := own.keys() & recipe.fixed.keys():
        raise CatalogueError(f"{where}: fixed and open at once: {', '.join(sorted(both))}")
    for id, value in recipe.fixed.items():
        if id not in of_model:
            raise CatalogueError(f"{where}: fixes a param that {recipe.model.name} does not have: {id}")
        _accepts(where, of_model[id], value)
    places = set(re.findall(r"\{([\w.]+)\}", str(recipe.fixed.get("prompt", ""))))
    if places != recipe.woven or not recipe.woven <= own.keys():
        raise CatalogueError(f"{where}: woven inputs and the prompt's placeholders differ")
    if recipe.pricing is not None:
        check_pricing(where, recipe.pricing, of_model | own)
        return
    if strange := own.keys() - of_model.keys() - recipe.woven:
        raise CatalogueError(f"{where}: {recipe.model.name} does not have: {', '.join(sorted(strange))}")
    needed = {id for id, param in of_model.items() if param["required"]}
    if lacking := needed - recipe.fixed.keys() - {id for id, param in own.items() if _always_there(param)}:
        raise CatalogueError(f"{where}: lacks params that the model requires: {', '.join(sorted(lacking))}")


def check_params(where: str, params: list[Wire]) -> None:
    """Raise CatalogueError if a param occurs twice or would refuse its own default."""
    once(f"param of {where}", (param["id"] for param in params))
    for param in params:
        if "default" in param:
            _accepts(where, param, param["default"])


def check_pricing(where: str, pricing: Pricing, params: dict[str, Wire]) -> None:
    """Raise CatalogueError if pricing names a missing param or lacks a rate for a valid payload."""
    surcharged = [factor for surcharge in pricing.surcharges for factor in surcharge.times]
    for factor in (*pricing.times, *surcharged):
        param = params.get(factor.param)
        if param is None:
            raise CatalogueError(f"{where}: the price depends on a param that does not exist: {factor.param}")
        if param["type"] not in _FACTOR_TYPES[factor.by]:
            raise CatalogueError(f"{where}: {factor.param} cannot be counted by {factor.by}")
        if factor in pricing.times and not (_always_there(param) or factor.by == "count"):
            raise CatalogueError(f"{where}: {factor.param} may be left out, and the price depends on it")
    for surcharge in pricing.surcharges:
        for id, value in surcharge.when.items():
            if id not in params:
                raise CatalogueError(f"{where}: a surcharge names a param that does not exist: {id}")
            _accepts(where, params[id], value)
    for id in pricing.key:
        if id not in params or not _always_there(params[id]):
            raise CatalogueError(f"{where}: the pricing key needs a param that is always there: {id}")
    keys = set(_keys(pricing, params))
    if keys != pricing.rates.keys():
        raise CatalogueError(
            f"{where}: rates and pricing keys differ: {', '.join(sorted(keys ^ pricing.rates.keys()))}"
        )


def _keys(pricing: Pricing, params: dict[str, Wire]) -> Iterator[str]:
    if not pricing.key:
        yield "default"
        return
    values = [choices(params[id]) or [False, True] for id in pricing.key]
    for combination in product(*values):
        yield pricing_key(combination)


def _always_there(param: Wire) -> bool:
    return bool(param["required"]) or "default" in param


def _accepts(where: str, param: Wire, value: object) -> None:
    try:
        check(param, value)
    except Refusal as refusal:
        raise CatalogueError(f"{where}: {refusal.message}") from refusal
