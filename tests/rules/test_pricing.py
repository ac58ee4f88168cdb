"""From a request to an order and its row in the ledger: the pure parts."""

from typing import Any

import pytest

from zooop_nb.contract.categories import CATEGORIES
from zooop_nb.contract.shapes import Breakdown, KeyInfo, Me, Project, Quote, TeamWallet
from zooop_nb.errors import InputError
from zooop_nb.ledger import OrderRecord
from zooop_nb.ledger.dataframe import COLUMNS
from zooop_nb.orders.order import Media, Order, Origin, Target
from zooop_nb.orders.pricing import PricedOrder, breakdown_of, record_for, slug_of
from zooop_nb.orders.request import OrderRequest, repeat_request
from zooop_nb.tasks.batch import quoted
from zooop_nb.verbs import GENERATION_VERBS

IMAGE = CATEGORIES[0]
TARGET = Target("model", "m1", "Flux", IMAGE, version="pro", version_name="Pro", unit="image")
QUOTE = Quote(8, 18, "m1", "pro", "Flux", Breakdown("720p", 8, 1, 0, 0, False))


class Here:
    """The part of a backend that `record_for` needs."""

    host, token, mode = "https://api.zooop.ai", "digest", "live"


def record(order: Order, quote: Quote = QUOTE, me: Me | None = None) -> OrderRecord:
    priced = PricedOrder(order, order.body(), quote)
    return record_for(priced, batch="b", backend=Here(), me=me, who="me")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("superhero-movie-poster", "superhero-movie-poster"),
        (" superhero ", "superhero"),
        ("https://zooop.ai/templates/superhero", "superhero"),
        ("https://zooop.ai/templates/image/superhero?ref=x&y=/z", "superhero"),
        ("HTTPS://zooop.ai/templates/video/superhero/#top", "superhero"),
        ("", ""),
    ],
)
def test_a_templates_page_address_works_as_its_slug(text: str, slug: str) -> None:
    assert slug_of(text) == slug


def test_a_row_holds_the_body_byte_for_byte_and_a_key_of_its_own() -> None:
    order = Order(TARGET, {"prompt": "x"}, words="x", tags=("t",), origin=Origin("n", "c", "r"))
    one, other = record(order), record(order)
    assert one.body == other.body == order.body()
    assert one.fingerprint == other.fingerprint == order.fingerprint
    assert one.key != other.key
    assert one.order_id != other.order_id
    assert 1 <= len(one.key) <= 256
    assert (one.state, one.quoted, one.eta_s, one.unit) == ("quoted", 8, 18, "image")
    assert (one.notebook, one.cell, one.execution) == ("n", "c", None), (
        "its run is written when it is reserved"
    )
    assert (one.type, one.subtype, one.model, one.version) == ("image", "default", "Flux", "pro")


def test_a_tools_row_names_the_model_that_the_quote_names() -> None:
    row = record(Order(Target("tool", "cut", "Cut"), {}), Quote(2, None, "m9", "standard", "Bria"))
    assert (row.tool, row.model, row.model_id, row.version) == ("cut", "Bria", "m9", "standard")
    silent = record(Order(Target("template", "poster", "Poster"), {}), Quote(2))
    assert (silent.template, silent.tool, silent.model) == ("poster", None, None)


def test_a_row_says_whose_money_it_is() -> None:
    me = Me(KeyInfo("k", "zpk_", label="laptop"), Project("p", "Demo"), team=TeamWallet("t", 5))
    row = record(Order(TARGET, {}), me=me)
    assert (row.key_label, row.project, row.wallet, row.who) == ("laptop", "Demo", "team", "me")
    assert record(Order(TARGET, {})).wallet is None


def test_a_breakdown_has_the_ledgers_names() -> None:
    found = breakdown_of(QUOTE)
    assert found == {
        "pricing_key": "720p",
        "base": 8,
        "multiplier": 1,
        "surcharges": 0,
        "base_price": 0,
        "min_price_applied": False,
    }
    assert set(found) <= set(COLUMNS)


def test_a_priced_order_costs_what_is_left_to_pay() -> None:
    order = Order(TARGET, {"prompt": "x"})
    rows = (record(order), record(order))
    priced = PricedOrder(order, order.body(), QUOTE, taken_up=(record(order),), records=rows)
    assert priced.total == 16
    assert (quoted(priced).total, quoted(priced).count) == (16, 2)
    served = PricedOrder(order, taken_up=(record(order),))
    assert served.total == 0
    with pytest.raises(LookupError):
        quoted(served)


def again(row: OrderRecord, **changes: Any) -> Any:
    return repeat_request(row, OrderRequest("again", params=changes))


def test_again_asks_for_the_same_with_changes() -> None:
    media = Media("ab" * 32, "image/png", url="https://z/1.png", label="1.png")
    row = record(Order(TARGET, {"prompt": "x", "seed": 7, "image_url": media}, words="x", tags=("t",)))
    ask = again(row, seed=8)
    assert (ask.verb, ask.model, ask.version, ask.tags, ask.count) == ("image", "m1", "pro", ("t",), 1)
    assert ask.params == {"prompt": "x", "seed": 8, "image_url": "https://z/1.png"}
    assert ask.slug is None


def test_again_knows_the_verb_of_every_category_and_refuses_one_that_is_new() -> None:
    for verb, category in GENERATION_VERBS.items():
        row = record(Order(Target("model", "m", "M", category, version="v"), {}))
        assert again(row).verb == verb
    new = record(Order(Target("model", "m", "M", None, version="v"), {}))
    with pytest.raises(InputError, match="not known here"):
        again(new)


def test_again_runs_a_tool_or_template_by_its_slug() -> None:
    for kind, slug in (("tool", "cut"), ("template", "poster")):
        ask = again(record(Order(Target(kind, slug, "X"), {"a.b": 1})), c=2)  # type: ignore[arg-type]
        assert (ask.verb, ask.slug, ask.model, ask.params) == (kind, slug, None, {"a.b": 1, "c": 2})
