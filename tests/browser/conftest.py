"""A real JupyterLab with a sandbox beside it, as `make lab` starts it, in a real browser."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    url: str
    token: str
    folder: Path

    def open(self, page: Page, notebook: str) -> None:
        """Open a notebook and wait for its kernel."""
        page.goto(f"{self.url}/lab/tree/{notebook}?token={self.token}")
        page.locator(".jp-NotebookPanel:visible .jp-Cell").first.wait_for(timeout=300_000)
        # "Run All" does nothing until the kernel is ready, which the status bar shows first.
        page.get_by_role("button", name="| Idle").wait_for(timeout=300_000)

    def run_all(self, page: Page, last: int) -> None:
        """Run all cells from the menu; return when the `last` execution is done."""
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        prompt = page.locator(".jp-InputArea-prompt", has_text=f"[{last}]:")
        expect(prompt.first).to_be_visible(timeout=400_000)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(root / "notebooks", folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "zooop_nb", "lab", "--notebooks", str(folder), "--no-browser"]
    options = [f"--ServerApp.port={port}", f"--IdentityProvider.token={token}", "--ServerApp.ip=127.0.0.1"]
    settings = folder.parent / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    # No question about news, and no network requests.
    quiet = '{"fetchNews": "false", "checkForUpdates": false}'
    (settings / "notification.jupyterlab-settings").write_text(quiet)
    # `lab` drops our own settings, so the user's folders are moved by the system's variables.
    folders = {name: str(folder.parent / name) for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME")}
    environment = os.environ | folders | {"JUPYTERLAB_SETTINGS_DIR": str(folder.parent / "settings")}
    log = (folder.parent / "lab.log").open("w+")
    command += [*options, "--allow-root"]
    with subprocess.Popen(command, stdout=log, stderr=log, env=environment) as server:
        try:
            _wait_until_served(f"http://127.0.0.1:{port}/api?token={token}", server, log.name)
            yield Lab(f"http://127.0.0.1:{port}", token, folder)
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
            log.close()


def _wait_until_served(url: str, server: "subprocess.Popen[bytes]", log: str) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{Path(log).read_text()[-3000:]}")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    # No longer than its module: while it is open, Playwright's loop counts as running on this thread, and no
    # other test of the worker could call asyncio.run().
    # As root, Chromium needs --no-sandbox; the other options keep it off the network.
    arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    arguments += ["--disable-sync", "--disable-gpu", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments, timeout=300_000)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tall page: JupyterLab draws only the cells that are in view."""
    context = browser.new_context(viewport={"width": 1280, "height": 7000})
    context.set_default_timeout(300_000)
    page = context.new_page()
    yield page
    context.close()
