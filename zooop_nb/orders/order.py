"""An order: what the user asked for, resolved and frozen, and the fingerprint that identifies it.

The **fingerprint** is the SHA-256, in hex, of this JSON, with sorted keys, no spaces and UTF-8:

    {"fingerprint": 1, "target": {...}, "params": {...}}

`target` is `{"model": ID, "version": ID}`, `{"tool": SLUG}`, `{"template": SLUG}` or `{"describe": "image"}`.
`params` are the params as sent, except that each media value is `{"sha256": HEX}` of its content (or
`{"url": URL}` for a ZOOOP URL whose content was never seen on this machine) and that whole numbers have no
fraction. Two orders with one fingerprint ask for the same thing.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from zooop_nb.contract.backend import Intent
from zooop_nb.contract.categories import Category
from zooop_nb.ledger import Execution

FINGERPRINT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Target:
    """What runs: a version of a model, an AI tool, a template, or the description of an image."""

    kind: Literal["model", "tool", "template", "describe"]
    id: str
    """The model's id, the slug, or `image` for a description."""
    name: str
    """Its name for people."""
    category: Category | None = None
    version: str | None = None
    version_name: str | None = None
    unit: str | None = None
    """The unit of its price: image, second, frame, 1k_chars or call."""

    def identity(self) -> dict[str, str]:
        """Return what the fingerprint contains of it."""
        return {self.kind: self.id} | ({"version": self.version} if self.version else {})

    def payload(self) -> dict[str, str]:
        """Return what a request body contains of it. API documentation: `POST /v1/quote`, "Body"."""
        if self.kind == "model":
            return {"interfaceId": self.id, "versionId": self.version or ""}
        return {"aiTool" if self.kind == "tool" else "template": self.id}


@dataclass(frozen=True, slots=True)
class Media:
    """A media value of a param, identified by its content."""

    sha256: str | None
    """None only for a ZOOOP URL whose content was never seen on this machine."""
    content_type: str | None
    path: Path | None = None
    """The file to upload; None if it has a URL already."""
    url: str | None = None
    """The ZOOOP URL, once it is uploaded."""
    label: str = ""
    """The name to show, usually the file name."""

    def identity(self) -> dict[str, str]:
        """Return what the fingerprint contains of it."""
        return {"sha256": self.sha256} if self.sha256 else {"url": self.url or ""}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an order was written: notebook and cell, as far as the front end reports them."""

    notebook: str | None = None
    cell: str | None = None
    """The cell's source."""
    execution: str | None = None
    """The id of this run of the cell; a re-run has another."""
    cell_id: str | None = None
    """The front end's own id of the cell."""

    @property
    def cell_hash(self) -> str | None:
        """SHA-256 of the cell's source, but for trailing space and final newlines.

        The source is the only thing that every front end reports of a cell.
        """
        if self.cell is None:
            return None
        source = "\n".join(line.rstrip() for line in self.cell.split("\n")).rstrip("\n")
        return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()

    def run_of_cell(self) -> Execution | None:
        """Return this run of the cell as the ledger names it; None outside of any."""
        if self.execution is None:
            return None
        return Execution(self.execution, self.notebook, self.cell_hash, self.cell_id)


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
        """The SHA-256 of target and params; see the module's documentation."""
        return fingerprint(self.target.identity(), self.params)

    def body(self) -> bytes:
        """Return the bytes to quote and submit. Every media param must have its URL by now.

        A description has the body of `POST /v1/describe-image`, any other order that of `/v1/quote` and
        `/v1/tasks`.
        """
        params = {name: _each(value, lambda media: media.url) for name, value in self.params.items()}
        if self.target.kind == "describe":
            return canonical({"imageUrl": params.pop("image_url"), **params})
        return canonical({**self.target.payload(), "params": params})

    def intent(self) -> Intent:
        """Return what a backend prices. Every media param must have its URL by now."""
        media = {each.url: each.sha256 for each in self.media() if each.url and each.sha256}
        return Intent(self.fingerprint, self.body(), media)

    def readable_params(self) -> dict[str, Any]:
        """Return the params for people and the ledger: media by label and hash."""
        return {
            name: _each(value, lambda media: {"file": media.label} | media.identity())
            for name, value in self.params.items()
        }

    def media(self) -> Sequence[Media]:
        """Return all media values, in the order of the params."""
        found: list[Media] = []
        for value in self.params.values():
            found += [
                each for each in (value if isinstance(value, list) else [value]) if isinstance(each, Media)
            ]
        return found


def fingerprint(target: Mapping[str, str], params: Mapping[str, Any]) -> str:
    """Return the fingerprint of a target's identity and its params."""
    named = {name: _each(value, Media.identity) for name, value in params.items()}
    whole = {"fingerprint": FINGERPRINT_VERSION, "target": dict(target), "params": named}
    return hashlib.sha256(canonical(whole)).hexdigest()


def canonical(value: Any) -> bytes:
    """Encode a value as canonical JSON: sorted keys, no spaces, UTF-8, whole numbers without a fraction.

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


def _each(value: Any, turn: Callable[[Media], Any]) -> Any:
    if isinstance(value, Media):
        return turn(value)
    if isinstance(value, list | tuple):
        return [_each(each, turn) for each in value]
    return value
