"""Lists as DataFrames: models, tools, templates, and unfinished orders."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pandas as pd

from zooop_nb.contract.shapes import Model, Param, Recipe
from zooop_nb.ledger import Ledger


def models_frame(models: Sequence[Model]) -> pd.DataFrame:
    """Return one row per version, recommended first; `credits` is a ballpark per `unit`."""
    rows = []
    for place, model in enumerate(models):
        for number, version in enumerate(model.versions):
            price = version.typical_price
            rows.append(
                {
                    "model": model.name,
                    "brand": model.brand.name,
                    "version": version.id,
                    "credits": price.typical_credits if price else None,
                    "unit": price.unit if price else None,
                    "mark": "recommended" if place == number == 0 else "",
                    "note": price.note if price else None,
                    "params": _names(model.params),
                    "tags": ", ".join(model.tags),
                    "description": model.description,
                }
            )
    frame = pd.DataFrame(rows, columns=None if rows else ["model", "credits", "unit", "mark"])
    frame["credits"] = pd.to_numeric(frame["credits"]).astype("Float64")
    for _, group in frame.dropna(subset=["credits"]).groupby("unit"):
        for row in group.index[group["credits"] == group["credits"].min()]:
            frame.loc[row, "mark"] = ", ".join(filter(None, (frame.loc[row, "mark"], "cheapest")))
    return frame


def recipes_frame(recipes: Sequence[Recipe]) -> pd.DataFrame:
    """Return one row per tool or template."""
    rows = [
        {
            "slug": recipe.slug,
            "name": recipe.name,
            "type": recipe.media_type,
            "credits": recipe.typical_price.typical_credits if recipe.typical_price else None,
            "unit": recipe.typical_price.unit if recipe.typical_price else None,
            "params": _names(recipe.params),
            "summary": recipe.summary,
        }
        for recipe in recipes
    ]
    return pd.DataFrame(rows, columns=None if rows else ["slug", "name", "type", "credits", "unit"])


def tasks_frame(ledger: Ledger) -> pd.DataFrame:
    """Return one row per unfinished order, oldest first; `followed`: a live session waits for it."""
    rows = [
        {
            "order_id": record.order_id,
            "task_id": record.task_id,
            "state": record.state,
            "followed": ledger.is_followed(record),
            "model": record.model or record.tool or record.template or record.target,
            "prompt": record.prompt,
            "quoted": record.quoted,
            "minutes": round(
                (datetime.now(UTC) - datetime.fromisoformat(record.sent_at)).total_seconds() / 60, 1
            )
            if record.sent_at
            else None,
            "mode": record.mode,
            "error": record.error,
        }
        for record in ledger.unfinished()
    ]
    columns = [
        "order_id",
        "task_id",
        "state",
        "followed",
        "model",
        "prompt",
        "quoted",
        "minutes",
        "mode",
        "error",
    ]
    return pd.DataFrame(rows, columns=columns)


def _names(params: Sequence[Param]) -> str:
    """The params' names; an entry of the schema may lack its own."""
    return ", ".join(str(param.id) for param in params if param.id)
