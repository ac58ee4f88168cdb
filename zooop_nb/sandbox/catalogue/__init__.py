"""The sandbox's catalogue: every model, AI tool and template, as data files in this folder.

There is one YAML file per category, one for the AI tools, one for the templates and one for the brands. On
loading they are checked against the types in `files.py` and against each other, so that a mistake is
reported by name instead of showing up as a wrong price. After an edit, run
`python -m zooop_nb.sandbox.catalogue` to check them. API documentation: "Public categories",
"GET /v1/models", "GET /v1/ai-tools". Prices and timings are made up.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from zooop_nb.contract.categories import CATEGORIES, Category
from zooop_nb.sandbox.catalogue.check import CatalogueError, check_model, check_recipe, once
from zooop_nb.sandbox.catalogue.files import slip
from zooop_nb.sandbox.catalogue.shapes import Combination, Model, Pricing, Recipe, Version, Wire, model_id
from zooop_nb.sandbox.params import limit

__all__ = ["Catalogue", "CatalogueError", "Model", "Recipe", "Version", "load"]

_HERE = Path(__file__).parent
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_ACTIONS = {
    "image/default": "picture",
    "image/edit-image": "edit",
    "image/image-svg": "svg",
    "video/text-ref": "video",
    "video/motion-control": "motion",
    "video/first-last-frame": "animate",
    "video/audio-lipsync": "lipsync",
    "video/extend-video": "extend",
    "video/video-edit": "restyle-video",
    "audio/text-to-speech": "speech",
    "audio/voice-clone": "clone",
    "audio/sound-effect": "sfx",
    "audio/music": "music",
}
"""The default renderer of each category, for models that do not name one."""


class Catalogue:
    """All models, AI tools and templates. Lists keep the files' order, the recommended first."""

    def __init__(self, models: Iterable[Model], tools: Iterable[Recipe], templates: Iterable[Recipe]) -> None:
        self.categories: tuple[Category, ...] = CATEGORIES
        self._models = {model.id: model for model in models}
        self._tools = {tool.slug: tool for tool in tools}
        self._templates = {template.slug: template for template in templates}

    def models(self, type: str, subtype: str) -> list[Model]:
        """Return the public models of a category, the recommended first; empty for an unknown category."""
        return [m for m in self._models.values() if (m.type, m.subtype) == (type, subtype) and m.listed]

    def model(self, id: str) -> Model | None:
        """Return the model with this id, including those that only AI tools use."""
        return self._models.get(id)

    def tools(self, media_type: str | None) -> list[Recipe]:
        """Return the AI tools: all of them, or those that produce `image` or `video`."""
        return [t for t in self._tools.values() if media_type in (None, t.media_type)]

    def tool(self, slug: str) -> Recipe | None:
        return self._tools.get(slug)

    def templates(self, media_type: str | None) -> list[Recipe]:
        """Return the templates: all of them, or those that produce `image` or `video`."""
        return [t for t in self._templates.values() if media_type in (None, t.media_type)]

    def template(self, slug: str) -> Recipe | None:
        return self._templates.get(slug)


def load(path: Path | None = None) -> Catalogue:
    """Read and check the catalogue in a folder, by default the sandbox's own.

    Raises CatalogueError, which names the file and the place in it, if anything is invalid.
    """
    folder = path or _HERE

    def read(stem: str) -> Wire:
        file = folder / f"{stem}.yaml"
        try:
            data = yaml.load(file.read_bytes(), Loader=_LOADER)
        except OSError as error:
            raise CatalogueError(f"{file}: cannot be read: {error.strerror}") from error
        except yaml.YAMLError as error:
            raise CatalogueError(f"{file}: is not YAML: {error}") from error
        if wrong := slip(stem, data):
            raise CatalogueError(f"{file.name}: {wrong}")
        return dict(data)

    brands: dict[str, str] = read("brands")["brands"]
    models: list[Model] = []
    for category in CATEGORIES:
        data = read(f"{category.type}-{category.subtype}")
        if (data["type"], data["subtype"]) != (category.type, category.subtype):
            raise CatalogueError(f"{category.type}-{category.subtype}.yaml: must be the file of {category}")
        models += [_model(entry, category.type, category.subtype, brands) for entry in data["models"]]
    tools_file, templates_file = read("tools"), read("templates")
    models += [
        _model(entry, entry["type"], entry["subtype"], brands, listed=False)
        for entry in tools_file.get("models", ())
    ]
    once("model", (f"{m.type}/{m.subtype}/{m.name}" for m in models))
    for model in models:
        check_model(model)
    named = {f"{m.type}/{m.subtype}/{m.name}": m for m in models}
    tools = [_recipe("AI tool", entry, named) for entry in tools_file["tools"]]
    templates = [_recipe("template", entry, named) for entry in templates_file["templates"]]
    for recipes in (tools, templates):
        once("slug", (recipe.slug for recipe in recipes))
        for recipe in recipes:
            check_recipe(recipe)
    return Catalogue(models, tools, templates)


def _model(data: Wire, type: str, subtype: str, brands: dict[str, str], *, listed: bool = True) -> Model:
    brand = data["brand"]
    if brand not in brands:
        raise CatalogueError(f"{data['name']}: brand {brand!r} is not in brands.yaml")
    prompt: Wire = next((param for param in data["params"] if param["id"] == "prompt"), {})
    return Model(
        id=data.get("id") or model_id(type, subtype, data["name"]),
        name=data["name"],
        type=type,
        subtype=subtype,
        description=data["description"],
        brand={
            "id": brand,
            "name": brands[brand],
            "logo": f"https://storage.zooop.ai/assets/brands/{brand}.png",
        },
        prompt_required=prompt.get("required", False),
        prompt_max_length=data.get("promptMaxLength") or limit(prompt, "maxLength") or 0,
        params=data["params"],
        versions=tuple(
            Version(each["id"], each["name"], each["typicalPrice"], Pricing.read(each["pricing"]))
            for each in data["versions"]
        ),
        tags=data.get("tags", []),
        seconds=data["seconds"],
        action=data.get("action", _ACTIONS[f"{type}/{subtype}"]),
        refused=tuple(Combination.read(each) for each in data.get("refused", ())),
        listed=listed,
    )


def _recipe(kind: str, data: Wire, models: dict[str, Model]) -> Recipe:
    model = models.get(data["model"])
    if model is None:
        raise CatalogueError(f"{data['slug']}: there is no model {data['model']!r}")
    shown = {
        "slug": data["slug"],
        "name": data["name"],
        "mediaType": data["mediaType"],
        "subType": data["subType"],
        "summary": data["summary"],
        "coverUrl": f"https://storage.zooop.ai/assets/covers/{data['slug']}.png",
        "tags": data.get("tags", []),
        "params": data["params"],
        **({"official": data["official"]} if "official" in data else {}),
        "typicalPrice": data["typicalPrice"],
    }
    return Recipe(
        kind=kind,
        slug=data["slug"],
        name=data["name"],
        media_type=data["mediaType"],
        model=model,
        version_id=data["version"],
        params=data["params"],
        fixed=data["fixed"],
        woven=frozenset(data.get("woven", ())),
        action=data.get("action", model.action),
        pricing=Pricing.read(data["pricing"]) if "pricing" in data else None,
        markup=data.get("markup", 0),
        shown=shown,
    )
