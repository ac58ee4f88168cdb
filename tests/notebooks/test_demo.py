"""`zooop-nb demo`, whole: the quickstart on a local ZOOOP, from the command to what it tells."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest


@pytest.mark.timeout(300)
def test_the_demo_runs_the_quickstart_and_tells_what_was_made_and_what_it_cost(
    root: Path, tmp_path: Path
) -> None:
    live = {"ZOOOP_API_KEY": "not-a-token-of-the-sandbox", "ZOOOP_API_HOST": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-m", "zooop_nb", "demo", "--speed", "0", "--out", str(tmp_path / "build")],
        cwd=root,
        env={**os.environ, **live},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^\S.*?  +(\d+)  +(\S+)$", done.stdout, re.MULTILINE)
    assert rows
    assert sum(int(credits) for credits, _ in rows) == int(
        re.search(r"^(\d+) credits in all", done.stdout, re.MULTILINE)[1]  # type: ignore[index]
    )
    for _, path in rows:
        assert Path(path).stat().st_size > 0
    executed = nbformat.read(tmp_path / "build" / "01-quickstart.ipynb", as_version=4)
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")
    assert "image/" in (tmp_path / "build" / "01-quickstart.html").read_text("utf-8")
