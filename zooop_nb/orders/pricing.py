"""From what was asked for to an order that is priced: resolve, name the media, quote.

Nothing here costs anything.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec.structs

from zooop_nb.contract.backend import Backend
from zooop_nb.contract.categories import Category
from zooop_nb.contract.shapes import Me, Quote, Recipe, Version
from zooop_nb.errors import Action, InputError, UnknownName, remedy
from zooop_nb.ledger import OrderRecord
from zooop_nb.nearest import nearest
from zooop_nb.orders import inputs as media
from zooop_nb.orders.binding import fill, words_param_of
from zooop_nb.orders.catalogue import Catalogue
from zooop_nb.orders.models import match_model, match_version, select_model
from zooop_nb.orders.order import Order, Origin, Target
from zooop_nb.results.values import Quoted
from zooop_nb.verbs import VERBS

Number = int | float


@dataclass(frozen=True)
class OrderRequest:
    """What somebody asked for, in their own terms."""

    verb: str
    """One of `VERBS`, or `tool` or `template`."""
    words: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    slug: str | None = None
    """The tool's or template's slug, or a template's page address."""
    model: str | None = None
    version: str | None = None
    count: int = 1
    best: bool = False
    cheap: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class PricedOrder:
    """An order with its price, to be made `count` times, and the abandoned orders that serve instead."""

    order: Order
    count: int
    body: bytes = b""
    quote: Quote | None = None
    """None where abandoned orders serve for all of `count`."""
    attached: tuple[OrderRecord, ...] = ()
    entries: tuple[OrderRecord, ...] = ()
    """The new orders, already in the ledger as quoted; one for each that is left to pay for."""

    @property
    def total(self) -> Number:
        """What is left to pay, in credits."""
        return self.quote.credits * len(self.entries) if self.quote else 0

    def quoted(self) -> Quoted:
        """The price of the new orders of this plan, to show. Raises `LookupError` where there are none."""
        if self.quote is None:
            raise LookupError("Abandoned orders serve for all of this plan; there is nothing to price.")
        return Quoted(
            credits=self.quote.credits,
            count=len(self.entries),
            eta=self.quote.estimated_seconds,
            model=self.order.target.name,
            version=self.order.target.version,
            breakdown=breakdown_of(self.quote),
            params=self.order.described(),
        )


async def resolve(ask: OrderRequest, catalogue: Catalogue, shelf: media.MediaStore, origin: Origin) -> Order:
    """The order that is asked for, with its media named by content and not uploaded yet.

    Raises an `InputError` that names the value and what may be meant.
    """
    if ask.count < 1:
        raise InputError(f"The count is 1 or more, not {ask.count}.", value=str(ask.count))
    if ask.verb in {"tool", "template"}:
        target, schema, extra = await _recipe(ask, catalogue)
    elif ask.verb in VERBS:
        target, schema, extra = await _model(ask, catalogue)
    else:
        raise UnknownName("verb", ask.verb, nearest=nearest(ask.verb, [*VERBS, "tool", "template"]))
    filled = fill(schema, ask.words, ask.params, name=target.name, **extra)
    params = await media.identify(filled, shelf)
    # The prompt may have been given by name, as `again` does.
    spoken = words_param_of(schema)
    words = ask.words or (str(params.get(spoken.id, "")) if spoken else "")
    return Order(target, params, words=words, tags=ask.tags, origin=origin)


async def price(order: Order, backend: Backend, shelf: media.MediaStore) -> tuple[Order, bytes, Quote]:
    """The order with its media uploaded, its body, and the quote for exactly that body.

    API documentation: "Quote before submit".
    """
    order = replace(order, params=await media.upload(dict(order.params), shelf))
    body = order.body()
    return order, body, await backend.quote(body)


def entry_for(
    order: Order, body: bytes, quote: Quote, *, batch: str, backend: Backend, me: Me | None, who: str | None
) -> OrderRecord:
    """The ledger's row for one sending of an order: with an id, and a key of its own."""
    target = order.target
    return OrderRecord(
        order_id=str(uuid.uuid4()),
        batch=batch,
        fingerprint=order.fingerprint,
        target=target.kind,
        body=body,
        key=str(uuid.uuid4()),
        type=target.category.type if target.category else None,
        subtype=target.category.subtype if target.category else None,
        model=target.name if target.kind == "model" else quote.model_name,
        model_id=target.id if target.kind == "model" else quote.model_id,
        version=target.version if target.kind == "model" else quote.version_id,
        tool=target.id if target.kind == "tool" else None,
        template=target.id if target.kind == "template" else None,
        unit=target.unit,
        prompt=order.words or None,
        params=order.described(),
        tags=order.tags,
        quoted=quote.credits,
        breakdown=breakdown_of(quote),
        eta_s=quote.estimated_seconds,
        **circumstances(order.origin, backend, me, who),
    )


