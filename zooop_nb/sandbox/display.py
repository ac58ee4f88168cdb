"""The catalogue's own media: logos, covers, style and voice previews, generated on first request.

The catalogue has them under `https://storage.zooop.ai/assets/`; responses replace that with the sandbox's
own address, and only names in the catalogue are served.
"""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zooop_nb.sandbox.assets import STORAGE_HOST
from zooop_nb.sandbox.catalogue import Catalogue
from zooop_nb.sandbox.media import Work, render

_PREFIX = f"https://{STORAGE_HOST}/"


def localised(value: Any, base: str) -> Any:
    """Return a catalogue value with every storage URL rewritten to the sandbox's address."""
    if isinstance(value, str):
        return f"{base}/{value.removeprefix(_PREFIX)}" if value.startswith(_PREFIX) else value
    if isinstance(value, dict):
        return {key: localised(each, base) for key, each in value.items()}
    if isinstance(value, list):
        return [localised(each, base) for each in value]
    return value


class Display:
    """The files behind the catalogue's own URLs. They never change, so they survive a reset."""

    def __init__(self, catalogue: Catalogue, folder: Path) -> None:
        models = [
            model.public()
            for category in catalogue.categories
            for model in catalogue.models(category.type, category.subtype)
        ]
        recipes = [recipe.public() for recipe in (*catalogue.tools(None), *catalogue.templates(None))]
        self._names = {url.removeprefix(_PREFIX) for url in _urls([models, recipes])}
        self._folder = folder
        self._made: dict[str, tuple[Path, str]] = {}

    async def get(self, key: str) -> tuple[Path, str] | None:
        """Return the file and its media type, or None if the URL is not in the catalogue."""
        if key not in self._names:
            return None
        if key not in self._made:
            self._made[key] = await asyncio.to_thread(self._make, key)
        return self._made[key]

    def _make(self, key: str) -> tuple[Path, str]:
        stem, _, ending = key.rpartition(".")
        name = stem.rpartition("/")[2]
        words = name.replace("-", " ").replace("_", " ")
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big")
        if ending in ("png", "jpg", "webp"):
            work = Work(action="picture", prompt=words, model=words, seed=seed, width=512, height=512)
        else:
            work = Work(action="speech", prompt=f"This is {words}.", voice=name, model=words, seed=seed)
        piece = render(work)[0]
        file = self._folder / hashlib.sha256(key.encode()).hexdigest()
        file.write_bytes(piece.data)
        return file, piece.content_type


def _urls(value: object) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(_PREFIX):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _urls(each)
    elif isinstance(value, list):
        for each in value:
            yield from _urls(each)
