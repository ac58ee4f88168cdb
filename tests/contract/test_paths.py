"""A relative home names one folder, wherever the process goes: the ledger is found again."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.conftest import CHEAP, MAIN
from tests.support.sandbox_harness import SandboxHarness
from tests.support.scripted_frontend import ScriptedFrontend
from zooop_nb.studio import Studio


def test_a_cell_that_is_run_again_in_another_folder_finds_its_order(
    books: SandboxHarness,
    front: ScriptedFrontend,
    faults: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there, other = tmp_path / "there", tmp_path / "other"
    there.mkdir()
    other.mkdir()
    monkeypatch.chdir(there)
    for name, value in {
        "ZOOOP_API_HOST": books.url,
        "ZOOOP_API_KEY": MAIN,
        "ZOOOP_NB_HOME": "home-of-a-notebook",
    }.items():
        monkeypatch.setenv(name, value)
    front.run_cell("%zooop image a red panda", "first")
    first = Studio()
    faults({"method": "GET", "path": "/v1/tasks/*", "do": {"status": 503}, "times": 99})
    first.start("image", "a red panda", model=CHEAP).accepted()
    # What it follows is let go.
    first.close()
    faults()
    os.chdir(other)
    front.run_cell("%zooop image a red panda", "second")
    # As a cell may do that sets everything up again.
    monkeypatch.setenv("ZOOOP_NB_HOME", "home-of-a-notebook")
    second = Studio()
    result = second.image("a red panda", model=CHEAP)
    second.close()
    assert result.status == "succeeded"
    assert result.path is not None
    assert result.path.is_relative_to(there)
    assert len(books.tasks) == 1
    assert books.spent() == 1
    assert list(other.iterdir()) == []
