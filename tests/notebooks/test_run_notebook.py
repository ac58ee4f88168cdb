"""`zooop-nb demo` runs a notebook in a kernel of its own and keeps nothing private."""

import os
from pathlib import Path

import nbformat
import pytest

from zooop_nb.cli import run_notebook
from zooop_nb.errors import DemoFailed


def notebook(folder: Path, *cells: str) -> Path:
    path = folder / "a.ipynb"
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(node, path)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_a_notebook_is_written_executed_and_as_html(tmp_path: Path, out: Path) -> None:
    source = notebook(tmp_path, "import os; os.environ['ZOOOP_NB_NOTEBOOK'].upper()", "os.getcwd()")
    before = source.read_bytes()
    ipynb, html = run_notebook(source, out, {**os.environ, "ZOOOP_NB_NOTEBOOK": "it ran"})
    first, second = nbformat.read(ipynb, as_version=4).cells
    assert first.outputs[0]["data"]["text/plain"] == "'IT RAN'"
    assert second.outputs[0]["data"]["text/plain"] == repr(str(tmp_path))
    assert "IT RAN" in html.read_text("utf-8")
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("private", "named"),
    [
        ("'zpk_' + 'test_' + 'a' * 24", "a token"),
        ("'http://127.0.0.1:' + '8000/media/1.webp'", "the address http://127.0.0.1:8000"),
        ("'http://localhost:' + '8000'", "the address http://localhost:8000"),
    ],
)
def test_an_output_with_a_token_or_an_address_of_this_machine_is_not_written(
    private: str, named: str, tmp_path: Path, out: Path
) -> None:
    with pytest.raises(DemoFailed, match=named) as refused:
        run_notebook(notebook(tmp_path, f"print({private})"), out, os.environ)
    assert "zpk_" not in str(refused.value)
    assert list(out.iterdir()) == []


def test_a_cell_that_fails_is_named_and_what_was_done_is_kept(tmp_path: Path, out: Path) -> None:
    with pytest.raises(DemoFailed, match=r"a\.ipynb stopped") as stopped:
        run_notebook(notebook(tmp_path, "print('before')", "1 / 0"), out, os.environ)
    assert "ZeroDivisionError" in str(stopped.value)
    kept = nbformat.read(out / "a.ipynb", as_version=4)
    assert kept.cells[0].outputs[0]["text"] == "before\n"
    assert not (out / "a.html").exists()
