"""The rules of the diagnosis: who is at fault, which site to check, what the sandbox needs."""

import ast
import asyncio
import importlib.metadata
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from zooop_nb.client.diagnosis import SITE, Finding, Verdict, site_for, verdict
from zooop_nb.doctor import SANDBOX_MODULES, nested_loops

SITE_UP, SITE_AWAY = Finding("site", True, ""), Finding("site", False, "")
API_UP, API_FAILS = Finding("api", True, ""), Finding("api", False, "", failing=True)
ME_FAILS = Finding("token at the API", False, "", failing=True)
BAD_TOKEN = Finding("token at the API", False, "")


@pytest.mark.parametrize(
    ("findings", "whose"),
    [
        ([], Verdict.ALL_WELL),
        ([API_UP], Verdict.ALL_WELL),
        ([SITE_UP, API_UP], Verdict.ALL_WELL),
        ([SITE_UP, API_UP, Finding("ledger", None, "")], Verdict.ALL_WELL),
        ([SITE_UP, API_FAILS], Verdict.IT_IS_THEM),
        ([SITE_UP, API_UP, ME_FAILS], Verdict.IT_IS_THEM),
        ([SITE_UP, API_FAILS, Finding("ledger", False, "")], Verdict.IT_IS_THEM),
        ([SITE_AWAY, API_FAILS], Verdict.IT_IS_YOU),
        ([API_FAILS], Verdict.IT_IS_YOU),
        ([SITE_UP, API_UP, BAD_TOKEN], Verdict.IT_IS_YOU),
        ([SITE_UP, API_UP, Finding("ledger", False, "")], Verdict.IT_IS_YOU),
    ],
)
def test_an_outage_is_said_only_where_the_site_is_up_and_the_api_keeps_failing(
    findings: list[Finding], whose: Verdict
) -> None:
    assert verdict(findings) is whose


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("https://api.zooop.ai", SITE),
        ("https://zooop.ai", SITE),
        ("http://127.0.0.1:8000", None),
        ("http://localhost:8000", None),
        ("https://api.example.org", None),
        ("https://notzooop.ai", None),
    ],
)
def test_zooops_site_is_asked_about_zooops_own_hosts_alone(host: str, site: str | None) -> None:
    assert site_for(host) == site


def test_the_packages_that_are_looked_for_are_those_that_only_the_sandbox_imports(root: Path) -> None:
    imported: set[str] = set()
    for file in (root / "zooop_nb" / "sandbox").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    owners = importlib.metadata.packages_distributions()
    everybodys = {re.match(r"[\w-]+", each)[0] for each in project["dependencies"]}  # type: ignore[index]
    foreign = imported - sys.stdlib_module_names - {"zooop_nb"}
    only = {name for name in foreign if everybodys.isdisjoint(each.lower() for each in owners[name])}
    assert set(SANDBOX_MODULES) == only
    declared = " ".join(project["optional-dependencies"]["sandbox"])
    assert all(package in declared for package in SANDBOX_MODULES.values())


NEST_ASYNCIO = """
def apply(loop=None):
    import asyncio
    if not hasattr(asyncio, "_nest_patched"):
        asyncio._nest_patched = True
"""
"""A stand-in with the traces that nest_asyncio leaves; the package is archived and not a dependency."""


@pytest.mark.parametrize(
    ("first", "ok"),
    [
        ("pass", True),
        ("import nest_asyncio2; nest_asyncio2.apply()", True),
        ("import nest_asyncio2; nest_asyncio2.apply(); import nest_asyncio; nest_asyncio.apply()", True),
        ("import nest_asyncio; nest_asyncio.apply()", False),
        ("import nest_asyncio; nest_asyncio.apply(); import nest_asyncio2; nest_asyncio2.apply()", False),
    ],
)
def test_nest_asyncio_is_found_where_it_was_applied_first(first: str, ok: bool, tmp_path: Path) -> None:
    (tmp_path / "nest_asyncio.py").write_text(NEST_ASYNCIO)
    script = textwrap.dedent(
        f"""
        import asyncio, warnings
        warnings.simplefilter("ignore")
        asyncio.set_event_loop(asyncio.new_event_loop())
        {first}
        from zooop_nb.doctor import nested_loops
        print(nested_loops().ok, "before nest_asyncio2" in nested_loops().detail)
        """
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == [str(ok), str(not ok and "nest_asyncio2" in first)], done.stderr


def test_this_process_has_no_nest_asyncio() -> None:
    assert not hasattr(asyncio, "_nest_patched") or hasattr(asyncio, "_nest_asyncio2")
    assert nested_loops().ok
