"""The ledger's store: every event of an order is recorded durably and exactly once."""

import sqlite3
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.interrupts import ends_on_another_thread, interrupted_at_each_moment
from tests.support.orders import Kernel, Refused, a_reservation, an_order, queued, quoted, seen, sent
from zooop_nb.errors import LedgerError, UnknownName
from zooop_nb.ledger import Ledger
from zooop_nb.ledger.record import now


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def events(ledger: Ledger) -> list[tuple[str, float]]:
    rows = ledger._db.connection.execute("SELECT event, spent FROM events ORDER BY seq")
    return [tuple(row) for row in rows]


def test_an_order_comes_back_as_it_was_written(ledger: Ledger) -> None:
    record = an_order(
        params={"prompt": "熊猫 “x”", "n": 1.5, "image_url": {"sha256": "ab"}},
        tags=("a", "b"),
        breakdown={"base": 0.5},
        prompt="熊猫",
        quoted=8.5,
        body=b"\x00\xff",
    )
    ledger.record_quotes([record])
    assert ledger.get(record.order_id) == record
    assert ledger.find(record.order_id[:8]) == record


def test_an_order_walks_its_way_and_each_step_is_written(ledger: Ledger, tmp_path: Path) -> None:
    order = quoted(ledger, wallet="team", key_label="laptop")
    beside = Ledger(tmp_path / "ledger.sqlite")
    steps = []

    def note() -> None:
        record = beside.get(order)
        steps.append((record.state, record.status, record.follower == ledger.process.id, record.ended))

    note()
    ledger.reserve(a_reservation(ledger.get(order)))
    note()
    assert ledger.record_intent(order, "2026-11-28T10:00:00.000000Z")
    note()
    ledger.record_submission(order, "t1", "queued")
    note()
    seen(ledger, order, "running", None)
    note()
    seen(ledger, order, "succeeded", 8, outputs=[{"url": "u"}])
    note()
    ledger.record_outputs(order, [{"url": "u", "path": Path("/x/1.png")}])
    note()
    assert steps == [
        ("quoted", None, False, False),
        ("queued", None, True, False),
        ("intended", None, True, False),
        ("submitted", "queued", True, False),
        ("submitted", "running", True, False),
        ("succeeded", "succeeded", True, False),
        ("succeeded", "succeeded", False, True),
    ]
    record = beside.get(order)
    assert (record.wallet, record.key_label, record.task_id) == ("team", "laptop", "t1")
    assert (record.session, record.sent_at) == ("s1", "2026-11-28T10:00:00.000000Z")
    assert record.outputs == ({"url": "u", "path": "/x/1.png"},)
    assert events(beside) == [("quote", 0), ("submit", 0), ("charge", 8)]
    beside.close()


def test_an_order_that_is_not_there_is_named(ledger: Ledger) -> None:
    for step in (
        lambda: ledger.get("nobody"),
        lambda: ledger.record_submission("nobody", "task", "queued"),
        lambda: ledger.record_unknown("nobody", "why"),
    ):
        with pytest.raises(UnknownName, match="nobody"):
            step()


def test_a_reservation_is_written_for_all_or_for_none(ledger: Ledger) -> None:
    orders = [ledger.get(quoted(ledger)) for _ in range(2)]

    def refuse(*_: object) -> None:
        raise Refused

    missing = an_order(target="describe", order_id=orders[0].order_id)
    for bad, error in (
        # Its id is taken: it cannot be written, after the others were.
        (a_reservation(*orders, missing), LedgerError),
        (a_reservation(*orders, approve=refuse), Refused),
    ):
        with pytest.raises(error):
            ledger.reserve(bad)
        assert {ledger.get(each.order_id).state for each in orders} == {"quoted"}
        assert ledger.process.held == set()
    ledger.reserve(a_reservation(*orders))
    assert {ledger.get(each.order_id).state for each in orders} == {"queued"}
    assert ledger.process.held == {each.order_id for each in orders}


def test_what_was_withdrawn_is_never_sent(ledger: Ledger) -> None:
    order = queued(ledger)
    ledger.withdraw([order], "no longer wanted")
    assert not ledger.record_intent(order, now())
    record = ledger.get(order)
    assert (record.state, record.sent_at, record.follower) == ("withdrawn", None, None)
    assert (record.error, record.ended) == ("no longer wanted", True)


