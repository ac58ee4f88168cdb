"""The ledger's file: what is deleted, replaced, damaged, locked or forked under its hands."""

import faulthandler
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.support.interrupts import ends_on_another_thread, interrupted_at_each_moment
from tests.support.orders import an_order, quoted, sent
from tests.support.waiting import until
from zooop_nb.errors import LedgerError
from zooop_nb.ledger import Ledger
from zooop_nb.ledger.record import now

posix = pytest.mark.skipif(os.name != "posix", reason="an open file can be neither deleted nor inherited")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    opened = Ledger(path)
    yield opened
    opened.close()


def orders_in(file: Path) -> set[str]:
    """What another process reads from a file."""
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA quick_check").fetchone()[0] == "ok"
        return {row[0] for row in db.execute("SELECT order_id FROM orders")}


def beside(path: Path, kind: str) -> list[Path]:
    return [each for each in path.parent.glob(f"*.{kind}-*") if each.suffix == ".sqlite"]


def free_for_others(path: Path) -> None:
    """Fails unless another connection can write at once."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")


# Where the file is.


def test_a_relative_path_stays_where_it_was_when_the_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "one")
    ledger = Ledger(Path("home/ledger.sqlite"))
    monkeypatch.chdir(tmp_path / "other")
    order = sent(ledger)
    assert len(ledger.frame()) == 1
    ledger.close()
    assert orders_in(tmp_path / "one" / "home" / "ledger.sqlite") == {order}
    assert list((tmp_path / "other").iterdir()) == []


@posix
@pytest.mark.parametrize("what", ["file", "file and log", "folder"])
def test_a_deleted_ledger_is_written_again_with_all_its_orders(ledger: Ledger, path: Path, what: str) -> None:
    first = sent(ledger)
    if what == "folder":
        shutil.rmtree(path.parent)
    else:
        path.unlink()
    if what == "file and log":
        for each in path.parent.glob("ledger.sqlite-*"):
            each.unlink()
    with pytest.warns(RuntimeWarning, match="deleted while it was open"):
        ledger.record_submission(first, "t1", "queued")
    second = sent(ledger)
    assert orders_in(path) == {first, second}
    assert Ledger(path).get(first).task_id == "t1"


@posix
def test_a_ledger_that_is_deleted_within_a_step_has_the_step_all_the_same(ledger: Ledger, path: Path) -> None:
    def delete(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO uploads VALUES ('t', 'h', 's', 'u', 'c', 1, 'now')")
        path.unlink()

    with pytest.warns(RuntimeWarning, match="deleted while it was open"):
        ledger._db.change(delete)
    assert Ledger(path).upload_url("t", "h", "s") == "u"


@posix
def test_a_moved_ledger_goes_on_under_its_name(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    first = sent(ledger)
    path.rename(tmp_path / "elsewhere.sqlite")
    with pytest.warns(RuntimeWarning, match="deleted while it was open"):
        second = sent(ledger)
    assert orders_in(path) == {first, second}


@posix
def test_a_replaced_ledger_is_rescued_and_said_before_anything_is_ordered(
    ledger: Ledger, path: Path, tmp_path: Path
) -> None:
    order = quoted(ledger)
    with closing(Ledger(tmp_path / "other.sqlite")) as other:
        theirs = sent(other)
    (tmp_path / "other.sqlite").replace(path)
    with pytest.raises(LedgerError, match=r"replaced.*rescued.*Nothing was ordered") as caught:
        ledger.record_intent(order, now())
    [rescued] = beside(path, "rescued")
    assert str(rescued) in caught.value.message
    assert str(path) in caught.value.message
    assert orders_in(rescued) == {order}
    ours = sent(ledger)
    assert orders_in(path) == {theirs, ours}
    assert beside(path, "rescued") == [rescued]


@posix
def test_a_replacement_that_holds_everything_is_simply_used(ledger: Ledger, path: Path) -> None:
    # What a synchronising tool does: a copy, renamed over the file.
    first = sent(ledger)
    copy = path.with_name("copy")
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(copy)) as new:
        db.backup(new)
    copy.replace(path)
    second = sent(ledger)
    assert orders_in(path) == {first, second}
    assert beside(path, "rescued") == []


@posix
def test_a_replacement_that_lacks_an_orders_last_state_is_not_silently_used(
    ledger: Ledger, path: Path
) -> None:
    order = sent(ledger)
    copy = path.with_name("copy")
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(copy)) as new:
        db.backup(new)
    ledger.record_submission(order, "t1", "queued")
    copy.replace(path)
    with pytest.raises(LedgerError, match="replaced"):
        ledger.get(order)
    assert ledger.get(order).task_id is None
    [rescued] = beside(path, "rescued")
    assert Ledger(rescued).get(order).task_id == "t1"


@posix
def test_a_replacement_that_is_no_ledger_is_left_alone_and_the_orders_are_rescued(
    ledger: Ledger, path: Path
) -> None:
    order = sent(ledger)
    path.unlink()
    path.write_text("my shopping list\n" * 100)
    with pytest.raises(LedgerError, match=r"rescued.*cannot be used"):
        quoted(ledger)
    for _ in range(2):
        with pytest.raises(LedgerError, match="cannot be used: file is not a database"):
            quoted(ledger)
    assert path.read_text().startswith("my shopping list")
    [rescued] = beside(path, "rescued")
    assert orders_in(rescued) == {order}


@posix
def test_an_interrupt_at_any_moment_of_a_replacement_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger(tmp_path / "other.sqlite")):
        pass
    ledger = Ledger(path)
    order = sent(ledger)
    original = path.with_name("original")
    path.rename(original)
    shutil.copy(tmp_path / "other.sqlite", path)

    def notice() -> None:
        with suppress(LedgerError):
            ledger.get(order)

    for _ in interrupted_at_each_moment(notice):
        if beside(path, "rescued"):
            break
    # Interrupted after the rescue, which is complete.
    assert [orders_in(each) for each in beside(path, "rescued")] == [{order}]
    ledger.close()


@posix
def test_a_deleted_log_costs_no_order(ledger: Ledger, path: Path) -> None:
    first = sent(ledger)
    for each in path.parent.glob("ledger.sqlite-*"):
        each.unlink()
    second = sent(ledger)
    assert orders_in(path) == {first, second}
    assert beside(path, "rescued") == []


@posix
def test_two_sessions_of_a_deleted_ledger_go_on_in_one_file(ledger: Ledger, path: Path) -> None:
    beside_it = Ledger(path)
    first, second = sent(ledger), sent(beside_it)
    path.unlink()
    with pytest.warns(RuntimeWarning, match="deleted while it was open"):
        third = sent(ledger)
    fourth = sent(beside_it)
    beside_it.close()
    assert orders_in(path) == {first, second, third, fourth}
    assert beside(path, "rescued") == []


def test_a_ledger_behind_a_link_stays_behind_it(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "scratch.sqlite")
    with closing(Ledger(path)) as ledger:
        order = sent(ledger)
    assert path.is_symlink()
    assert orders_in(tmp_path / "scratch.sqlite") == {order}


# The end of a session.


def copied_alone(path: Path, tmp_path: Path) -> set[str]:
    return orders_in(Path(shutil.copy(path, tmp_path / "copy.sqlite")))


def test_a_closed_ledger_is_one_file_that_holds_everything(path: Path, tmp_path: Path) -> None:
    other = Ledger(path)
    with closing(Ledger(path)) as ledger:
        order = sent(ledger)
    assert copied_alone(path, tmp_path) == {order}
    other.close()
    assert [each.name for each in path.parent.iterdir() if each.is_file()] == ["ledger.sqlite"]


def test_a_reader_in_the_way_does_not_keep_a_ledger_from_closing(path: Path) -> None:
    ledger = Ledger(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM orders").fetchall()
        order = sent(ledger)
        ledger.close()
    assert orders_in(path) == {order}


PROCESS = """
import sys
from pathlib import Path
from tests.support.orders import an_order, quoted, sent
from zooop_nb.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
order = sent(ledger)
"""


def python(code: str, path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS + code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_a_process_that_ends_leaves_one_file_that_holds_everything(path: Path, tmp_path: Path) -> None:
    out, err = python("print(order)", path).communicate()
    assert err == ""
    assert copied_alone(path, tmp_path) == {out.strip()}


def test_a_process_that_ends_beside_another_leaves_a_file_that_holds_everything(
    ledger: Ledger, path: Path, tmp_path: Path
) -> None:
    first = sent(ledger)
    out, _ = python("print(order)", path).communicate()
    assert copied_alone(path, tmp_path) == {first, out.strip()}


def test_a_home_that_is_gone_at_the_end_is_no_traceback(path: Path) -> None:
    _, err = python("import shutil; shutil.rmtree(ledger.path.parent)", path).communicate()
    assert "Traceback" not in err


# Damage.


def full(path: Path, count: int = 60) -> list[str]:
    """A ledger of several pages a table, closed."""
    with closing(Ledger(path)) as ledger:
        return [sent(ledger, cell="x" * 900) for _ in range(count)]


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 3 // 4)


def zero_a_page(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        page = db.execute("SELECT pageno FROM dbstat WHERE name = 'orders' AND pagetype = 'leaf'").fetchall()
        number = page[len(page) // 2][0]
    with path.open("r+b") as file:
        file.seek((number - 1) * 4096)
        file.write(bytes(4096))


def halve_the_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8)
        file.write(bytes(100))


def zero_the_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(4096))


DAMAGE = [truncate, zero_a_page, halve_the_header, zero_the_head]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda each: each.__name__)
def test_a_damaged_ledger_is_set_aside_and_goes_on_with_what_could_be_read(
    path: Path, damage: Callable[[Path], None]
) -> None:
    orders = full(path)
    damage(path)
    damaged = path.read_bytes()
    with pytest.raises(LedgerError, match=r"damaged.*set aside.*Nothing was ordered") as caught:
        Ledger(path).unfinished()
    [aside] = beside(path, "damaged")
    assert str(aside) in caught.value.message
    assert aside.read_bytes() == damaged
    with closing(Ledger(path)) as again:
        left = [each.order_id for each in again.unfinished()]
        assert f"{len(left)} orders" in caught.value.message
        assert set(left) <= set(orders)
        assert len(left) >= len(orders) // 3
        assert left == [each for each in orders if each in left], "in their order"
        another = sent(again)
    assert another in orders_in(path)
    assert beside(path, "damaged") == [aside]


def test_a_page_that_is_lost_costs_the_orders_of_that_page_alone(path: Path) -> None:
    orders = full(path, 200)
    zero_a_page(path)
    with pytest.raises(LedgerError):
        Ledger(path).unfinished()
    assert len(orders_in(path)) >= len(orders) - 10


def test_damage_in_an_open_ledger_is_met_and_the_next_call_works(path: Path) -> None:
    orders = full(path)
    ledger = Ledger(path)
    zero_a_page(path)
    with pytest.raises(LedgerError, match="damaged"):
        ledger.unfinished()
    assert len(ledger.unfinished()) >= len(orders) - 10
    ledger.release(sent(ledger))
    ledger.close()


def test_damage_that_the_dataframe_meets_is_set_aside_too(path: Path) -> None:
    orders = full(path)
    ledger = Ledger(path)
    zero_a_page(path)
    with pytest.raises(LedgerError, match="damaged"):
        ledger.frame()
    assert len(ledger.frame()) >= len(orders) - 10
    ledger.close()


@posix
def test_a_ledger_emptied_while_it_is_open_is_met(ledger: Ledger, path: Path) -> None:
    order = quoted(ledger)
    os.truncate(path, 0)
    with pytest.raises(LedgerError, match="damaged"):
        ledger.record_intent(order, now())
    assert beside(path, "damaged")
    sent(ledger)


def test_an_empty_file_is_a_new_ledger(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with closing(Ledger(path)) as ledger:
        order = sent(ledger)
    assert orders_in(path) == {order}


KILLED = """
print(order, flush=True)
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""


