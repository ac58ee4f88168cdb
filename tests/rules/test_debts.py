"""Facts that cannot be written now are owed, and written later."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.rules.test_database import orders_in, posix, python
from tests.support.interrupts import ends_on_another_thread, interrupted_at_each_moment
from tests.support.orders import an_order, quoted, sent
from zooop_nb.errors import LedgerError
from zooop_nb.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def full_disk(ledger: Ledger, full: bool = True) -> None:
    """Let no page be added to the file: the effect of a full disk, on this connection alone."""
    limit = 1 if full else 1 << 30
    ledger._db.connection.execute(f"PRAGMA max_page_count = {limit}")


def large(ledger: Ledger, order: str) -> None:
    """Record an acceptance with more words than there is room for."""
    ledger.release(order, "x" * 100_000)


def test_what_is_owed_is_written_in_order_before_the_next_step(ledger: Ledger) -> None:
    order = sent(ledger)
    seen = []
    ledger.owe(lambda: ledger.record_submission(order, "t1", "queued"), "accepted as t1")
    ledger.owe(lambda: seen.append(ledger.get(order).task_id), "and then this")
    assert ledger.get(order).task_id == "t1"
    assert seen == ["t1"]
    assert ledger.get(order).task_id == "t1"
    assert seen == ["t1"], "once"


def test_while_it_cannot_be_written_no_step_overtakes_it_and_reading_goes_on(ledger: Ledger) -> None:
    order = sent(ledger)
    full_disk(ledger)
    with pytest.raises(LedgerError, match="full"):
        large(ledger, order)
    ledger.owe(lambda: large(ledger, order), "a long error")
    with pytest.raises(LedgerError, match="full"):
        ledger.record_submission(order, "t1", "queued")
    assert ledger.get(order).follower is not None
    full_disk(ledger, False)
    ledger.record_submission(order, "t1", "queued")
    record = ledger.get(order)
    assert (record.follower, record.task_id) == (None, "t1")


def test_closing_writes_what_is_owed_and_says_what_cannot_be(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    order = sent(ledger)
    full_disk(ledger)
    ledger.owe(lambda: large(ledger, order), f"order {order} cost 8 credits")
    ledger.close()
    said = capsys.readouterr().err
    assert f"order {order} cost 8 credits" in said
    assert str(ledger.path) in said
    with pytest.raises(LedgerError, match="closed"):
        ledger.get(order)


def test_a_fact_that_can_never_be_written_is_said_and_stands_in_nobodys_way(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.owe(lambda: ledger.record_submission("no-such-order", "t1", "queued"), "accepted as t1")
    order = sent(ledger)
    assert ledger.get(order).order_id == order
    said = capsys.readouterr().err
    assert "accepted as t1" in said
    assert "no-such-order" in said


def test_an_interrupt_at_any_moment_leaves_the_debt_and_the_ledger_free(ledger: Ledger) -> None:
    order = sent(ledger)
    written = []

    def step() -> None:
        written.append(ledger.release(order))

    def settle() -> None:
        ledger.owe(step, "released")
        ledger.settle_debts()

    moments = 0
    for _ in interrupted_at_each_moment(settle):
        assert ends_on_another_thread(lambda: ledger.get(order))
        moments += 1
    assert moments > 5
    before = len(written)
    ledger.settle_debts()
    assert before == len(written), "nothing is left"


IN_DEBT = """
from zooop_nb.errors import LedgerError
def write():
    if "never" in sys.argv: raise LedgerError("the disk is full")
    ledger.record_submission(order, "t1", "queued")
print(order, flush=True)
ledger.owe(write, f"order {order} was accepted as t1")
"""


@pytest.mark.parametrize("can", [True, False])
def test_a_process_that_ends_in_debt_writes_it_or_says_it(tmp_path: Path, can: bool) -> None:
    path = tmp_path / "ledger.sqlite"
    out, err = python(IN_DEBT if can else "sys.argv.append('never')" + IN_DEBT, path).communicate()
    order = out.strip()
    with closing(Ledger(path)) as ledger:
        assert ledger.get(order).task_id == ("t1" if can else None)
    assert (f"order {order} was accepted as t1" in err) is not can
    assert "Traceback" not in err


@posix
def test_a_fact_about_a_replaced_ledgers_order_is_not_lost_silently(
    ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = sent(ledger)
    with closing(Ledger(tmp_path / "other.sqlite")) as other:
        theirs = quoted(other)
    (tmp_path / "other.sqlite").replace(ledger.path)

    def accept() -> None:
        ledger.record_submission(order, "t1", "queued")

    with pytest.raises(LedgerError, match="replaced"):
        accept()
    ledger.owe(accept, f"order {order} was accepted as t1")
    ledger.record_quotes([an_order()])
    assert f"order {order} was accepted as t1" in capsys.readouterr().err
    assert theirs in orders_in(ledger.path)


def test_a_write_that_fails_leaves_nothing_half_written(ledger: Ledger) -> None:
    order = sent(ledger)
    full_disk(ledger)
    with pytest.raises(LedgerError):
        large(ledger, order)
    with closing(sqlite3.connect(ledger.path)) as db:
        assert db.execute("SELECT error FROM orders").fetchall() == [(None,)]
    full_disk(ledger, False)