def test_only_what_is_queued_is_withdrawn(ledger: Ledger) -> None:
    orders = [quoted(ledger), sent(ledger)]
    ledger.withdraw(orders, "no longer wanted")
    assert [ledger.get(each).state for each in orders] == ["quoted", "intended"]


def test_an_order_is_intended_once(ledger: Ledger) -> None:
    order = queued(ledger)
    assert ledger.record_intent(order, now())
    assert not ledger.record_intent(order, now())


def test_a_late_answer_to_the_first_sending_leaves_alone_what_was_sent_again(tmp_path: Path) -> None:
    first, other = (Kernel(tmp_path / "ledger.sqlite") for _ in range(2))
    order = sent(first)
    first.let_go([order])
    other.claim([other.get(order)])
    claimed = other.get(order)
    first.record_not_accepted(order)
    first.record_refusal(order, "no")
    assert other.get(order) == claimed
    other.record_submission(order, "t1", "queued")
    accepted = other.get(order)
    for kernel in (first, other):
        kernel.record_not_accepted(order)
        kernel.record_refusal(order, "no")
    assert other.get(order) == accepted


def test_an_order_that_was_not_accepted_is_queued_as_before(ledger: Ledger) -> None:
    order = queued(ledger)
    before = ledger.get(order)
    ledger.record_intent(order, now())
    ledger.record_not_accepted(order)
    assert replace(ledger.get(order), updated_at=before.updated_at) == before
    assert ledger.record_intent(order, now())


def test_what_is_heard_twice_is_written_once(ledger: Ledger) -> None:
    order = sent(ledger)
    for _ in range(2):
        ledger.record_submission(order, "t1", "queued")
        seen(ledger, order, "running", 8)
    for _ in range(2):
        seen(ledger, order, "succeeded", 8)
    assert events(ledger) == [("quote", 0), ("submit", 0), ("charge", 8)]


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ([("running", None), ("succeeded", 8)], [("charge", 8)]),
        ([("running", 8), ("failed", 0)], [("charge", 8), ("refund", -8)]),
        ([("running", 0), ("failed", 0)], []),
        ([("running", None), ("failed", None)], []),
        ([("running", 0), ("succeeded", 8)], [("charge", 8)]),
        ([("running", 8), ("succeeded", 9.5)], [("charge", 8), ("charge", 1.5)]),
        ([("running", 8), ("succeeded", 6)], [("charge", 8), ("refund", -2)]),
        ([("succeeded", 0)], [("charge", 0)]),
        ([("succeeded", None)], []),
        ([("cancelled", 0)], []),
        ([("succeeded", 8), ("running", 0)], [("charge", 8)]),
    ],
    ids=str,
)
def test_the_servers_figures_become_charges_and_refunds_of_the_difference(
    ledger: Ledger, said: list[tuple[str, float | None]], written: list[tuple[str, float]]
) -> None:
    order = sent(ledger)
    for status, credits in said:
        seen(ledger, order, status, credits)
    assert events(ledger)[1:] == written


@given(st.lists(st.none() | st.integers(0, 20), max_size=6), st.none() | st.integers(0, 20))
def test_whatever_the_server_names_the_events_sum_to_its_last_figure(
    figures: list[int | None], last: int | None
) -> None:
    opened = Ledger(Path(_folder(), f"{uuid.uuid4()}.sqlite"))
    order = sent(opened)
    for credits in figures:
        seen(opened, order, "running", credits)
    record = seen(opened, order, "succeeded", last)
    named = [each for each in [*figures, last] if each is not None]
    assert record.credits == (named[-1] if named else None)
    assert sum(spent for _, spent in events(opened)) == (named[-1] if named else 0)
    opened.close()


def _folder() -> str:
    import os

    return os.environ["ZOOOP_NB_HOME"]


def test_an_answer_that_comes_late_does_not_reopen_an_order(ledger: Ledger) -> None:
    order = sent(ledger)
    seen(ledger, order, "failed", 0, error="no")
    after = seen(ledger, order, "running", 8)
    assert (after.state, after.error) == ("failed", "no")


