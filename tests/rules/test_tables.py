"""Lists as DataFrames."""

from pathlib import Path

from tests.support.orders import an_order, seen, sent
from zooop_nb.contract.shapes import Brand, Model, Param, Recipe, TypicalPrice, Version
from zooop_nb.ledger import Ledger
from zooop_nb.results.tables import models_frame, recipes_frame, tasks_frame


def version(id: str, credits: float | None, unit: str = "image") -> Version:
    return Version(id, id.title(), TypicalPrice(credits, unit, "1:1"))


MODELS = [
    Model(
        "a",
        "Flux",
        brand=Brand("bfl", "BFL"),
        versions=[version("standard", 4), version("pro", 8)],
        tags=["HOT"],
    ),
    Model("b", "Seedream", params=[Param("prompt"), Param("seed")], versions=[version("standard", 2.5)]),
    Model("c", "Kling", versions=[version("standard", 8, "second"), version("turbo", 5, "second")]),
    Model("d", "Silent", versions=[Version("x"), version("y", None)]),
    Model("e", "Empty"),
]


def test_there_is_a_row_a_version_with_the_recommended_first_and_the_cheapest_of_each_unit_marked() -> None:
    frame = models_frame(MODELS)
    assert frame["model"].tolist() == ["Flux", "Flux", "Seedream", "Kling", "Kling", "Silent", "Silent"]
    assert frame["mark"].tolist() == ["recommended", "", "cheapest", "", "cheapest", "", ""]
    assert frame["credits"].tolist()[:5] == [4.0, 8.0, 2.5, 8.0, 5.0]
    assert frame["credits"].isna().tolist()[5:] == [True, True]
    assert str(frame["credits"].dtype) == "Float64"
    assert [*frame.loc[0, ["brand", "version", "unit", "tags"]]] == ["BFL", "standard", "image", "HOT"]
    assert frame.loc[2, "params"] == "prompt, seed"


def test_a_param_without_a_name_is_not_listed() -> None:
    odd = Model(
        "b", "Seedream", params=[Param("prompt"), Param(), Param(7)], versions=[version("standard", 1)]
    )
    assert models_frame([odd]).loc[0, "params"] == "prompt, 7"


def test_the_first_may_be_the_cheapest_too() -> None:
    frame = models_frame(MODELS[2:3] + MODELS[1:2])
    assert frame["mark"].tolist() == ["recommended", "cheapest", "cheapest"]
    assert models_frame(MODELS[1:2])["mark"].tolist() == ["recommended, cheapest"]


def test_a_list_without_entries_is_an_empty_frame() -> None:
    assert models_frame([]).empty
    assert models_frame(MODELS[4:]).empty
    assert recipes_frame([]).empty
    assert "slug" in recipes_frame([])


def test_there_is_a_row_a_tool() -> None:
    tools = [
        Recipe(
            "cut",
            "Cut",
            "image",
            params=[Param("image_url"), Param("a.b")],
            typical_price=TypicalPrice(2, "image"),
        ),
        Recipe("bare"),
    ]
    frame = recipes_frame(tools)
    assert frame["slug"].tolist() == ["cut", "bare"]
    assert [*frame.loc[0, ["credits", "unit", "params"]]] == [2, "image", "image_url, a.b"]
    assert frame["credits"].isna()[1]


def test_what_is_unfinished_says_where_it_stands_and_whether_somebody_follows_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    assert tasks_frame(ledger).empty
    assert {"order_id", "state", "followed"} <= set(tasks_frame(ledger).columns)
    followed = sent(ledger, model="Flux", prompt="a cat")
    left = sent(ledger, tool="cut", target="tool")
    ledger.record_submission(left, "t1", "queued")
    ledger.release(left, "the server went away")
    done = sent(ledger)
    seen(ledger, done, "failed", 0)
    ledger.record_quotes([an_order()])
    frame = tasks_frame(ledger)
    assert frame["order_id"].tolist() == [followed, left]
    assert frame["state"].tolist() == ["intended", "submitted"]
    assert frame["followed"].tolist() == [True, False]
    assert frame["model"].tolist() == ["Flux", "cut"]
    assert frame.loc[1, "error"] == "the server went away"
    assert (frame["minutes"] >= 0).all()
    ledger.close()
