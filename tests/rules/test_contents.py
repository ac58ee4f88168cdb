"""What files hold is read once, and read anew when they have changed, however little it shows."""

import asyncio
import hashlib
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.samples import picture
from zooop_nb.orders import contents
from zooop_nb.orders.contents import FileContents

_opened: Counter[str] = Counter()
_hooked: list[bool] = []


def _count(event: str, given: tuple[Any, ...]) -> None:
    if event == "open" and _hooked[-1]:
        _opened[str(given[0])] += 1


@pytest.fixture
def opened() -> Iterator[Counter[str]]:
    """How often each file was opened since the test began; an audit hook can be silenced, not removed."""
    if not _hooked:
        _hooked.append(False)
        sys.addaudithook(_count)
    _opened.clear()
    _hooked[-1] = True
    yield _opened
    _hooked[-1] = False


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A picture that was written a while ago."""
    path = tmp_path / "panda.png"
    path.write_bytes(picture())
    old(path)
    return path


def old(path: Path, seconds: float = 3600) -> None:
    """Backdate the file's last change."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_read_once_by_however_many(file: Path, opened: Counter[str]) -> None:
    held = FileContents()

    async def scene() -> None:
        digests = await asyncio.gather(*(held.sha256(file) for _ in range(20)))
        assert len(set(digests)) == 1
        assert await held.sha256(file) == digests[0]

    asyncio.run(scene())
    assert opened[str(file)] == 1


def test_a_picture_is_decoded_once_for_its_content_wherever_it_lies(
    file: Path, tmp_path: Path, opened: Counter[str]
) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes(file.read_bytes())
    digest = sha256(file)
    opened.clear()
    held = FileContents()

    async def scene() -> None:
        paths = [file, copy] * 10
        assert set(await asyncio.gather(*(held.unreadable(each, digest) for each in paths))) == {None}

    asyncio.run(scene())
    assert opened[str(file)] + opened[str(copy)] == 1


def test_a_picture_that_cannot_be_decoded_says_why(tmp_path: Path) -> None:
    half = tmp_path / "half.png"
    half.write_bytes(picture()[:60])
    assert asyncio.run(FileContents().unreadable(half, sha256(half)))


@pytest.mark.parametrize("how", ["in place", "in place, its time kept", "replaced", "a link to another"])
def test_a_changed_file_of_the_same_size_is_noticed(file: Path, tmp_path: Path, how: str) -> None:
    held, path = FileContents(), file
    if how == "a link to another":
        path = tmp_path / "link"
        path.symlink_to(file)
    before = asyncio.run(held.sha256(path))
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    other = bytes(byte ^ 1 for byte in file.read_bytes())
    if how == "a link to another":
        target = tmp_path / "other.png"
        target.write_bytes(other)
        os.utime(target, ns=times)
        path.unlink()
        path.symlink_to(target)
    elif how == "replaced":
        new = tmp_path / "new"
        new.write_bytes(other)
        os.utime(new, ns=times)
        new.replace(file)
    else:
        file.write_bytes(other)
        if how != "in place":
            os.utime(file, ns=times)
    after = asyncio.run(held.sha256(path))
    assert after == sha256(path) != before


def test_a_file_that_was_just_written_is_read_each_time_for_its_times_cannot_be_relied_on(
    file: Path, opened: Counter[str]
) -> None:
    held = FileContents()
    old(file, seconds=contents.UNRELIABLE / 2)
    for _ in range(2):
        asyncio.run(held.sha256(file))
    assert opened[str(file)] == 2
    # A clock that is behind the file server's.
    old(file, seconds=-3600)
    for _ in range(2):
        asyncio.run(held.sha256(file))
    assert opened[str(file)] == 4


def test_the_oldest_are_forgotten(file: Path, tmp_path: Path, opened: Counter[str]) -> None:
    held = FileContents()
    files = [tmp_path / str(number) for number in range(contents.REMEMBERED)]
    for each in files:
        each.write_bytes(b"x")
        old(each)
    opened.clear()

    async def scene() -> None:
        for each in (file, *files, files[-1], file):
            await held.sha256(each)

    asyncio.run(scene())
    assert opened[str(files[-1])] == 1
    assert opened[str(file)] == 2


def test_a_missing_file_is_an_error_and_no_file_afterwards_is_none(tmp_path: Path) -> None:
    held, path = FileContents(), tmp_path / "late.png"
    with pytest.raises(FileNotFoundError):
        asyncio.run(held.sha256(path))
    path.write_bytes(b"here")
    assert asyncio.run(held.sha256(path)) == sha256(path)