def test_a_status_that_is_not_known_is_kept_and_not_the_end(ledger: Ledger) -> None:
    order = sent(ledger)
    record = seen(ledger, order, "paused_by_moon", None)
    assert (record.state, record.status, record.ended) == ("submitted", "paused_by_moon", False)


def test_what_is_known_of_files_stays_when_the_task_is_seen_again(ledger: Ledger) -> None:
    order = sent(ledger)
    seen(ledger, order, "succeeded", 8, outputs=[{"url": "u"}, {"url": "v"}])
    ledger.record_outputs(order, [{"url": "u", "path": "/1"}, {"url": "v", "path": "/2"}])
    record = seen(ledger, order, "succeeded", 8, outputs=[{"url": "v", "thumbnail_url": "t"}, {"url": "u"}])
    assert record.outputs == ({"url": "v", "path": "/2", "thumbnail_url": "t"}, {"url": "u", "path": "/1"})


def test_events_are_never_changed_and_never_deleted(ledger: Ledger) -> None:
    sent(ledger)
    for statement in ("UPDATE events SET spent = 5", "DELETE FROM events"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            ledger._db.connection.execute(statement)


# Unfinished orders and their owners.


def test_what_is_unfinished_is_listed_oldest_first_until_it_has_ended(ledger: Ledger) -> None:
    quoted(ledger)
    intended, running, refused, unknown, fetched = (sent(ledger) for _ in range(5))
    ledger.record_submission(running, "t1", "queued")
    ledger.record_refusal(refused, "no")
    ledger.record_unknown(unknown, "why")
    seen(ledger, fetched, "succeeded", 8)
    assert [each.order_id for each in ledger.unfinished()] == [intended, running, unknown, fetched]
    ledger.record_outputs(fetched, [])
    seen(ledger, running, "failed", 0)
    assert [each.order_id for each in ledger.unfinished()] == [intended, unknown]
    assert ledger.get(refused).error == "no"


def test_an_abandoned_order_is_claimed_once(ledger: Ledger) -> None:
    order = sent(ledger)
    ledger.release(order, "interrupted")
    record = ledger.get(order)
    assert (record.follower, record.error) == (None, "interrupted")
    claims: list[list[str]] = []
    ready = threading.Barrier(8)

    def claim() -> None:
        ready.wait()
        claims.append([each.order_id for each in ledger.claim([record])])

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(claims) == [[]] * 7 + [[order]]
    assert ledger.is_followed(ledger.get(order))


def test_of_several_those_are_claimed_that_no_other_was_faster_to_claim(
    ledger: Ledger, tmp_path: Path
) -> None:
    orders = [sent(ledger) for _ in range(3)]
    ledger.let_go(orders)
    records = [ledger.get(each) for each in orders]
    beside = Ledger(tmp_path / "ledger.sqlite")
    assert [each.order_id for each in beside.claim(records[1:2])] == orders[1:2]
    claimed = ledger.claim(records)
    assert [each.order_id for each in claimed] == [orders[0], orders[2]]
    assert {each.follower for each in claimed} == {ledger.process.id}
    beside.close()


def test_what_is_let_go_is_followed_by_nobody_and_what_is_queued_is_withdrawn(ledger: Ledger) -> None:
    waiting, under_way = queued(ledger), sent(ledger)
    words = sent(ledger, target="describe", quoted=None)
    other = sent(ledger)
    ledger.let_go([waiting, under_way, words], "interrupted")
    assert [ledger.get(each).state for each in (waiting, under_way, words)] == [
        "withdrawn",
        "intended",
        "intended",
    ]
    assert [ledger.get(each).error for each in (waiting, under_way, other)] == ["interrupted"] * 2 + [None]
    assert ledger.process.held == {other}
    assert ledger.get(under_way).follower is None
    assert ledger.get(words).follower == ledger.process.id, "its request goes on by itself"
    assert not ledger.is_followed(ledger.get(under_way))
    assert ledger.is_followed(ledger.get(other))


def test_an_order_is_found_by_any_id_that_names_it_alone(ledger: Ledger) -> None:
    one = sent(ledger, order_id="abcd1111")
    sent(ledger, order_id="abcd2222")
    ledger.record_submission(one, "task-1", "queued")
    assert ledger.find("abcd1").order_id == one
    assert ledger.find("task-1").order_id == one
    assert ledger.find("ABCD1").order_id == one
    with pytest.raises(UnknownName) as caught:
        ledger.find("abcd")
    assert set(caught.value.nearest) == {"abcd1111", "abcd2222"}
    for text in ("abc", "", "%%%%%", "a%cd1", "nope"):
        with pytest.raises(UnknownName):
            ledger.find(text)


def test_the_last_order_is_the_last_that_was_sent_in_the_mode(ledger: Ledger) -> None:
    assert ledger.last() is None
    live, sandbox = sent(ledger), sent(ledger, mode="sandbox")
    quoted(ledger)
    assert ledger.last().order_id == sandbox  # type: ignore[union-attr]
    assert ledger.last(mode="live").order_id == live  # type: ignore[union-attr]
    assert ledger.last(mode="replay") is None


# Uploads.


def test_an_upload_is_known_by_token_host_and_content(ledger: Ledger) -> None:
    ledger.record_upload("t", "h", "ab", "https://z/1.png", "image/png", 5)
    assert ledger.upload_url("t", "h", "ab") == "https://z/1.png"
    assert ledger.upload_url("other", "h", "ab") is None
    assert ledger.upload_url("t", "other", "ab") is None
    assert ledger.upload_url("t", "h", "cd") is None
    ledger.record_upload("t", "h", "ab", "https://z/2.png", "image/png", 5)
    assert ledger.upload_url("t", "h", "ab") == "https://z/2.png"


def test_the_content_of_a_url_is_known_from_uploads_and_from_outputs(ledger: Ledger) -> None:
    ledger.record_upload("t", "h", "ab", "https://z/1.png", "image/png", 5)
    order = sent(ledger)
    seen(ledger, order, "succeeded", 1, outputs=[{"url": "https://z/o.png"}])
    assert ledger.content_of("https://z/o.png") is None
    ledger.record_outputs(
        order, [{"url": "https://z/o.png", "sha256": "cd"}, {"url": 'https://z/"q.png', "sha256": "ef"}]
    )
    assert ledger.content_of("https://z/1.png") == "ab"
    assert ledger.content_of("https://z/o.png") == "cd"
    assert ledger.content_of("https://z/o") is None


# The database file.


def test_it_survives_a_restart_and_knows_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "ledger.sqlite"
    first = Ledger(path)
    order = sent(first)
    first.close()
    again = Ledger(path)
    assert again.get(order).state == "intended"
    assert again.journal == "wal"
    assert again._db.connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert again._db.connection.execute("PRAGMA user_version").fetchone()[0] >= 1
    again.close()


def test_a_ledger_of_a_newer_schema_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 9999")
    with pytest.raises(LedgerError, match="newer zooop-nb"):
        Ledger(path)


def test_a_change_that_breaks_off_leaves_nothing_half_written(ledger: Ledger) -> None:
    order = sent(ledger)

    def interrupted(db: sqlite3.Connection) -> None:
        db.execute("UPDATE orders SET state = 'unknown'")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger._db.change(interrupted)
    assert ledger.get(order).state == "intended"
    ledger._db.connection.execute("BEGIN IMMEDIATE")
    ledger._db.connection.execute("UPDATE orders SET state = 'unknown'")
    ledger.release(order)
    record = ledger.get(order)
    assert (record.state, record.follower) == ("intended", None), "an interrupt between two statements"


@pytest.mark.parametrize("method", ["get", "release", "claim"])
def test_an_interrupt_at_any_moment_leaves_the_ledger_to_the_other_threads(
    ledger: Ledger, method: str
) -> None:
    order = sent(ledger)
    record = ledger.get(order)
    call = partial(getattr(ledger, method), [record] if method == "claim" else order)
    moments = 0
    for _ in interrupted_at_each_moment(call):
        assert ends_on_another_thread(partial(ledger.get, order)), f"interrupted at moment {moments}"
        assert ledger.get(order).state == "intended"
        moments += 1
    assert moments > 5


def test_a_closed_ledger_says_so(ledger: Ledger) -> None:
    ledger.close()
    with pytest.raises(LedgerError, match="cannot be used"):
        ledger.unfinished()
