"""Telling a live process from a dead one."""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zooop_nb.errors import LedgerError
from zooop_nb.ledger.liveness import STALE_AFTER, ProcessLock, current

HOLDER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zooop_nb.ledger.liveness import ProcessLock
session = ProcessLock(Path(sys.argv[1]))
print(session.id, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("kill", [False, True], ids=["ended", "killed"])
def test_another_process_is_alive_until_it_ends_however_that_is(tmp_path: Path, kill: bool) -> None:
    mine = ProcessLock(tmp_path)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    session_id = other.stdout.readline().strip()
    assert mine.is_alive(session_id)
    assert mine.is_alive(session_id), "asking changes nothing"
    if kill:
        other.kill()
        other.wait()
    else:
        other.communicate("", timeout=30)
    other.communicate()
    assert not mine.is_alive(session_id)


def test_a_session_is_alive_to_itself_and_to_others_until_it_is_closed(tmp_path: Path) -> None:
    one, other = ProcessLock(tmp_path), ProcessLock(tmp_path)
    assert one.id != other.id
    assert one.is_alive(one.id)
    assert other.is_alive(one.id)
    one.close()
    assert not other.is_alive(one.id)
    assert not other.is_alive("never was")


def test_many_that_look_at_once_do_not_take_each_other_for_the_dead_session(tmp_path: Path) -> None:
    dead = ProcessLock(tmp_path)
    dead.close()
    (tmp_path / f"{dead.id}.lock").touch()
    others = [ProcessLock(tmp_path) for _ in range(8)]

    with ThreadPoolExecutor(len(others)) as pool:
        seen = list(pool.map(lambda other: [other.is_alive(dead.id) for _ in range(25)], others))

    assert not any(alive for one in seen for alive in one)


def test_files_of_the_long_dead_are_swept_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    alive = ProcessLock(tmp_path)
    dead, fresh = tmp_path / "dead.lock", tmp_path / "fresh.lock"
    for file in (dead, fresh, tmp_path / f"{alive.id}.lock"):
        file.touch()
    for file in (dead, tmp_path / f"{alive.id}.lock"):
        os.utime(file, (0, file.stat().st_mtime - STALE_AFTER - 60))
    other = ProcessLock(tmp_path)
    assert not dead.exists()
    assert fresh.exists()
    assert other.is_alive(alive.id)


def test_a_process_has_one_session_a_folder(tmp_path: Path) -> None:
    assert current(tmp_path / "a") is current(tmp_path / "a")
    assert current(tmp_path / "a") is not current(tmp_path / "b")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_a_session_of_its_own(tmp_path: Path) -> None:
    mine = current(tmp_path)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, current(tmp_path).id.encode())
        os._exit(0)
    os.close(write)
    theirs = os.read(read, 100).decode()
    os.close(read)
    os.waitpid(child, 0)
    assert theirs
    assert theirs != mine.id
    assert mine.is_alive(mine.id)


def test_a_lock_file_that_a_cleaner_removed_is_made_again(tmp_path: Path) -> None:
    mine, other = current(tmp_path), ProcessLock(tmp_path / "sessions")
    file = tmp_path / "sessions" / f"{mine.id}.lock"
    file.unlink()
    assert not other.is_alive(mine.id)
    assert current(tmp_path) is mine
    assert other.is_alive(mine.id)
    shutil.rmtree(tmp_path / "sessions")
    assert current(tmp_path) is mine
    assert other.is_alive(mine.id)


def test_a_lock_file_is_kept_young_for_cleaners_that_go_by_age(tmp_path: Path) -> None:
    mine = current(tmp_path)
    file = tmp_path / "sessions" / f"{mine.id}.lock"
    os.utime(file, (0, 0))
    current(tmp_path)
    assert time.time() - file.stat().st_mtime < 60


@pytest.mark.skipif(os.name != "posix", reason="permissions of another kind")
def test_a_process_whose_lock_cannot_be_looked_at_counts_as_alive(tmp_path: Path) -> None:
    mine = ProcessLock(tmp_path)
    # A link to itself cannot be opened, whoever asks.
    (tmp_path / "odd.lock").symlink_to(tmp_path / "odd.lock")
    assert mine.is_alive("odd")


def test_a_folder_without_locks_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("a file, where the folder of the locks would be")
    with pytest.raises(LedgerError, match=r"sessions.*Nothing is ordered.*ZOOOP_NB_LEDGER"):
        current(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_closes_its_locks_does_not_release_its_parents(tmp_path: Path) -> None:
    mine, other = ProcessLock(tmp_path), ProcessLock(tmp_path)
    child = os.fork()
    if child == 0:
        mine.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert other.is_alive(mine.id)
    assert (tmp_path / f"{mine.id}.lock").exists()
