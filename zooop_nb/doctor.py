"""The diagnosis: whether orders can be placed from here, and if not, whose problem it is."""

import asyncio
import importlib.metadata
import importlib.util
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from zooop_nb._version import __version__
from zooop_nb.client.diagnosis import ConnectionCheck, Finding, Verdict, verdict
from zooop_nb.errors import Action, Remedy, ZooopError, python_words, remedy
from zooop_nb.ledger import Ledger
from zooop_nb.ledger.recovery import set_aside
from zooop_nb.settings import Settings
from zooop_nb.tasks import loop

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
"""What the sandbox imports, and the packages that provide it."""

_PACKAGES: Final = ("ipython", "ipykernel", "httpx", "msgspec", "pandas", "nest-asyncio2")
_MARKS: Final = {True: "ok", False: "WRONG", None: "note"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings, and whose problem it is."""

    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The documented rule applied to all findings."""
        return verdict(self.findings)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.verdict is Verdict.ALL_WELL

    def lines(self, words: Callable[[Iterable[Remedy]], str] = python_words) -> list[str]:
        """Return the verdict and a line per finding; `words` words the remedies for the reader's face."""
        said = {
            Verdict.ALL_WELL: "All well.",
            Verdict.IT_IS_YOU: "It is you: what is WRONG below is on this side.",
            Verdict.IT_IS_THEM: "It is them: ZOOOP's site is up, and its API keeps failing. An outage.",
        }
        width = max(len(each.name) for each in self.findings)
        lines = [said[self.verdict]]
        for each in self.findings:
            found = " ".join(filter(None, (each.detail, words(each.remedies))))
            lines.append(f"{_MARKS[each.ok]:<5}  {each.name:<{width}}  {found}")
        return lines


def examine(load: Callable[[], Settings], *, site: str | None = None) -> Diagnosis:
    """Check everything that an order needs. Nothing is ordered, and no credit moves.

    `load` returns the settings, or raises what is wrong with them; `site` replaces ZOOOP's own site.
    """
    try:
        settings = load()
    except ZooopError as error:
        wrong = Finding("settings", False, error.message, error.remedies)
        return Diagnosis((wrong, *_environment()))
    network = loop.shared().run(ConnectionCheck(settings, site=site).findings())
    return Diagnosis((_token(settings), *network, _ledger(settings), *_folders(settings), *_environment()))


def _token(settings: Settings) -> Finding:
    if settings.token is None:
        ways = (remedy(Action.CREATE_TOKEN), remedy(Action.SET_KEY), remedy(Action.TRY_SANDBOX))
        return Finding("token", False, "There is none.", ways)
    if settings.token.for_sandbox:
        return Finding("token", True, "A sandbox's.")
    if not settings.token.looks_live:
        # The API's response decides.
        return Finding(
            "token", None, "It does not look like zpk_live_ and 32 characters; was it copied whole?"
        )
    return Finding("token", True, "There is one.")


def _ledger(settings: Settings) -> Finding:
    path = settings.ledger_path
    try:
        ledger = Ledger(path)
    except ZooopError as error:
        return Finding("ledger", False, error.message, error.remedies)
    try:
        ledger.check()
        count = len(ledger.unfinished())
    except ZooopError as error:
        return Finding("ledger", False, error.message, error.remedies)
    finally:
        ledger.close()
    said = [str(path), f"{path.stat().st_size / 1e6:.1f} MB"]
    if count:
        said.append(f"{count} {'order' if count == 1 else 'orders'} unfinished")
    aside = set_aside(path)
    notes = ["quick check passed"]
    if ledger.journal == "wal":
        notes.insert(0, "WAL")
    else:
        no_locks = "its file system has no working locks. Safe, and slower"
        notes.insert(0, f"a rollback journal ({ledger.journal}): {no_locks}")
    if aside:
        notes.append(f"set aside beside it: {', '.join(each.name for each in aside)}")
    ok = True if ledger.journal == "wal" and not aside else None
    return Finding("ledger", ok, f"{', '.join(said)}; {'; '.join(notes)}.")


def _folders(settings: Settings) -> Iterator[Finding]:
    for name, path in (("home", settings.cache_path), ("media", settings.media_path)):
        try:
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                pass
        except OSError as error:
            choose = remedy(Action.CHOOSE_FOLDER, variable=f"ZOOOP_NB_{name.upper()}")
            yield Finding(name, False, f"{path} cannot be written: {error}.", (choose,))
        else:
            yield Finding(name, True, str(path))


def _environment() -> Iterator[Finding]:
    missing = [
        package for module, package in SANDBOX_MODULES.items() if importlib.util.find_spec(module) is None
    ]
    if missing:
        said = f"Not installed: {', '.join(missing)}. Only the sandbox needs it."
        yield Finding("sandbox", None, said, (remedy(Action.INSTALL, package="zooop-nb[sandbox]"),))
    else:
        yield Finding("sandbox", True, "Its packages are installed.")
    yield nested_loops()
    found = [f"{name} {version}" for name in _PACKAGES if (version := _version(name))]
    python = f"Python {platform.python_version()} on {platform.system()}, SQLite {sqlite3.sqlite_version}"
    yield Finding("versions", True, f"zooop-nb {__version__}, {python}, {', '.join(found)}")


def nested_loops() -> Finding:
    """Return whether something makes a kernel lose the cells that are queued behind a running one."""
    # Both set this mark; nest_asyncio2, if it was applied first, sets one of its own as well.
    if hasattr(asyncio, "_nest_patched") and not hasattr(asyncio, "_nest_asyncio2"):
        first = "before nest_asyncio2 " if "nest_asyncio2" in sys.modules else ""
        return Finding(
            "nested loops",
            False,
            f"nest_asyncio (without the 2) was applied {first}here: cells that are queued can be lost.",
            (remedy(Action.RESTART_KERNEL),),
        )
    return Finding("nested loops", True, "nest_asyncio is not applied.")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
