"""The ledger's store: every event of an order is recorded durably and exactly once."""

import sqlite3
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.interrupts import ends_on_another_thread, interrupted_at_each_moment
from zooop_nb.errors import LedgerError, UnknownName
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.ledger.record import now


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def an_order(**known: Any) -> OrderRecord:
    plain = OrderRecord(
        order_id=str(uuid.uuid4()),
        batch="b1",
        fingerprint="f1",
        target="model",
        body=b'{"a":1}',
        key=str(uuid.uuid4()),
        token="digest",
        host="https://api.zooop.ai",
        mode="live",
        quoted=8,
    )
    return replace(plain, **known)


def quoted(ledger: Ledger, **known: Any) -> str:
    record = an_order(**known)
    ledger.record_quote(record)
    return record.order_id


def sent(ledger: Ledger, **known: Any) -> str:
    order = quoted(ledger, **known)
    ledger.record_intents([order])
    return order


def seen(ledger: Ledger, order: str, status: str, credits: float | None, **known: Any) -> OrderRecord:
    said = {"created_at": None, "completed_at": None, "outputs": [], "error": None, **known}
    return ledger.record_status(order, status=status, credits=credits, **said)


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
    ledger.record_quote(record)
    assert ledger.get(record.order_id) == record
    assert ledger.find(record.order_id[:8]) == record


def test_an_order_walks_its_way_and_each_step_is_written(ledger: Ledger, tmp_path: Path) -> None:
    order = quoted(ledger)
    beside = Ledger(tmp_path / "ledger.sqlite")
    steps = []

    def note() -> None:
        record = beside.get(order)
        steps.append((record.state, record.status, record.follower == ledger.process.id, record.ended))

    note()
    ledger.record_intents([order], wallet="team", key_label="laptop")
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
        ("intended", None, True, False),
        ("submitted", "queued", True, False),
        ("submitted", "running", True, False),
        ("succeeded", "succeeded", True, False),
        ("succeeded", "succeeded", False, True),
    ]
    record = beside.get(order)
    assert (record.wallet, record.key_label, record.task_id) == ("team", "laptop", "t1")
    assert record.outputs == ({"url": "u", "path": "/x/1.png"},)
    assert events(beside) == [("quote", 0), ("submit", 0), ("charge", 8)]
    beside.close()


def test_an_intent_is_written_for_all_or_for_none(ledger: Ledger) -> None:
    orders = [quoted(ledger), quoted(ledger)]
    with pytest.raises(AssertionError):
        ledger.record_intents(orders, no_such_column=1)
    assert {ledger.get(each).state for each in orders} == {"quoted"}
    ledger.record_intents(orders)
    assert {ledger.get(each).state for each in orders} == {"intended"}


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


def test_an_abandoned_order_is_found_by_cell_and_fingerprint_from_another_run(ledger: Ledger) -> None:
    origin = {"cell_hash": "c", "notebook": "n", "run": "1"}
    order = sent(ledger, **origin)
    assert ledger.abandoned("f1", "c", "n", "2") == [], "this session follows it"
    ledger.release(order)
    assert [each.order_id for each in ledger.abandoned("f1", "c", "n", "2")] == [order]
    for other in (
        ("f2", "c", "n", "2"),
        ("f1", "d", "n", "2"),
        ("f1", "c", None, "2"),
        ("f1", "c", "n", "1"),
    ):
        assert ledger.abandoned(*other) == []
    sent_to_its_end = sent(ledger, **origin)
    ledger.record_refusal(sent_to_its_end, "no")
    quoted(ledger, **origin)
    assert [each.order_id for each in ledger.abandoned("f1", "c", "n", "2")] == [order]


def test_an_abandoned_order_is_claimed_once(ledger: Ledger) -> None:
    order = sent(ledger)
    ledger.release(order, "interrupted")
    record = ledger.get(order)
    assert (record.follower, record.error) == (None, "interrupted")
    claims: list[bool] = []
    ready = threading.Barrier(8)

    def claim() -> None:
        ready.wait()
        claims.append(ledger.claim(record))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(claims) == [False] * 7 + [True]
    assert ledger.is_followed(ledger.get(order))


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


# Money.


def test_what_is_committed_is_what_was_charged_and_what_may_still_be(ledger: Ledger) -> None:
    since = now()

    def committed(mode: str = "live", since: str = since) -> float:
        return ledger.committed(since=since, mode=mode)

    quoted(ledger)
    assert committed() == 0
    order, other = sent(ledger), sent(ledger, quoted=None)
    assert committed() == 8
    seen(ledger, order, "running", 8)
    assert committed() == 8
    seen(ledger, order, "failed", 0)
    assert committed() == 0
    seen(ledger, other, "succeeded", 5)
    assert committed() == 5
    lost, refused = sent(ledger), sent(ledger)
    assert committed() == 21
    ledger.record_unknown(lost, "why")
    ledger.record_refusal(refused, "no")
    assert committed() == 13
    sent(ledger, mode="sandbox", quoted=3)
    assert (committed(), committed("sandbox")) == (13, 3)
    assert committed(since=now()) == 0


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
    call = partial(getattr(ledger, method), record if method == "claim" else order)
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