@posix
def test_after_a_kill_a_sound_ledger_opens_with_everything(path: Path) -> None:
    out, _ = python(KILLED, path).communicate()
    assert Path(f"{path}-wal").stat().st_size
    with closing(Ledger(path)) as ledger:
        assert ledger.get(out.strip()).state == "intended"
    assert beside(path, "damaged") == []


@posix
@pytest.mark.parametrize("lost", ["emptied", "deleted"])
def test_a_log_that_outlives_its_file_is_read(path: Path, lost: str) -> None:
    out, _ = python(KILLED, path).communicate()
    path.unlink()
    if lost == "emptied":
        path.touch()
    with pytest.raises(LedgerError, match="1 order could be read"):
        Ledger(path)
    assert orders_in(path) == {out.strip()}


@posix
def test_after_a_kill_the_file_is_checked_before_it_is_used(path: Path) -> None:
    orders = full(path)
    python(KILLED, path).communicate()
    zero_a_page_quietly(path)
    with pytest.raises(LedgerError, match="damaged"):
        Ledger(path)
    assert len(orders_in(path)) >= len(orders) - 10


def zero_a_page_quietly(path: Path) -> None:
    """Damage a leaf of the orders, which no statement of an opening reads; the log stays."""
    data = path.read_bytes()
    leaves = [
        number
        for number in range(1, len(data) // 4096)
        if data[number * 4096] == 0x0D and b"x" * 800 in data[number * 4096 : (number + 1) * 4096]
    ]
    with path.open("r+b") as file:
        file.seek(leaves[len(leaves) // 2] * 4096)
        file.write(bytes(4096))


def test_a_locked_ledger_is_never_taken_for_a_damaged_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(path, 3)
    monkeypatch.setattr("zooop_nb.ledger.database.BUSY_TIMEOUT", 0.3)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerError, match="locked"):
            Ledger(path)
    assert beside(path, "damaged") == []
    assert len(orders_in(path)) == 3


def test_text_that_is_no_unicode_costs_no_order(path: Path) -> None:
    orders = full(path, 3)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE orders SET cell = CAST(x'ff41' AS TEXT)")
    zero_the_head(path)
    with pytest.raises(LedgerError, match="3 orders could be read"):
        Ledger(path)
    assert orders_in(path) == set(orders)


def test_somebody_elses_file_is_never_touched(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("my shopping list\n" * 1000)
    for _ in range(2):
        with pytest.raises(LedgerError, match="cannot be used: file is not a database"):
            Ledger(path)
    assert [each.name for each in path.parent.iterdir()] == ["ledger.sqlite"]
    assert path.read_text() == "my shopping list\n" * 1000


# Interrupts.


@pytest.mark.parametrize("step", ["release", "get", "record_intent", "frame"])
def test_an_interrupt_at_any_moment_leaves_the_file_to_other_processes(
    ledger: Ledger, path: Path, step: str
) -> None:
    order = sent(ledger)
    arguments = {"record_intent": [order, now()], "frame": []}.get(step, [order])
    ledger.frame()
    for _ in interrupted_at_each_moment(lambda: getattr(ledger, step)(*arguments)):
        free_for_others(path)
        if step == "frame":
            break
    assert ends_on_another_thread(lambda: ledger.get(order))


@posix
def test_an_interrupt_at_any_moment_of_a_rescue_loses_nothing(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    order = sent(ledger)

    def rescue() -> None:
        path.unlink(missing_ok=True)
        ledger.get(order)

    for _ in interrupted_at_each_moment(rescue):
        assert ledger.get(order).state == "intended"
        free_for_others(path)
        assert ends_on_another_thread(lambda: ledger.get(order))
    assert orders_in(path) == {order}
    ledger.close()


def interrupted_soon(call: Callable[[], object]) -> float:
    """Interrupt the call after a moment; return the seconds it took to come back."""
    at: list[float] = []

    def interrupt() -> None:
        at.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.5, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        call()
    timer.join()
    return time.monotonic() - at[0]


@posix
def test_an_interrupt_ends_the_wait_for_a_locked_ledger(ledger: Ledger, path: Path) -> None:
    order = sent(ledger)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert interrupted_soon(lambda: ledger.release(order)) < 1
        # And while another thread of this process waits for it.
        waiting = threading.Thread(target=lambda: ledger.release(order))
        waiting.start()
        assert interrupted_soon(lambda: ledger.release(order)) < 1
        assert ledger.get(order).follower is not None
        other.execute("ROLLBACK")
    waiting.join(20)
    assert ledger.get(order).follower is None


# Forks.

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def in_child(work: Callable[[], object]) -> int:
    """Do the work in a forked child, and return the child's process id. It reports by dying well.

    One that hangs shows where, and dies.
    """
    child = os.fork()
    if child:
        return child
    faulthandler.dump_traceback_later(120, exit=True)
    status = 1
    with suppress(BaseException):
        work()
        status = 0
    os._exit(status)


def ended_well(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@forks
def test_parent_and_child_write_to_one_file_and_lose_nothing(ledger: Ledger, path: Path) -> None:
    """A child that opens a file which was open at the fork has none of its locks: its log is deleted."""
    mine = ledger.process.id
    first = sent(ledger)
    read, write = os.pipe()
    parent_read, parent_write = os.pipe()

    def work() -> None:
        assert ledger.process.id != mine
        early = sent(ledger)
        assert ledger.get(early).follower == ledger.process.id
        os.write(write, early.encode())
        os.read(parent_read, 1)
        os.write(write, sent(ledger).encode())

    child = in_child(work)
    early = os.read(read, 100).decode()
    second = sent(ledger)
    ledger.close()
    os.write(parent_write, b"x")
    late = os.read(read, 100).decode()
    assert ended_well(child)
    assert orders_in(path) == {first, early, second, late}


@forks
def test_a_fork_while_another_thread_writes_leaves_the_child_free(ledger: Ledger, path: Path) -> None:
    stop, begun = threading.Event(), threading.Barrier(4)

    def write() -> None:
        quoted(ledger)
        begun.wait()
        while not stop.is_set():
            quoted(ledger)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for each in writers:
        each.start()
    # Coverage takes a lock when a thread first comes to a file, and a child would wait for it for ever.
    begun.wait()
    try:
        children = [in_child(lambda: sent(ledger)) for _ in range(10)]
        assert all(ended_well(each) for each in children)
    finally:
        stop.set()
        for each in writers:
            each.join()
    assert len([each for each in ledger.unfinished() if each.state == "intended"]) == 10


@forks
def test_a_fork_while_the_ledger_is_read_apart_is_no_silent_loss(ledger: Ledger) -> None:
    def fork(db: sqlite3.Connection) -> bool:
        def work() -> None:
            with pytest.raises(LedgerError, match="forked"):
                sent(ledger)

        return ended_well(in_child(work))

    assert ledger._db.read_apart(fork)
    sent(ledger)


@forks
def test_debts_are_left_to_the_parent(ledger: Ledger) -> None:
    written: list[int] = []
    ledger.owe(lambda: written.append(os.getpid()), "a fact")

    def work() -> None:
        sent(ledger)
        assert not written

    assert ended_well(in_child(work))
    ledger.settle_debts()
    assert written == [os.getpid()]


ABANDONED = """
import os, time
child = os.fork()
if child == 0:
    os.close(0); os.close(1); os.close(2)
    if "use" in sys.argv: sent(ledger)
    time.sleep(600)
print(order, child, flush=True)
sys.stdin.read()
"""


@forks
def test_a_killed_parents_orders_are_abandoned_though_its_child_lives_on(ledger: Ledger, path: Path) -> None:
    parent = python(ABANDONED, path)
    assert parent.stdout is not None
    order, child = parent.stdout.readline().split()
    try:
        assert ledger.is_followed(ledger.get(order))
        parent.kill()
        parent.wait()
        # The child lets go of what it inherited in its first moment; on a loaded machine that may be now.
        until(lambda: not ledger.is_followed(ledger.get(order)), "the end of the following")
    finally:
        os.kill(int(child), signal.SIGKILL)
        parent.communicate()


def test_a_program_that_the_parent_starts_does_not_keep_its_orders(ledger: Ledger, path: Path) -> None:
    code = (
        "import subprocess; other = subprocess.Popen(['sleep', '600'], close_fds=False,"
        " stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(order, other.pid, flush=True); sys.stdin.read()"
    )
    parent = python(code, path)
    assert parent.stdout is not None
    order, other = parent.stdout.readline().split()
    try:
        parent.kill()
        parent.wait()
        assert not ledger.is_followed(ledger.get(order))
    finally:
        os.kill(int(other), signal.SIGKILL)
        parent.communicate()


# A folder without room or permission.


@posix
def test_a_ledger_that_may_not_be_written_says_so_and_is_not_set_aside(path: Path) -> None:
    order = full(path, 1)
    ledger = Ledger(path)
    ledger._db.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(LedgerError, match="readonly"):
        quoted(ledger)
    ledger._db.connection.execute("PRAGMA query_only = OFF")
    ledger.record_quotes([an_order()])
    ledger.close()
    assert set(order) < orders_in(path)
    assert beside(path, "damaged") == []
