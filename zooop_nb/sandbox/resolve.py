"""Resolve a body of `/v1/quote` or `/v1/tasks` to a model, a version and params.

Pure functions: they take the body and return the resolution or raise a Refusal. Both endpoints use them, so
a quote and a submit of the same body always agree. API documentation: "POST /v1/quote", "POST /v1/tasks".
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from zooop_nb.sandbox.catalogue import Catalogue, Model, Recipe, Version
from zooop_nb.sandbox.catalogue.shapes import Pricing, Wire
from zooop_nb.sandbox.media import Work
from zooop_nb.sandbox.params import check, hint, is_blank, is_media, is_text, refuse, shown
from zooop_nb.sandbox.refusal import Refusal
from zooop_nb.sandbox.sizes import asks_shape, size

_TARGETS = ("interfaceId", "aiTool", "template")
_BODY_KEYS = frozenset({*_TARGETS, "versionId", "params"})
_WORDS = ("prompt", "text", "lyrics")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A resolved body.

    `params` are all the params that the renderer and the price depend on: the caller's, the fixed ones and
    the defaults. `asked` are the caller's only. `specs` describe the params that the caller may set.
    """

    model: Model
    version: Version
    params: dict[str, object]
    asked: dict[str, object]
    recipe: Recipe | None
    specs: tuple[Wire, ...]

    @property
    def pricing(self) -> Pricing:
        """The pricing rule: the recipe's own if it overrides the version's."""
        own = self.recipe.pricing if self.recipe else None
        return own or self.version.pricing

    @property
    def unit(self) -> str:
        """The unit of the price: `image`, `second`, `frame`, `1k_chars` or `call`."""
        told = self.recipe.public() if self.recipe else self.version.public()
        return str(told["typicalPrice"]["unit"])

    @property
    def action(self) -> str:
        """The name of the renderer."""
        return self.recipe.action if self.recipe else self.model.action


def resolve(
    catalogue: Catalogue, body: object, *, disabled: Collection[str] = (), hidden: Collection[str] = ()
) -> Resolved:
    """Resolve a body. `disabled` and `hidden` are names of models.

    Raises Refusal: `invalid_payload` and `missing_required_params` (400), `model_not_public` (403, raw
    path only), `unknown_model`, `unknown_ai_tool`, `unknown_template` (404).
    """
    if not isinstance(body, dict):
        raise Refusal(400, "invalid_payload", f"The body must be a JSON object, not {shown(body)}")
    named = [key for key in _TARGETS if key in body]
    if len(named) != 1:
        raise Refusal(400, "invalid_payload", _one_target(named))
    target = named[0]
    slug = body[target]
    if not isinstance(slug, str) or not slug:
        raise _bad_field(target, f"must be text, not {shown(slug)}")
    if target == "interfaceId":
        model = _public_model(catalogue, slug, disabled, hidden)
        version = _version(model, body.get("versionId"))
        return _raw(model, version, _asked(body, model.params))
    if "versionId" in body:
        raise _bad_field("versionId", f'goes with "interfaceId"; "{target}" has its version fixed')
    recipe = _recipe(catalogue, target, slug, disabled)
    return _prepared(recipe, _asked(body, recipe.params, recipe))


def media_urls(resolved: Resolved) -> dict[str, list[str]]:
    """Return the URLs in media params, by param id, for the server to check, measure and load."""
    found: dict[str, list[str]] = {}
    for spec in resolved.specs:
        value = resolved.params.get(spec["id"])
        if is_media(spec) and value is not None:
            found[spec["id"]] = [str(url) for url in value] if isinstance(value, list) else [str(value)]
    return found


def texts(resolved: Resolved) -> dict[str, str]:
    """Return the caller's own text, by param id, for the content policy check."""
    return {
        spec["id"]: str(resolved.asked[spec["id"]])
        for spec in resolved.specs
        if is_text(spec) and not is_blank(resolved.asked.get(spec["id"]))
    }


def work_order(resolved: Resolved, seed: int) -> Work:
    """Return the work for the renderer, without input media, which the server reads and adds."""
    params = resolved.params
    width, height = size(resolved.model.type, params)
    counts = [params.get(f.param) for f in resolved.pricing.times if f.by == "count"]
    seconds = [params[f.param] for f in resolved.pricing.times if f.by == "duration"]
    length = seconds[0] if seconds else params.get("duration")
    voices = (
        params.get(spec["id"]) for spec in resolved.specs if spec["type"] == "voice" and not is_media(spec)
    )
    return Work(
        action=resolved.action,
        prompt=next((str(params[id]) for id in _WORDS if not is_blank(params.get(id))), ""),
        params=dict(params),
        inputs={},
        model=resolved.recipe.name if resolved.recipe else resolved.model.name,
        seed=seed,
        width=width,
        height=height,
        takes_shape=not asks_shape(params),
        seconds=5.0 if length is None else number(length),
        count=next((int(number(count)) for count in counts if count is not None), 1),
        alpha=resolved.action == "cutout" or params.get("background") == "transparent",
        factor=number(params.get("upscale_factor", 2)),
        voice=next((str(voice) for voice in voices if voice is not None), ""),
    )


def number(value: object) -> float:
    """Return a param's value as a number, even if its options spell the unit: 5, "5", "5s", "2x"."""
    if isinstance(value, str):
        return float(value.rstrip("sx"))
    if isinstance(value, int | float):
        return float(value)
    raise TypeError(f"{value!r} is no number")


