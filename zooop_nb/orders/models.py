"""Model and version selection: the guide's rules, pure.

API documentation: "Default model selection" and "Standard workflow", step 2.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from zooop_nb.contract.categories import Category
from zooop_nb.contract.shapes import Model, Version
from zooop_nb.errors import Action, InputError, UnknownName, remedy
from zooop_nb.nearest import nearest
from zooop_nb.orders.params import param_specs

IMAGE_DEFAULT: Final = "GPT Image 2.0"
IMAGE_PARAMS: Final[Mapping[str, str]] = {"quality": "low", "resolution": "2k", "aspect_ratio": "1:1"}
"""The guide's params for an image whose request names no model, whatever its prompt says about quality."""

VIDEO_BEST: Final = ("Seedance 2",)
VIDEO_BALANCED: Final = ("Kling O3", "Kling V3", "Happy Horse", "Grok Imagine")
VIDEO_CHEAP: Final = ("Grok Imagine",)


def match_model(models: Sequence[Model], hint: str, *, verb: str) -> Model:
    """Return the model of a hint: by a part of its name or brand; case, spaces and punctuation are ignored.

    An exact name wins, then a name, then a brand; among equals the API's order decides. Raises
    `UnknownName` with similar names.
    """
    asked = _plain(hint)
    if asked:
        for test in (
            lambda model: _plain(model.name) == asked or model.id == hint,
            lambda model: asked in _plain(model.name),
            lambda model: asked in _plain(model.brand.name) or asked in _plain(model.brand.id),
        ):
            for model in models:
                if test(model):
                    return model
    names = [model.name for model in models]
    raise UnknownName(
        "model", hint, nearest=nearest(hint, names), remedies=[remedy(Action.LIST_MODELS, verb=verb)]
    )


def match_version(model: Model, hint: str | None) -> Version:
    """Return the version of a hint, by id or name; the first one without a hint. Raises `UnknownName`."""
    if not model.versions:
        raise InputError(f"{model.name} has no version that can be ordered.", value=model.name)
    if hint is None:
        return model.versions[0]
    asked = _plain(hint)
    for version in model.versions:
        if asked in {_plain(version.id), _plain(version.name)}:
            return version
    names = [version.id for version in model.versions]
    raise UnknownName(f"version of {model.name}", hint, nearest=nearest(hint, names) or names)


def select_model(
    category: Category, models: Sequence[Model], *, best: bool = False, cheap: bool = False
) -> tuple[Model, Mapping[str, Any]]:
    """Return the model for a request that names none, and the params that the guide gives it.

    Raises `InputError` if the category has no model.
    """
    if not models:
        raise InputError(f"There is no model for {category} at the moment.", value=str(category))
    if str(category) == "video/text-ref":
        names = VIDEO_BEST if best else VIDEO_CHEAP if cheap else VIDEO_BALANCED
        return _first(models, names) or models[0], {}
    if cheap:
        return min(models, key=_cheapest), {}
    if str(category) == "image/default" and (model := _first(models, (IMAGE_DEFAULT,))) is not None:
        return model, {name: value for name, value in IMAGE_PARAMS.items() if _offers(model, name, value)}
    return models[0], {}


def _first(models: Sequence[Model], names: Sequence[str]) -> Model | None:
    for name in names:
        for model in models:
            if name.casefold() in model.name.casefold():
                return model
    return None


def _cheapest(model: Model) -> float:
    prices = [
        version.typical_price.typical_credits
        for version in model.versions
        if version.typical_price is not None and version.typical_price.typical_credits is not None
    ]
    return min(prices, default=float("inf"))


def _offers(model: Model, name: str, value: str) -> bool:
    """Return whether the model still has this choice: the guide may be older than the model."""
    for spec in param_specs(model.params):
        if spec.id == name:
            choices = [choice.text.casefold() for choice in spec.choices]
            return not choices or value in choices
    return False


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
