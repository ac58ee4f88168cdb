"""From a request to a priced order: resolve it, identify its media, quote it. Nothing here costs anything."""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec.structs

from zooop_nb.contract.backend import Backend
from zooop_nb.contract.categories import Category
from zooop_nb.contract.credits import Number
from zooop_nb.contract.limits import DESCRIPTION_CREDITS
from zooop_nb.contract.shapes import Me, Param, Quote, Recipe, Version
from zooop_nb.errors import Action, InputError, UnknownName, remedy
from zooop_nb.ledger import OrderRecord
from zooop_nb.nearest import nearest
from zooop_nb.orders import inputs
from zooop_nb.orders.binding import BoundParams, MediaArgument, bind_params
from zooop_nb.orders.catalogue import Catalogue
from zooop_nb.orders.models import match_model, match_version, select_model
from zooop_nb.orders.order import Order, Origin, Target
from zooop_nb.orders.params import param_specs, words_param
from zooop_nb.orders.request import OrderRequest
from zooop_nb.verbs import GENERATION_VERBS

DESCRIPTION: Final = Target("describe", "image", "describe", unit="call")
"""The target of `POST /v1/describe-image`."""


@dataclass(frozen=True)
class PricedOrder:
    """An order with its price, its new records, and the abandoned orders that serve instead of new ones."""

    order: Order
    body: bytes = b""
    quote: Quote | None = None
    """None for a description, which nothing quotes, and if abandoned orders serve for all that was asked."""
    taken_up: tuple[OrderRecord, ...] = ()
    """The abandoned orders of this cell that are followed instead of new ones."""
    records: tuple[OrderRecord, ...] = ()
    """The new orders, one for each that is left to pay for."""

    @property
    def credits(self) -> Number | None:
        """The price of one new order; None if it is not known, as for an order that is not quoted."""
        if self.quote is not None:
            return self.quote.credits
        return DESCRIPTION_CREDITS if self.order.target.kind == "describe" else None

    @property
    def total(self) -> Number:
        """What is left to pay, in credits."""
        return (self.credits or 0) * len(self.records)


async def resolve(
    request: OrderRequest,
    catalogue: Catalogue,
    store: inputs.MediaStore,
    origin: Origin,
    *,
    fetch: bool = True,
) -> Order:
    """Return the order of a request, with its media identified by content and not uploaded yet.

    Without `fetch`, as for an estimate, foreign URLs are left alone. Raises an `InputError` that names the
    value and what may have been meant.
    """
    if request.count < 1:
        raise InputError(f"The count is 1 or more, not {request.count}.", value=str(request.count))
    if request.verb == "describe":
        return await _description(request, store, origin, fetch)
    if request.verb in {"tool", "template"}:
        target, schema, rules = await _recipe(request, catalogue)
    elif request.verb in GENERATION_VERBS:
        target, schema, rules = await _model(request, catalogue)
    else:
        known = [*GENERATION_VERBS, "tool", "template"]
        raise UnknownName("verb", request.verb, nearest=nearest(request.verb, known))
    specs = param_specs(schema)
    bound = bind_params(specs, request.words, request.params, name=target.name, **rules)
    params = await inputs.identify(bound, store, fetch=fetch)
    # The prompt may have been given by name, as `again` does.
    spoken = words_param(specs)
    words = request.words or (str(params.get(spoken.id, "")) if spoken else "")
    return Order(target, params, words=words, tags=request.tags, origin=origin)


async def price(
    order: Order, backend: Backend, store: inputs.MediaStore, slots: asyncio.Semaphore
) -> PricedOrder:
    """Upload the order's media, then quote exactly the body that will be submitted.

    `slots` limits how many orders are priced side by side. API documentation: "Quote before submit".
    """
    async with slots:
        order = replace(order, params=await inputs.upload(dict(order.params), store))
        intent = order.intent()
        quote = None if order.target.kind == "describe" else await backend.quote(intent)
        return PricedOrder(order, intent.body, quote)


