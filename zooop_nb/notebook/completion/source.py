"""What completion knows without asking the network: the lists on disk, the ledger, the file system."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from zooop_nb.errors import ZooopError
from zooop_nb.notebook.shell_session import ShellSession

if TYPE_CHECKING:
    from zooop_nb.contract.categories import Category
    from zooop_nb.contract.shapes import Model, Recipe
    from zooop_nb.ledger import OrderRecord
    from zooop_nb.orders.catalogue import CatalogueCache
    from zooop_nb.studio import Studio


class CompletionSource(Protocol):
    """What the rules may ask for. Nothing raises, and nothing waits for the network."""

    def models(self, category: "Category") -> "Sequence[Model]":
        """Return the models of a category, recommended first."""

    def tools(self) -> "Sequence[Recipe]":
        """Return the AI tools."""

    def templates(self) -> "Sequence[Recipe]":
        """Return the templates."""

    def last(self) -> "OrderRecord | None":
        """Return the last order that was sent."""

    def unfinished(self) -> "Sequence[OrderRecord]":
        """Return the orders that `resume` would pick up."""

    def paths(self, begun: str) -> Sequence[str]:
        """Return the files and folders that a path may go on to; a folder ends in a slash."""


class SessionSource:
    """The source of a session: its catalogue cache, and its ledger once it is in use."""

    def __init__(self, session: ShellSession) -> None:
        self._session = session

    def models(self, category: "Category") -> "Sequence[Model]":
        """See `CompletionSource`."""
        cache = self._cache()
        return cache.models(category) if cache else ()

    def tools(self) -> "Sequence[Recipe]":
        """See `CompletionSource`."""
        cache = self._cache()
        return cache.tools() if cache else ()

    def templates(self) -> "Sequence[Recipe]":
        """See `CompletionSource`."""
        cache = self._cache()
        return cache.templates() if cache else ()

    def last(self) -> "OrderRecord | None":
        """See `CompletionSource`."""
        studio = self._studio()
        try:
            if studio is None:
                return None
            return studio.ledger.last(mode="sandbox" if studio.settings.on_sandbox else "live")
        except ZooopError:
            # The next order reports what is wrong with the ledger; TAB is not the place.
            return None

    def unfinished(self) -> "Sequence[OrderRecord]":
        """See `CompletionSource`."""
        studio = self._studio()
        try:
            return studio.ledger.unfinished() if studio else ()
        except ZooopError:
            return ()

    def paths(self, begun: str) -> Sequence[str]:
        """See `CompletionSource`. Hidden files only after a dot."""
        cut = max(begun.rfind("/"), begun.rfind(os.sep)) + 1
        folder, name = begun[:cut], begun[cut:]
        try:
            with os.scandir(Path(folder or ".").expanduser()) as found:
                names = sorted(
                    f"{each.name}/" if each.is_dir() else each.name
                    for each in found
                    if each.name.startswith(name) and (name or not each.name.startswith("."))
                )
        except (OSError, RuntimeError, ValueError):
            # No such folder, no such user's home, or a name that no folder can have.
            return ()
        return [folder + each for each in names]

    def _studio(self) -> "Studio | None":
        """Return the studio if there is one and its ledger exists: TAB creates neither."""
        studio = self._session.known_studio()
        return studio if studio is not None and studio.settings.ledger_path.exists() else None

    def _cache(self) -> "CatalogueCache | None":
        try:
            settings = self._session.settings()
        except ZooopError:
            # A setting that cannot be used: the next line that is run reports it.
            return None
        from zooop_nb.orders.catalogue import CatalogueCache

        return CatalogueCache(settings.host, settings.cache_path)