def circumstances(origin: Origin, backend: Backend, me: Me | None, who: str | None) -> dict[str, Any]:
    """What the ledger's row says of where an order comes from and who pays it."""
    return {
        "token": backend.token,
        "host": backend.host,
        "mode": backend.mode,
        "key_label": me.key.label if me else None,
        "who": who,
        "project": me.project.name if me else None,
        "wallet": me.wallet if me else None,
        "notebook": origin.notebook,
        "cell": origin.cell,
        "cell_hash": origin.cell_hash,
        "run": origin.run,
    }


def breakdown_of(quote: Quote) -> dict[str, Any]:
    """A quote's breakdown by the ledger's names."""
    return {
        each.name: getattr(quote.breakdown, each.name) for each in msgspec.structs.fields(quote.breakdown)
    }


def ask_again(entry: OrderRecord, body: Mapping[str, Any], changes: Mapping[str, object]) -> OrderRequest:
    """An earlier order as something to ask for: its words and params, with changes.

    Media stands in the body as the ZOOOP URL that was sent.
    """
    params = {**body.get("params", {}), **changes}
    if entry.target == "model":
        verb = next(
            (
                verb.name
                for verb in VERBS.values()
                if (verb.category.type, verb.category.subtype) == (entry.type, entry.subtype)
            ),
            None,
        )
        if verb is None:
            raise InputError(
                f"Order {entry.order_id} is of a category that is not known here.", value=entry.order_id
            )
        return OrderRequest(verb, params=params, model=entry.model_id, version=entry.version, tags=entry.tags)
    return OrderRequest(entry.target, params=params, slug=entry.tool or entry.template, tags=entry.tags)


async def _model(ask: OrderRequest, catalogue: Catalogue) -> tuple[Target, Sequence[Any], dict[str, Any]]:
    category = VERBS[ask.verb].category
    models = await catalogue.models(category)
    defaults: Mapping[str, Any] = {}
    if ask.model is not None:
        model = match_model(models, ask.model, verb=ask.verb)
    else:
        model, defaults = select_model(category, models, best=ask.best, cheap=ask.cheap)
    version = match_version(model, ask.version)
    target = Target(
        "model",
        model.id,
        model.name,
        category,
        version=version.id,
        version_name=version.name,
        unit=_unit(version),
    )
    extra = {
        "prompt_required": model.prompt_required,
        "prompt_max_length": model.prompt_max_length,
        "defaults": defaults,
    }
    return target, model.params, extra


async def _recipe(ask: OrderRequest, catalogue: Catalogue) -> tuple[Target, Sequence[Any], dict[str, Any]]:
    listed = await (catalogue.tools() if ask.verb == "tool" else catalogue.templates())
    slug = slug_of(ask.slug or "")
    recipe = next((each for each in listed if each.slug == slug), None)
    if recipe is None:
        slugs = [each.slug for each in listed]
        raise UnknownName(
            ask.verb,
            slug,
            nearest=nearest(slug, slugs),
            remedies=[remedy(Action.LIST_MODELS, verb=f"{ask.verb}s")],
        )
    category = Category(recipe.media_type, recipe.sub_type or "", recipe.name)
    kind: Literal["tool", "template"] = "tool" if ask.verb == "tool" else "template"
    return (
        Target(kind, recipe.slug, recipe.name or recipe.slug, category, unit=_unit(recipe)),
        recipe.params,
        {},
    )


def slug_of(text: str) -> str:
    """A slug, or the last path segment of a template's page address. API documentation: "Templates"."""
    if text.lower().startswith(("http://", "https://")):
        return text.partition("?")[0].partition("#")[0].rstrip("/").rsplit("/", 1)[-1]
    return text.strip()


def _unit(priced: Version | Recipe) -> str | None:
    return priced.typical_price.unit or None if priced.typical_price else None
