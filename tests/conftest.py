"""Fixtures for every test: no setting leaks in, and nothing is written to the user's folders.

pytest-socket's options in pyproject.toml ensure that no test connects to another machine.
"""

import importlib
import importlib.metadata
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
HTTPX = os.environ.get("TEST_HTTPX", "httpx")
"""The HTTP library that this process tests the client on: `httpx` or `httpx2`."""
if HTTPX == "httpx2":
    # Here and not in a hook, because the other conftest.py import httpx before any hook runs.
    importlib.import_module("httpx2").alias_httpx()


def pytest_report_header() -> str:
    return "tested with: " + ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("pandas", HTTPX)
    )


def pytest_configure() -> None:
    # Before any fixture runs, so that sandboxes of wider scopes do not see the variables either.
    for name in [name for name in os.environ if name.startswith(("ZOOOP_", "IPYTHON", "JUPYTER_"))]:
        del os.environ[name]
    # A shell starts its background jobs with SIGINT ignored; the tests of interrupts send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A loaded machine is slow, and that is no failure.
    hypothesis.settings.register_profile("zooop", deadline=None)
    hypothesis.settings.load_profile("zooop")


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Create this run's own folders for what IPython, Jupyter and the package would write to the user's."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOOOP_NB_HOME", str(home / "zooop-nb"))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("JUPYTER_CONFIG_DIR", str(home / "jupyter"))
        patch.setenv("JUPYTER_DATA_DIR", str(home / "jupyter-data"))
        yield


@pytest.fixture(autouse=True)
def clean_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Start each test without settings, in its own ZOOOP_NB_HOME; return that folder."""
    for name in [name for name in os.environ if name.startswith("ZOOOP_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "zooop-nb"
    monkeypatch.setenv("ZOOOP_NB_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def httpx_name() -> str:
    """The package that `import httpx` is to find in this process."""
    return HTTPX


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the repository's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the distribution's Chromium. If it is missing, skip the test, or fail it in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        text = "Chromium is not installed (on Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    return found
