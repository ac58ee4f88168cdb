"""The command line's own rules: exit codes, and the table at the end of the demo."""

import subprocess
import sys
from pathlib import Path

import pytest

from zooop_nb import __version__
from zooop_nb.cli import main, table


def test_a_table_lines_its_columns_up_and_leaves_the_last_one_alone() -> None:
    assert table(("made with", "credits"), [("Flux", "4"), ("A longer name", "12")]) == (
        "made with      credits\n---------      -------\nFlux           4\nA longer name  12"
    )


def test_a_cell_of_several_lines_takes_several() -> None:
    assert table(("model", "path"), [("Flux", "a.jpg\nb.jpg"), ("Veo", "c.mp4")]).splitlines()[2:] == [
        "Flux   a.jpg",
        "       b.jpg",
        "Veo    c.mp4",
    ]


def test_a_table_without_rows_has_its_heads() -> None:
    assert table(("model", "path"), []) == "model  path\n-----  ----"


def test_missing_notebooks_end_with_code_1_and_one_line_that_names_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--notebooks", str(tmp_path / "nowhere")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"zooop-nb: There is no 01-quickstart.ipynb in {tmp_path / 'nowhere'}.")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["fly"], ["demo", "--fly"], ["demo", "--speed", "fast"]])
def test_bad_usage_ends_with_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage: zooop-nb" in capsys.readouterr().err


def test_the_sandbox_has_a_command_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["sandbox", "--help"])
    assert left.value.code == 0
    assert "--world" in capsys.readouterr().out


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zooop_nb", "--version"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, f"zooop-nb {__version__}\n")