def record_for(
    priced: PricedOrder, *, batch: str, backend: Backend, me: Me | None, who: str | None
) -> OrderRecord:
    """Return the ledger's row for one placing of an order, with an id and an idempotency key of its own."""
    order, quote = priced.order, priced.quote
    target = order.target
    is_model = target.kind == "model"
    named = quote or Quote(0)
    return OrderRecord(
        order_id=str(uuid.uuid4()),
        batch=batch,
        fingerprint=order.fingerprint,
        target=target.kind,
        body=priced.body,
        key=str(uuid.uuid4()),
        token=backend.token,
        host=backend.host,
        mode=backend.mode,
        type=target.category.type if target.category else None,
        subtype=target.category.subtype if target.category else None,
        model=target.name if is_model else named.model_name,
        model_id=target.id if is_model else named.model_id,
        version=target.version if is_model else named.version_id,
        tool=target.id if target.kind == "tool" else None,
        template=target.id if target.kind == "template" else None,
        unit=target.unit,
        prompt=order.words or None,
        params=order.readable_params(),
        tags=order.tags,
        key_label=me.key.label if me else None,
        who=who,
        project=me.project.name if me else None,
        wallet=me.wallet if me else None,
        notebook=order.origin.notebook,
        cell=order.origin.cell,
        quoted=quote.credits if quote else None,
        breakdown=breakdown_of(quote) if quote else {},
        eta_s=quote.estimated_seconds if quote else None,
    )


def breakdown_of(quote: Quote) -> dict[str, Any]:
    """Return a quote's breakdown under the ledger's column names."""
    return {
        each.name: getattr(quote.breakdown, each.name) for each in msgspec.structs.fields(quote.breakdown)
    }


def slug_of(text: str) -> str:
    """Return a slug, given as such or as a template's page address. API documentation: "Templates"."""
    if text.lower().startswith(("http://", "https://")):
        return text.partition("?")[0].partition("#")[0].rstrip("/").rsplit("/", 1)[-1]
    return text.strip()


async def _description(request: OrderRequest, store: inputs.MediaStore, origin: Origin, fetch: bool) -> Order:
    image = MediaArgument("image", several=False, values=(request.params["image_url"],))
    # Messages name the verb: the user gave no param.
    found = await inputs.identify(BoundParams({}, {"describe": image}), store, fetch=fetch)
    language = request.params.get("language")
    params = {"image_url": found["describe"]} | ({"language": language} if language else {})
    return Order(DESCRIPTION, params, tags=request.tags, origin=origin)


async def _model(request: OrderRequest, catalogue: Catalogue) -> tuple[Target, list[Param], dict[str, Any]]:
    category = GENERATION_VERBS[request.verb]
    models = await catalogue.models(category)
    defaults: Mapping[str, Any] = {}
    if request.model is not None:
        model = match_model(models, request.model, verb=request.verb)
    else:
        model, defaults = select_model(category, models, best=request.best, cheap=request.cheap)
    version = match_version(model, request.version)
    target = Target(
        "model",
        model.id,
        model.name,
        category,
        version=version.id,
        version_name=version.name,
        unit=_unit(version),
    )
    rules = {
        "prompt_required": model.prompt_required,
        "prompt_max_length": model.prompt_max_length,
        "defaults": defaults,
    }
    return target, model.params, rules


async def _recipe(request: OrderRequest, catalogue: Catalogue) -> tuple[Target, list[Param], dict[str, Any]]:
    listed = await (catalogue.tools() if request.verb == "tool" else catalogue.templates())
    slug = slug_of(request.slug or "")
    recipe = next((each for each in listed if each.slug == slug), None)
    if recipe is None:
        slugs = [each.slug for each in listed]
        raise UnknownName(
            request.verb,
            slug,
            nearest=nearest(slug, slugs),
            remedies=[remedy(Action.LIST_MODELS, verb=f"{request.verb}s")],
        )
    category = Category(recipe.media_type, recipe.sub_type or "", recipe.name)
    target = Target(
        "tool" if request.verb == "tool" else "template",
        recipe.slug,
        recipe.name or recipe.slug,
        category,
        unit=_unit(recipe),
    )
    return target, recipe.params, {}


def _unit(priced: Version | Recipe) -> str | None:
    return priced.typical_price.unit or None if priced.typical_price else None
