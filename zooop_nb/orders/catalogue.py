"""What can be ordered: models, tools and templates, requested now and then and cached on disk for TAB."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from zooop_nb.contract.backend import Backend
from zooop_nb.contract.categories import Category
from zooop_nb.contract.shapes import Model, Recipe
from zooop_nb.orders.single_flight import SingleFlight

FRESH: Final = 600.0
"""Seconds for which a list is used as it is. Prices are never taken from it: only a quote is a price."""

T = TypeVar("T")


class CatalogueCache:
    """The lists of one host as they were last cached on disk. Needs no backend and no network."""

    def __init__(self, host: str, folder: Path) -> None:
        self._folder = folder / "catalogue" / hashlib.sha256(host.encode()).hexdigest()[:12]

    def models(self, category: Category) -> Sequence[Model]:
        """Return the models of a category, recommended first; none if they were never requested."""
        return self.read(name_of(category), Model)

    def tools(self) -> Sequence[Recipe]:
        """Return the AI tools; none if they were never requested."""
        return self.read("tools", Recipe)

    def templates(self) -> Sequence[Recipe]:
        """Return the templates; none if they were never requested."""
        return self.read("templates", Recipe)

    def read(self, name: str, shape: type[T]) -> Sequence[T]:
        """Return one list by its name."""
        try:
            return msgspec.json.decode((self._folder / f"{name}.json").read_bytes(), type=list[shape])  # type: ignore[valid-type]
        except (OSError, msgspec.DecodeError):
            # It is a cache: missing or of another version, it is requested again when needed.
            return []

    def write(self, name: str, listed: Sequence[Any]) -> None:
        """Store one list."""
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f".{name}.{time.monotonic_ns()}.part"
        partial.write_bytes(msgspec.json.encode(listed))
        partial.replace(self._folder / f"{name}.json")


class Catalogue:
    """The lists of one host, requested from the API at most every ten minutes, and each once at a time."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self._backend = backend
        self._kept = CatalogueCache(backend.host, folder)
        self._lists: dict[str, tuple[float, Sequence[Any]]] = {}
        self._requests = SingleFlight()

    async def models(self, category: Category) -> Sequence[Model]:
        """Return the models of a category, recommended first."""
        return await self._list(
            name_of(category), lambda: self._backend.models(category.type, category.subtype)
        )

    async def tools(self) -> Sequence[Recipe]:
        """Return the AI tools."""
        return await self._list("tools", self._backend.tools)

    async def templates(self) -> Sequence[Recipe]:
        """Return the templates."""
        return await self._list("templates", self._backend.templates)

    async def _list(self, name: str, ask: Callable[[], Awaitable[Sequence[T]]]) -> Sequence[T]:
        known = self._lists.get(name)
        if known is not None and time.monotonic() - known[0] < FRESH:
            return known[1]
        return await self._requests.run(name, partial(self._request, name, ask))

    async def _request(self, name: str, ask: Callable[[], Awaitable[Sequence[T]]]) -> Sequence[T]:
        listed = await ask()
        self._lists[name] = (time.monotonic(), listed)
        await asyncio.to_thread(self._kept.write, name, listed)
        return listed


def name_of(category: Category) -> str:
    """Return the name of a category's list."""
    return f"{category.type}-{category.subtype}"