def _one_target(named: list[str]) -> str:
    wanted = 'Name exactly one of "interfaceId" (with "versionId"), "aiTool" and "template"'
    return f"{wanted}; the body has {' and '.join(shown(key) for key in named) or 'none of them'}"


def _bad_field(field: str, problem: str) -> Refusal:
    return Refusal(400, "invalid_payload", f'"{field}" {problem}', param=field)


def _public_model(catalogue: Catalogue, id: str, disabled: Collection[str], hidden: Collection[str]) -> Model:
    model = catalogue.model(id)
    if model is None or model.name in disabled:
        raise Refusal(404, "unknown_model", f"There is no model {shown(id)}", param="interfaceId")
    if not model.listed or model.name in hidden:
        raise Refusal(
            403, "model_not_public", f"{model.name} is not on the public API surface", param="interfaceId"
        )
    return model


def _version(model: Model, id: object) -> Version:
    version = model.version(id) if isinstance(id, str) else None
    if version is None:
        offered = ", ".join(shown(version.id) for version in model.versions)
        problem = f"is missing: {model.name} has" if id is None else f"must be a version of {model.name}:"
        raise _bad_field("versionId", f"{problem} {offered}" + ("" if id is None else f", not {shown(id)}"))
    return version


def _recipe(catalogue: Catalogue, target: str, slug: str, disabled: Collection[str]) -> Recipe:
    if target == "aiTool":
        recipe, code, kind = catalogue.tool(slug), "unknown_ai_tool", "AI tool"
    else:
        recipe, code, kind = catalogue.template(slug), "unknown_template", "template"
    if recipe is None or recipe.model.name in disabled:
        raise Refusal(404, code, f"There is no {kind} {shown(slug)}", param=target)
    return recipe


def _asked(
    body: Mapping[str, object], specs: Iterable[Wire], recipe: Recipe | None = None
) -> dict[str, object]:
    """Return the body's params, checking that each is known and none is fixed; null counts as omitted."""
    params = body.get("params", {})
    if not isinstance(params, dict):
        raise _bad_field("params", f"must be an object, not {shown(params)}")
    if recipe:
        for id in params:
            if id in recipe.fixed:
                raise Refusal(400, "invalid_payload", f'Param "{id}" is fixed by {recipe.kind}', param=id)
    known = [spec["id"] for spec in specs]
    for id in params:
        if id in known:
            continue
        if id in _BODY_KEYS:
            refuse(id, 'belongs beside "params", not in it; "params" holds only the params themselves')
        refuse(shown(id)[1:-1], f"is not known here; there are {', '.join(known)}")
    return {id: value for id, value in params.items() if value is not None}


def _raw(model: Model, version: Version, asked: dict[str, object]) -> Resolved:
    params = _filled(model.params, asked)
    _prompt_fits(model, params)
    _combination_fits(model, params)
    return Resolved(model, version, params, asked, None, tuple(model.params))


def _prepared(recipe: Recipe, asked: dict[str, object]) -> Resolved:
    model, version = recipe.model, recipe.model.version(recipe.version_id)
    assert version is not None, "checked when the catalogue was loaded"
    given = {id: value for id, value in asked.items() if not (id in recipe.woven and is_blank(value))}
    own = _filled(recipe.params, given)
    defaults = {spec["id"]: spec["default"] for spec in model.params if "default" in spec}
    params: dict[str, object] = {**defaults, **recipe.fixed, **own}
    if recipe.woven:
        params["prompt"] = _woven(str(recipe.fixed["prompt"]), own)
    _combination_fits(model, params)
    return Resolved(model, version, params, asked, recipe, tuple(recipe.params))


def _woven(prompt: str, inputs: Mapping[str, object]) -> str:
    """Fill the fixed prompt's placeholders in one pass, so that no input can fill another's placeholder."""
    return re.sub(r"\{([\w.]+)\}", lambda place: str(inputs[place[1]]), prompt)


def _filled(specs: Iterable[Wire], asked: Mapping[str, object]) -> dict[str, object]:
    """Return the given params, checked, together with the defaults of the omitted optional ones.

    A required param must be given even if it has a default: the documentation's own example of
    `missing_required_params` asks for an `aspect_ratio` whose default is `1:1`.
    """
    specs = list(specs)
    missing = [spec for spec in specs if spec["required"] and is_blank(asked.get(spec["id"]))]
    if missing:
        raise Refusal(
            400,
            "missing_required_params",
            f"Missing required parameters: {', '.join(spec['id'] for spec in missing)}",
            params=[hint(spec) for spec in missing],
        )
    given = {spec["id"]: check(spec, asked[spec["id"]]) for spec in specs if spec["id"] in asked}
    return {spec["id"]: spec["default"] for spec in specs if "default" in spec} | given


def _prompt_fits(model: Model, params: Mapping[str, object]) -> None:
    prompt = str(params.get("prompt", ""))
    if len(prompt) > model.prompt_max_length:
        refuse("prompt", f"must have at most {model.prompt_max_length} characters; it has {len(prompt)}")


def _combination_fits(model: Model, params: Mapping[str, object]) -> None:
    for combination in model.refused:
        if all(params.get(id) in values for id, values in combination.when.items()):
            raise Refusal(400, "invalid_payload", combination.message, param=combination.param)
