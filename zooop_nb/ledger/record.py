"""Rows of the ledger as values: an order, and an execution of a cell."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any, Final

from zooop_nb.contract.backend import Intent
from zooop_nb.contract.credits import Number


def now() -> str:
    """Return the time as the ledger writes it: UTC, ISO 8601, microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a cell, as far as the front end tells it."""

    execution: str
    """Its id."""
    notebook: str | None = None
    cell_hash: str | None = None
    """SHA-256 of the cell's source."""
    cell_id: str | None = None
    """The front end's own id of the cell, which tells cells apart within one kernel."""


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order as the ledger holds it; the schema documents the columns."""

    order_id: str
    batch: str
    fingerprint: str
    target: str
    body: bytes
    key: str
    token: str
    host: str
    mode: str
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)
    type: str | None = None
    subtype: str | None = None
    model: str | None = None
    model_id: str | None = None
    version: str | None = None
    tool: str | None = None
    template: str | None = None
    unit: str | None = None
    prompt: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    key_label: str | None = None
    who: str | None = None
    project: str | None = None
    wallet: str | None = None
    notebook: str | None = None
    cell: str | None = None
    session: str | None = None
    execution: str | None = None
    asked_at: str | None = None
    state: str = "quoted"
    follower: str | None = None
    sent_at: str | None = None
    task_id: str | None = None
    status: str | None = None
    quoted: Number | None = None
    breakdown: Mapping[str, Any] = field(default_factory=dict)
    eta_s: Number | None = None
    credits: Number | None = None
    task_created_at: str | None = None
    task_completed_at: str | None = None
    outputs: tuple[Mapping[str, Any], ...] = ()
    fetched_at: str | None = None
    error: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do: no task to follow, no figure to ask for, no output to download."""
        return self.state in {"failed", "cancelled", "refused", "withdrawn"} or (
            self.state == "succeeded" and self.fetched_at is not None and self.credits is not None
        )

    def intent(self, send_before: datetime | None = None) -> Intent:
        """Return what a backend sends of the order; not from `send_before` on."""
        return Intent(self.fingerprint, self.body, self._media(), self.order_id, self.key, send_before)

    def _media(self) -> dict[str, str]:
        """Return the SHA-256 of the content behind each URL in the body, as far as it is known."""
        body = json.loads(self.body)
        sent = {"image_url": body["imageUrl"]} if self.target == "describe" else body.get("params", {})
        media: dict[str, str] = {}
        for name, value in self.params.items():
            named, urls = (each if isinstance(each, list) else [each] for each in (value, sent.get(name)))
            for each, url in zip(named, urls, strict=False):
                if isinstance(each, Mapping) and "sha256" in each and isinstance(url, str):
                    media[url] = each["sha256"]
        return media

    def row(self) -> list[Any]:
        """Return the values of `COLUMNS` as SQLite takes them."""
        row = list(_of_record(self))
        for at in _JSON_AT:
            row[at] = to_json(row[at])
        return row

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> "OrderRecord":
        """Build the value of a row."""
        values = list(_in_order(tuple(row.keys()))(row))
        for at in _JSON_AT:
            values[at] = _from_json(values[at]) if values[at] else {}
        for at in _TUPLES_AT:
            values[at] = tuple(values[at])
        return cls(*values)


COLUMNS: Final = tuple(each.name for each in fields(OrderRecord))
JSON_COLUMNS: Final = frozenset({"params", "tags", "breakdown", "outputs"})
# Each step of an order reads or writes a row: what they have in common is made once.
_of_record: Final = attrgetter(*COLUMNS)
_JSON_AT: Final = tuple(map(COLUMNS.index, JSON_COLUMNS))
_TUPLES_AT: Final = tuple(map(COLUMNS.index, ("tags", "outputs")))
_encode: Final = json.JSONEncoder(ensure_ascii=False, default=str).encode
_decode: Final = json.JSONDecoder().decode


def to_json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """Return a value as the JSON columns hold it."""
    if value:
        return _encode(value)
    # So are most: few orders have tags, and outputs come last.
    return "[]" if isinstance(value, list | tuple) else "{}"


def _from_json(text: str) -> Any:
    return [] if text == "[]" else {} if text == "{}" else _decode(text)


@cache
def _in_order(names: tuple[str, ...]) -> Callable[[sqlite3.Row], tuple[Any, ...]]:
    """Return what takes the columns out of a row with such names: by position, which is ten times faster."""
    return itemgetter(*map(names.index, COLUMNS))
