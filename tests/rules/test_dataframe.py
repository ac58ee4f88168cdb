"""The ledger as a DataFrame: the promised columns and dtypes, the server's figures, null for the rest."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.support.orders import sent
from zooop_nb.ledger import Ledger
from zooop_nb.ledger.dataframe import COLUMNS

PROMISED = [
    "at",
    "event",
    "spent",
    "credits",
    "quoted",
    "order_id",
    "batch",
    "task_id",
    "status",
    "type",
    "subtype",
    "model",
    "version",
    "tool",
    "template",
    "unit",
    "units",
    "pricing_key",
    "base",
    "multiplier",
    "surcharges",
    "base_price",
    "min_price_applied",
    "eta_s",
    "seconds",
    "prompt",
    "params",
    "outputs",
    "error",
    "tags",
    "notebook",
    "cell",
    "who",
    "project",
    "wallet",
    "key",
    "host",
    "mode",
]
CATEGORIES = [
    "event",
    "status",
    "type",
    "subtype",
    "model",
    "version",
    "tool",
    "template",
    "unit",
    "pricing_key",
    "who",
    "project",
    "wallet",
    "key",
    "host",
    "mode",
]
DTYPES = (
    dict.fromkeys(CATEGORIES, "category")
    | dict.fromkeys(
        ("order_id", "batch", "task_id", "prompt", "params", "error", "tags", "notebook", "cell"), "string"
    )
    | dict.fromkeys(
        ("units", "base", "multiplier", "surcharges", "base_price", "eta_s", "seconds"), "Float64"
    )
    | dict.fromkeys(("spent", "credits", "quoted", "outputs"), "Int64")
    | {"min_price_applied": "boolean"}
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def made(
    ledger: Ledger, status: str = "succeeded", credits: float | None = 8, outputs: Any = (), **known: Any
) -> str:
    """Record an order from its quote to its end, and return its id."""
    order = sent(ledger, **known)
    ledger.record_submission(order, f"task-{order}", "queued")
    ledger.record_status(
        order,
        status=status,
        credits=credits,
        created_at="2026-05-14T01:23:45.000Z",
        completed_at="2026-05-14T01:24:12.500Z",
        outputs=list(outputs),
        error=None if status == "succeeded" else "no",
    )
    return order


def test_the_columns_and_dtypes_are_the_promised_ones_with_and_without_rows(ledger: Ledger) -> None:
    assert list(COLUMNS) == PROMISED
    for _ in range(2):
        frame = ledger.frame()
        assert list(frame.columns) == PROMISED
        assert {
            name: str(dtype).split("[")[0] for name, dtype in frame.dtypes.items() if name != "at"
        } == DTYPES
        assert frame["at"].dtype == pd.DatetimeTZDtype(unit="us", tz="UTC")
        made(ledger)
    assert not frame.empty


def test_rows_are_events_oldest_first_and_spent_is_what_left_the_wallet(ledger: Ledger) -> None:
    made(ledger)
    made(ledger, "failed", 0)
    frame = ledger.frame()
    assert frame["event"].tolist() == ["quote", "submit", "charge", "quote", "submit"]
    assert frame["spent"].tolist() == [0, 0, 8, 0, 0]
    assert frame["credits"].isna().tolist() == [False, True, False, False, True]
    assert frame["status"].tolist() == ["succeeded"] * 3 + ["failed"] * 2
    assert frame["at"].is_monotonic_increasing


def test_what_was_not_said_is_null_and_never_nought(ledger: Ledger) -> None:
    made(ledger, credits=None, quoted=None)
    frame = ledger.frame()
    assert frame["event"].tolist() == ["quote", "submit"]
    silent = ["credits", "quoted", "base", "multiplier", "min_price_applied", "eta_s", "units", "seconds"]
    assert frame[[*silent, "outputs", "prompt", "tags", "wallet", "notebook"]].isna().all().all()
    assert frame["spent"].tolist() == [0, 0]


def test_what_came_of_an_order_stands_on_its_charge_alone(ledger: Ledger) -> None:
    breakdown = {"pricing_key": "720p", "base": 8, "multiplier": 1.5, "min_price_applied": True}
    made(
        ledger,
        outputs=[{"url": "u"}, {"url": "v"}],
        unit="image",
        breakdown=breakdown,
        eta_s=18,
        prompt="熊猫",
    )
    frame = ledger.frame().set_index("event")
    assert [*frame.loc["charge", ["units", "outputs", "seconds"]]] == [2.0, 2, 27.5]
    assert frame.loc[["quote", "submit"], ["units", "outputs", "seconds"]].isna().all().all()
    known = ["pricing_key", "base", "multiplier", "min_price_applied", "eta_s", "prompt"]
    for _, row in frame[known].iterrows():
        assert row.tolist() == ["720p", 8.0, 1.5, True, 18.0, "熊猫"]


def test_a_second_figure_of_the_server_does_not_double_what_came_of_the_order(ledger: Ledger) -> None:
    order_id = made(ledger, outputs=[{"url": "u"}], unit="image", credits=4)
    ledger.record_status(
        order_id,
        status="succeeded",
        credits=5,
        created_at=None,
        completed_at=None,
        outputs=[{"url": "u"}],
        error=None,
    )

    charges = ledger.frame().query("event == 'charge'")

    assert charges["spent"].tolist() == [4, 1]
    assert charges[["units", "outputs"]].sum().tolist() == [1, 1]


@pytest.mark.parametrize(
    ("unit", "units"),
    [("image", 2.0), ("second", 7.5), ("1k_chars", 0.004), ("call", None), ("frame", None), (None, None)],
)
def test_units_are_measured_from_what_came_out(ledger: Ledger, unit: str | None, units: float | None) -> None:
    order = made(ledger, outputs=[{"url": "u"}, {"url": "v"}], unit=unit, prompt="four")
    ledger.record_outputs(order, [{"url": "u", "duration": 5}, {"url": "v", "duration": 2.5}])
    [found] = ledger.frame().query("event == 'charge'")["units"]
    assert found == units if units is not None else pd.isna(found)


def test_fractions_of_credits_are_kept_should_the_server_ever_name_them(ledger: Ledger) -> None:
    made(ledger)
    made(ledger, credits=8.5)
    frame = ledger.frame()
    assert str(frame["spent"].dtype) == "Float64"
    assert frame["spent"].sum() == 16.5


def test_texts_come_back_as_they_were(ledger: Ledger) -> None:
    params = {"prompt": "it's “x”, ünï; 熊猫\n", "n": 1.5}
    made(
        ledger,
        params=params,
        tags=("a", "b c"),
        cell="%%zooop image\nx",
        notebook="a/b.ipynb",
        tool="t",
        who="me",
    )
    row = ledger.frame().iloc[0]
    assert json.loads(row["params"]) == params
    assert (row["tags"], row["cell"], row["notebook"], row["tool"], row["who"]) == (
        "a, b c",
        "%%zooop image\nx",
        "a/b.ipynb",
        "t",
        "me",
    )


def test_a_sandboxs_address_does_not_stand_in_the_frame(ledger: Ledger) -> None:
    made(ledger)
    made(ledger, mode="sandbox", host="http://127.0.0.1:4321")
    assert set(ledger.frame()["host"]) == {"https://api.zooop.ai", "sandbox"}


def test_neither_keys_nor_tokens_nor_bodies_stand_in_the_frame(ledger: Ledger) -> None:
    order = made(ledger)
    record = ledger.get(order)
    text = ledger.frame().to_csv()
    assert record.key not in text
    assert record.token not in text
