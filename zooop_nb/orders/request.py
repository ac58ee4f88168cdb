"""What somebody asked for, in their own terms: a verb, words, params and options, not resolved yet."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict, cast

from zooop_nb.contract.credits import Number
from zooop_nb.errors import InputError
from zooop_nb.ledger import OrderRecord
from zooop_nb.verbs import verb_of_category


class SpendingOptions(TypedDict, total=False):
    """The options that govern spending, not what is ordered."""

    yes: bool
    """Order without asking, whatever it costs."""
    ask: bool
    """Ask before submitting, however little it costs."""
    budget: Number | None
    """The most that this call may cost, in credits."""
    fresh: bool
    """Order anew, even if an earlier run of the same cell left an order that could be taken up."""


class OrderOptions(SpendingOptions, total=False):
    """The keywords of an order that are ours. All others are params of the model."""

    model: str | None
    """The model, by a part of its name or brand; case, spaces and punctuation are ignored."""
    version: str | None
    """The model's version, by id or name; the first one if left out."""
    count: int
    """The number of variants to order."""
    best: bool
    """Take the best model of the category."""
    cheap: bool
    """Take the cheapest model of the category."""
    tags: str | Sequence[str]
    """Tags for the ledger."""
    params: Mapping[str, object] | None
    """Params whose names are not identifiers, or clash with one of these options."""


OPTION_HELP: Final[Mapping[str, str]] = {
    "model": "the model, by a part of its name or brand",
    "version": "the model's version (default: its first)",
    "count": "the number of variants (default: 1)",
    "best": "take the best model of the category",
    "cheap": "take the cheapest model of the category",
    "tags": "tags for the ledger, one or several",
    "yes": "order without asking",
    "ask": "ask before submitting",
    "budget": "the most that this call may cost, in credits",
    "fresh": "order anew, even if an earlier run of the cell left an order that could be taken up",
    "params": "params whose names are not identifiers, or clash with one of these",
}
"""Each option in a few words, for `help()` and editors."""


@dataclass(frozen=True)
class OrderRequest:
    """A request in the caller's terms; `orders.pricing.resolve` makes an `Order` of it."""

    verb: str
    """A verb that orders: one of `GENERATION_VERBS`, or `tool`, `template` or `describe`."""
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


def read_call(
    verb: str, words: str, given: Mapping[str, Any], *, slug: str | None = None
) -> tuple[OrderRequest, SpendingOptions]:
    """Sort a call's keywords into the request and the options that govern spending.

    `given` holds `OrderOptions` and, under every other name, params of the model. Raises `InputError`.
    """
    rest = dict(given)
    spending = {name: rest.pop(name) for name in SpendingOptions.__annotations__.keys() & rest.keys()}
    params = rest.pop("params", None) or {}
    tags = rest.pop("tags", ())
    count = rest.pop("count", 1)
    if not isinstance(count, int) or isinstance(count, bool):
        raise InputError(f"The count is a whole number, not “{count}”.", value=str(count))
    request = OrderRequest(
        verb,
        words,
        slug=slug,
        model=rest.pop("model", None),
        version=rest.pop("version", None),
        count=count,
        best=rest.pop("best", False),
        cheap=rest.pop("cheap", False),
        tags=(tags,) if isinstance(tags, str) else tuple(tags),
        params={**rest, **params},
    )
    return request, cast("SpendingOptions", spending)


def repeat_request(record: OrderRecord, changes: OrderRequest) -> OrderRequest:
    """Return an earlier order as a request, with the params, version, count and tags of `changes`.

    Its media is in the body as the ZOOOP URLs that were sent. Raises `InputError` for an order of a category
    that no verb is of.
    """
    body = json.loads(record.body)
    params = {**body.get("params", {}), **changes.params}
    tags = (*record.tags, *changes.tags)
    if record.target != "model":
        slug = record.tool or record.template
        return OrderRequest(record.target, params=params, slug=slug, count=changes.count, tags=tags)
    verb = verb_of_category(record.type, record.subtype)
    if verb is None:
        raise InputError(
            f"Order {record.order_id} is of a category that is not known here.", value=record.order_id
        )
    return OrderRequest(
        verb,
        params=params,
        model=changes.model or record.model_id,
        version=changes.version or record.version,
        count=changes.count,
        tags=tags,
    )
