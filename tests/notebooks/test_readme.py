"""The README's cells run as they stand there, in their order, on the sandbox."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from zooop_nb.sandbox.process import SandboxProcess

CELL = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(speed=0) as sandbox:
        yield sandbox


def cells(readme: str) -> list[str]:
    """Return the code blocks, except those of `ipython_config.py`."""
    blocks = CELL.findall(readme)
    return [body for kind, body in blocks if kind in {"", "python"} and not body.startswith("c.")]


def test_every_cell_of_the_readme_runs(
    root: Path, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOOOP_API_HOST", sandbox.url)
    monkeypatch.setenv("ZOOOP_API_KEY", sandbox.token)
    found = cells((root / "README.md").read_text(encoding="utf-8"))
    assert len(found) >= 6
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        for cell in found:
            reply = client.execute_interactive(cell, timeout=120, output_hook=lambda _: None)
            assert reply["content"]["status"] == "ok", f"{cell}\n{reply['content'].get('evalue')}"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)


def test_the_line_for_ipython_config_makes_the_magic_known_without_load_ext(root: Path) -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    readme = (root / "README.md").read_text(encoding="utf-8")
    line = next(body for _, body in CELL.findall(readme) if body.startswith("c."))
    config = Config()
    exec(line, {"c": config})  # the README's own line
    shell: Any = InteractiveShell(config=config)  # type: ignore[no-untyped-call]

    assert shell.run_cell("%zooop help").success
    shell.run_line_magic("unload_ext", "zooop_nb")
