"""An order: what the user asked for, resolved and frozen, and the one value that names it.

The **fingerprint** is the SHA-256, in hex, of this JSON, with sorted keys, no spaces and UTF-8:

    {"fingerprint": 1, "target": {...}, "params": {...}}

where `target` is `{"model": ID, "version": ID}`, `{"tool": SLUG}` or `{"template": SLUG}`, and `params`
are the params as they are sent, but each media value as `{"sha256": HEX}` of its content (or
`{"url": URL}` for a ZOOOP URL whose content was never seen here), and each whole number without a
fraction. Two orders with one fingerprint ask for the same thing.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from zooop_nb.contract.categories import Category

FINGERPRINT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Target:
    """What runs: a model in a version, an AI tool, or a template."""

    kind: Literal["model", "tool", "template"]
    id: str
    """The model's id, or the slug."""
    name: str
    """What people call it."""
    category: Category | None = None
    version: str | None = None
    version_name: str | None = None
    unit: str | None = None
    """What its price counts: image, second, frame, 1k_chars or call."""

    def identity(self) -> dict[str, str]:
        """What the fingerprint holds of it."""
        return {self.kind: self.id} | ({"version": self.version} if self.version else {})

    def payload(self) -> dict[str, str]:
        """What a body holds of it. API documentation: `POST /v1/quote`, "Body"."""
        if self.kind == "model":
            return {"interfaceId": self.id, "versionId": self.version or ""}
        return {"aiTool" if self.kind == "tool" else "template": self.id}


@dataclass(frozen=True, slots=True)
class Media:
    """A media value of a param, named by its content."""

    sha256: str | None
    """None only for a ZOOOP URL whose content was never seen here."""
    content_type: str | None
    path: Path | None = None
    """The file to upload; None where a URL serves already."""
    url: str | None = None
    """The ZOOOP URL, once there is one."""
    label: str = ""
    """The name to show: a file name, `picture`, an order's id."""

    def name(self) -> dict[str, str]:
        """What the fingerprint holds of it."""
        return {"sha256": self.sha256} if self.sha256 else {"url": self.url or ""}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an order was written: notebook and cell, as far as the front end tells."""

    notebook: str | None = None
    cell: str | None = None
    """The cell's source."""
    run: str | None = None
    """Which execution of the cell; a re-run has another."""

    @property
    def cell_hash(self) -> str | None:
        """SHA-256 of the cell's source: front ends that run notebooks tell a kernel no more of a cell."""
        return None if self.cell is None else hashlib.sha256(self.cell.encode()).hexdigest()


@dataclass(frozen=True)
class Order:
    """A resolved order. `params` holds JSON values, `Media`, and lists of `Media`."""

    target: Target
    params: Mapping[str, Any]
    words: str = ""
    tags: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 that names what is asked for; see the module's text."""
        return fingerprint(self.target.identity(), self.params)

    def body(self) -> bytes:
        """The bytes for `/v1/quote` and `/v1/tasks`. Every media param must have its URL by now."""
        params = {name: _each(value, lambda media: media.url) for name, value in self.params.items()}
        return canonical({**self.target.payload(), "params": params})

    def described(self) -> dict[str, Any]:
        """The params for people and the ledger: media by label and hash."""
        return {
            name: _each(value, lambda media: {"file": media.label} | media.name())
            for name, value in self.params.items()
        }

    def media(self) -> Sequence[Media]:
        """All media values, in the order of the params."""
        found: list[Media] = []
        for value in self.params.values():
            found += [
                each for each in (value if isinstance(value, list) else [value]) if isinstance(each, Media)
            ]
        return found


def fingerprint(target: Mapping[str, str], params: Mapping[str, Any]) -> str:
    """The fingerprint of a target's identity and its params."""
    named = {name: _each(value, Media.name) for name, value in params.items()}
    whole = {"fingerprint": FINGERPRINT_VERSION, "target": dict(target), "params": named}
    return hashlib.sha256(canonical(whole)).hexdigest()


def canonical(value: Any) -> bytes:
    """JSON in the one form that a value has: sorted keys, no spaces, UTF-8, whole numbers as such.

    Raises `ValueError` for infinities and NaN, which JSON does not have.
    """
    return json.dumps(
        _whole(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(name): _whole(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(each) for each in value]
    return value


def _each(value: Any, turn: Any) -> Any:
    if isinstance(value, Media):
        return turn(value)
    if isinstance(value, list | tuple):
        return [_each(each, turn) for each in value]
    return value
