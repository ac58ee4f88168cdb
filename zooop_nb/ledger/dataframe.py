"""The ledger as a DataFrame: a view, one row an event, oldest first.

`spent` is what left the row's wallet by the event; `credits` the figure that the server named. `units`,
`seconds` and `outputs` appear on the charge row only; what belongs to the order as a whole (`status`,
`error`, the quote and its breakdown) appears on each of its rows.

`at` is in UTC, to the microsecond, under every pandas: its dtype is `datetime64[us, UTC]`, also when the
ledger is empty.
"""

import sqlite3
from typing import Any, Final

import pandas as pd

# The charge row with the output columns: the last charge, if the server named two figures.
_MADE: Final = """e.event = 'charge' AND NOT EXISTS (SELECT 1 FROM events later
    WHERE later.order_id = e.order_id AND later.event = 'charge' AND later.seq > e.seq)"""

# Column, its expression over events e and orders o, and its dtype.
_COLUMNS: Final[tuple[tuple[str, str, str], ...]] = (
    ("at", "e.at", "time"),
    ("event", "e.event", "category"),
    ("spent", "e.spent", "credits"),
    ("credits", "e.credits", "credits"),
    ("quoted", "o.quoted", "credits"),
    ("order_id", "o.order_id", "string"),
    ("batch", "o.batch", "string"),
    ("task_id", "o.task_id", "string"),
    ("status", "coalesce(o.status, nullif(o.state, 'quoted'))", "category"),
    ("type", "o.type", "category"),
    ("subtype", "o.subtype", "category"),
    ("model", "o.model", "category"),
    ("version", "o.version", "category"),
    ("tool", "o.tool", "category"),
    ("template", "o.template", "category"),
    ("unit", "o.unit", "category"),
    (
        "units",
        f"""CASE WHEN {_MADE} THEN CASE o.unit
             WHEN 'image' THEN nullif(json_array_length(o.outputs), 0)
             WHEN 'second' THEN (SELECT sum(value ->> 'duration') FROM json_each(o.outputs))
             WHEN '1k_chars' THEN length(o.prompt) / 1000.0 END END""",
        "Float64",
    ),
    ("pricing_key", "o.breakdown ->> 'pricing_key'", "category"),
    ("base", "o.breakdown ->> 'base'", "Float64"),
    ("multiplier", "o.breakdown ->> 'multiplier'", "Float64"),
    ("surcharges", "o.breakdown ->> 'surcharges'", "Float64"),
    ("base_price", "o.breakdown ->> 'base_price'", "Float64"),
    ("min_price_applied", "o.breakdown ->> 'min_price_applied'", "boolean"),
    ("eta_s", "o.eta_s", "Float64"),
    (
        "seconds",
        f"""CASE WHEN {_MADE}
             THEN round((julianday(o.task_completed_at) - julianday(o.task_created_at)) * 86400.0, 3) END""",
        "Float64",
    ),
    ("prompt", "o.prompt", "string"),
    ("params", "o.params", "string"),
    ("outputs", f"CASE WHEN {_MADE} THEN json_array_length(o.outputs) END", "Int64"),
    ("error", "o.error", "string"),
    ("tags", "(SELECT group_concat(value, ', ') FROM json_each(o.tags))", "string"),
    ("notebook", "o.notebook", "string"),
    ("cell", "o.cell", "string"),
    ("who", "o.who", "category"),
    ("project", "o.project", "category"),
    ("wallet", "o.wallet", "category"),
    ("key", "o.key_label", "category"),
    # A sandbox's address means nothing once it has ended, and must not stand in a notebook that is kept.
    ("host", "CASE o.mode WHEN 'sandbox' THEN 'sandbox' ELSE o.host END", "category"),
    ("mode", "o.mode", "category"),
)

COLUMNS: Final = tuple(name for name, _, _ in _COLUMNS)
"""The columns, in their order."""


def frame(db: sqlite3.Connection) -> pd.DataFrame:
    """All events of a ledger's database."""
    select = ", ".join(f'{expression} AS "{name}"' for name, expression, _ in _COLUMNS)
    rows = db.execute(
        f"SELECT {select} FROM events e JOIN orders o USING (order_id) ORDER BY e.seq"
    ).fetchall()
    columns = zip(*map(tuple, rows), strict=True) if rows else ((),) * len(_COLUMNS)
    return pd.DataFrame(
        {name: _typed(values, dtype) for (name, _, dtype), values in zip(_COLUMNS, columns, strict=True)}
    )


def _typed(values: tuple[Any, ...], dtype: str) -> "pd.Series[Any]":
    if dtype == "time":
        times = pd.to_datetime(pd.Series(values, dtype="string"), utc=True, format="ISO8601")
        # Without this the unit is nanoseconds in pandas 2 and depends on the values in pandas 3.
        return times.dt.as_unit("us")
    if dtype == "credits":
        # Credits are whole numbers; should the server ever name a fraction, it is kept as it came.
        whole = all(value is None or value == int(value) for value in values)
        return pd.Series(values, dtype="Int64" if whole else "Float64")
    if dtype == "category":
        return pd.Series(values, dtype="string").astype("category")
    if dtype == "boolean":
        return pd.Series([None if value is None else bool(value) for value in values], dtype="boolean")
    return pd.Series(values, dtype=dtype)
