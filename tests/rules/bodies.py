"""Bodies of quotes and tasks that the sandbox's catalogue accepts, for tests that then break them."""

from functools import cache
from typing import Any

from zooop_nb.contract.categories import CATEGORIES
from zooop_nb.sandbox.catalogue import Catalogue, Model, load

PICTURE = "https://storage.zooop.ai/u1/p1/picture.png"
CLIP = "https://storage.zooop.ai/u1/p1/clip.mp4"
SOUND = "https://storage.zooop.ai/u1/p1/sound.mp3"

_URLS: dict[str, object] = {
    "image_url": PICTURE,
    "image_urls": [PICTURE],
    "first_frame": PICTURE,
    "last_frame": PICTURE,
    "mask_url": PICTURE,
    "video_url": CLIP,
    "audio_url": SOUND,
}


@cache
def catalogue() -> Catalogue:
    """Return the sandbox's own catalogue."""
    return load()


def models() -> list[Model]:
    """Return all public models."""
    return [model for each in CATEGORIES for model in catalogue().models(each.type, each.subtype)]


def model(category: str, name: str) -> Model:
    """Return the public model with this name in the category `type/subtype`."""
    found = [each for each in catalogue().models(*category.split("/")) if each.name == name]
    assert len(found) == 1, f"{category} has no model {name!r}"
    return found[0]


def value(param: dict[str, Any]) -> object:
    """Return a valid value for the param: its default, its first choice, or a plain one."""
    if "default" in param:
        return param["default"]
    if listed := param.get("options") or param.get("enumValues"):
        return listed[0]["value"] if isinstance(listed[0], dict) else listed[0]
    if param["type"] in ("text", "long_text"):
        return "a red panda"
    if param["type"] == "voice":
        return SOUND
    return _URLS[param["type"]]


def required(params: list[dict[str, Any]]) -> dict[str, object]:
    """Return values for the required params only."""
    return {param["id"]: value(param) for param in params if param["required"]}


def raw(model: Model, version: str | None = None, /, **params: Any) -> dict[str, Any]:
    """Return a request body for a model: its required params, updated with `params`."""
    return {
        "interfaceId": model.id,
        "versionId": version or model.versions[0].id,
        "params": required(model.params) | params,
    }
