"""`doctor`: whether orders can be made from here, and if not, whose it is. Findings are data for a face."""

import asyncio
import importlib.metadata
import importlib.util
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from zooop_nb._version import __version__
from zooop_nb.client.diagnosis import Doctor, Finding, Verdict, verdict
from zooop_nb.errors import ZooopError
from zooop_nb.ledger import Ledger
from zooop_nb.settings import Settings
from zooop_nb.tasks import loop as engine

SANDBOX_MODULES: Final = {
    "av": "av",
    "espeakng_loader": "espeakng-loader",
    "numpy": "numpy",
    "pyrate_limiter": "pyrate-limiter",
    "yaml": "pyyaml",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "vtracer": "vtracer",
}
"""What the sandbox imports, and the packages that bring it."""

_PACKAGES: Final = ("ipython", "ipykernel", "httpx", "msgspec", "pandas", "nest-asyncio2")
_MARKS: Final = {True: "ok", False: "WRONG", None: "note"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found, and whose it is."""

    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The documentation's rule over all findings."""
        return verdict(self.findings)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.verdict is Verdict.ALL_WELL

    def lines(self) -> list[str]:
        """The verdict, and a line for each finding."""
        said = {
            Verdict.ALL_WELL: "All well.",
            Verdict.IT_IS_YOU: "It is you: what is WRONG below is on this side.",
            Verdict.IT_IS_THEM: "It is them: ZOOOP's site is up, and its API keeps failing. An outage.",
        }
        width = max(len(each.name) for each in self.findings)
        lines = [said[self.verdict]]
        for each in self.findings:
            found = " ".join(filter(None, (each.detail, each.remedy)))
            lines.append(f"{_MARKS[each.ok]:<5}  {each.name:<{width}}  {found}")
        return lines


def examine(load: Callable[[], Settings], *, site: str | None = None) -> Diagnosis:
    """Look at everything that an order needs. `load` gives the settings, or raises what is wrong with them;
    `site` stands in for ZOOOP's own. Nothing is ordered, and no credit moves."""
    try:
        settings = load()
    except ZooopError as error:
        return Diagnosis((Finding("settings", False, str(error)), *_environment()))
    network = engine.shared().run(_network(settings, site))
    return Diagnosis((_token(settings), *network, _ledger(settings), *_folders(settings), *_environment()))


async def _network(settings: Settings, site: str | None) -> Sequence[Finding]:
    return await Doctor(settings, site=site).findings()


def _token(settings: Settings) -> Finding:
    if settings.token is None:
        return Finding(
            "token",
            False,
            "There is none.",
            "Create one at https://zooop.ai/user#apiKeys with a daily credit cap, and set ZOOOP_API_KEY in "
            "your own terminal. To try it free: `%zooop sandbox`.",
        )
    if settings.token.for_sandbox:
        return Finding("token", True, "A sandbox's.")
    if not settings.token.looks_live:
        # What the API says of it decides.
        return Finding(
            "token", None, "It does not look like zpk_live_ and 32 characters; was it copied whole?"
        )
    return Finding("token", True, "There is one.")


def _ledger(settings: Settings) -> Finding:
    path = settings.ledger_path
    try:
        ledger = Ledger(path)
    except ZooopError as error:
        return Finding("ledger", False, str(error))
    journal, count = ledger.journal, len(ledger.unfinished())
    ledger.close()
    said = f"{path}, {count} orders unfinished" if count else f"{path}"
    if journal == "wal":
        return Finding("ledger", True, f"{said}; WAL.")
    why = (
        f"{said}; a rollback journal ({journal}), for its file system has no working locks: safe, and slower."
    )
    return Finding("ledger", None, why)


def _folders(settings: Settings) -> Iterator[Finding]:
    for name, path in (("home", settings.cache_path), ("media", settings.media_path)):
        try:
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                pass
        except OSError as error:
            variable = f"ZOOOP_NB_{name.upper()}"
            yield Finding(
                name, False, f"{path} cannot be written: {error}.", f"Set {variable} to a folder of yours."
            )
        else:
            yield Finding(name, True, str(path))


def _environment() -> Iterator[Finding]:
    missing = [
        package for module, package in SANDBOX_MODULES.items() if importlib.util.find_spec(module) is None
    ]
    if missing:
        install = "Only the sandbox needs it: pip install 'zooop-nb[sandbox]'."
        yield Finding("sandbox", None, f"Not installed: {', '.join(missing)}.", install)
    else:
        yield Finding("sandbox", True, "Its packages are installed.")
    yield nested_loops()
    found = [f"{name} {version}" for name in _PACKAGES if (version := _version(name))]
    python = f"Python {platform.python_version()} on {platform.system()}, SQLite {sqlite3.sqlite_version}"
    yield Finding("versions", True, f"zooop-nb {__version__}, {python}, {', '.join(found)}")


def nested_loops() -> Finding:
    """Whether something makes a kernel lose the cells that are queued behind a running one."""
    # Both leave the one mark; nest_asyncio2, where it came first, leaves its own as well.
    if hasattr(asyncio, "_nest_patched") and not hasattr(asyncio, "_nest_asyncio2"):
        first = "before nest_asyncio2 " if "nest_asyncio2" in sys.modules else ""
        return Finding(
            "nested loops",
            False,
            f"nest_asyncio (without the 2) was applied {first}here: cells that are queued can be lost.",
            "Restart the kernel and leave it out; `%zooop config nested_loops=on` does what it did.",
        )
    return Finding("nested loops", True, "nest_asyncio is not applied.")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
