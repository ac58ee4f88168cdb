"""What a line orders, as far as it is known: its model, and the params that it takes."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from zooop_nb.errors import UnknownName
from zooop_nb.notebook.completion.source import CompletionSource
from zooop_nb.notebook.tokens import Token
from zooop_nb.verbs import GENERATION_VERBS, verb_of_category

if TYPE_CHECKING:
    from zooop_nb.contract.shapes import Model, Recipe
    from zooop_nb.ledger import OrderRecord
    from zooop_nb.orders.params import ParamSpec


def params_of(
    verb: str, slug: str, tokens: Iterable[Token], source: CompletionSource
) -> "Sequence[ParamSpec]":
    """Return the params of what the line orders; none if not known. `slug` is a tool's or template's."""
    from zooop_nb.orders.params import param_specs

    if verb == "again":
        record = source.last()
        if record is not None and record.target in {"tool", "template"}:
            verb, slug = record.target, record.tool or record.template or ""
    if verb not in {"tool", "template"}:
        model = model_of(verb, tokens, source)
        return param_specs(model.params) if model else ()
    recipes = recipes_of(verb, source)
    if recipes and "://" in slug:
        from zooop_nb.orders.pricing import slug_of

        slug = slug_of(slug)
    return next((param_specs(recipe.params) for recipe in recipes if recipe.slug == slug), ())


def recipes_of(verb: str, source: CompletionSource) -> "Sequence[Recipe]":
    """Return the tools or the templates; none for another verb."""
    return source.tools() if verb == "tool" else source.templates() if verb == "template" else ()


def model_of(verb: str, tokens: Iterable[Token], source: CompletionSource) -> "Model | None":
    """Return the model that the line names, or else the one that it would get."""
    if verb == "again":
        return _model_of_record(source.last(), source)
    category = GENERATION_VERBS.get(verb)
    models = source.models(category) if category else ()
    if category is None or not models:
        return None
    from zooop_nb.orders.models import match_model, select_model

    given = {token.name: token.value or "" for token in tokens if token.kind in ("option", "value")}
    hint = given.get("model")
    if not hint:
        return select_model(category, models, best="best" in given, cheap="cheap" in given)[0]
    try:
        return match_model(models, hint, verb=verb)
    except UnknownName:
        return None


def _model_of_record(record: "OrderRecord | None", source: CompletionSource) -> "Model | None":
    verb = verb_of_category(record.type, record.subtype) if record else None
    if record is None or verb is None:
        return None
    models = source.models(GENERATION_VERBS[verb])
    return next((model for model in models if model.id == record.model_id), None)
