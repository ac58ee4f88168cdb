"""Where the outputs of earlier orders are: beside the ledger that moved, or where they always were."""

import pickle
from pathlib import Path

import pytest

from tests.support.orders import an_order
from zooop_nb.results.values import Output, Result, media_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A media folder with one output, `o1/1.png`."""
    made = tmp_path / "media" / "o1" / "1.png"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"picture")
    return tmp_path / "media"


def test_a_relative_path_is_in_the_folder_in_force_there_or_not(folder: Path, tmp_path: Path) -> None:
    assert media_file("o1/1.png", folder) == folder / "o1" / "1.png"
    assert media_file("o2/1.png", folder) == folder / "o2" / "1.png"
    moved = folder.rename(tmp_path / "moved")
    assert media_file("o1/1.png", moved) == moved / "o1" / "1.png"


def test_an_absolute_path_counts_while_its_file_is_there(folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "old" / "o1" / "1.png"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"picture")
    assert media_file(str(old), folder) == old
    old.unlink()
    assert media_file(str(old), folder) == folder / "o1" / "1.png"
    gone = tmp_path / "old" / "o2" / "1.png"
    assert media_file(str(gone), folder) == gone, "nowhere: said as it was"


def test_a_result_of_a_moved_home_has_its_files_and_is_a_plain_value(folder: Path, tmp_path: Path) -> None:
    held = ({"url": "https://zooop.ai/1.png", "path": "o1/1.png"}, {"url": "https://zooop.ai/2.png"})
    moved = folder.rename(tmp_path / "moved")
    record = an_order(order_id="o1", outputs=held)
    result = Result.of(record, moved)
    assert [each.path for each in result.outputs] == [moved / "o1" / "1.png", None]
    assert result.path is not None
    assert result.path.read_bytes() == b"picture"
    assert pickle.loads(pickle.dumps(result)) == result
    assert result.outputs[0] == Output("https://zooop.ai/1.png", path=moved / "o1" / "1.png")
