"""A ledger of the first schema: opened, it has every order and event still, and goes on."""

import importlib.resources
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.orders import HOST, TOKEN, a_run, ago, queued, seen, sent
from zooop_nb.ledger import Ledger, OrderQuery

STATES = ["quoted", "intended", "submitted", "succeeded", "failed", "cancelled", "refused", "unknown"]
SENT = [each for each in STATES if each != "quoted"]
CELL = "%zooop image a red panda"


def first_schema() -> str:
    [script] = [
        file
        for file in importlib.resources.files("zooop_nb.ledger").joinpath("schema").iterdir()
        if file.name.startswith("0001")
    ]
    return script.read_text(encoding="utf-8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of the first schema, with an order in each state, a description and a script's order."""
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(first_schema())
        db.execute("PRAGMA user_version = 1")
        for number, state in enumerate(STATES):
            add(db, number, state, run="run 1" if number % 2 else "run 2")
            event(db, number, "quote", 0, 8)
            if state in ("submitted", "succeeded", "failed", "cancelled"):
                event(db, number, "submit", 0, None)
                event(db, number, "charge", 8.5 if state == "succeeded" else 8, 8)
            if state in ("failed", "cancelled"):
                event(db, number, "refund", -8, 0)
        add(db, 90, "unknown", target="describe", run="run 2", quoted=None)
        event(db, 90, "describe", 0, None)
        add(db, 91, "succeeded", target="describe", run=None, quoted=None)
        event(db, 91, "describe", 1, 1)
        add(db, 92, "submitted", run=None, notebook=None, cell=None, cell_hash=None)
        db.execute(
            "INSERT INTO uploads VALUES (?, ?, 'ab', 'https://z/1.png', 'image/png', 5, 'now')", (TOKEN, HOST)
        )
        db.commit()
    return path


def add(db: sqlite3.Connection, number: int, state: str, **other: object) -> None:
    sent_before = state != "quoted"
    row = {
        "order_id": f"order-{number}",
        "batch": "b",
        "created_at": ago(minutes=100 - number),
        "updated_at": ago(minutes=1),
        "fingerprint": f"f{number}",
        "target": "model",
        "prompt": "熊猫",
        "params": '{"prompt": "熊猫"}',
        "tags": '["t"]',
        "body": b'{"params":{},"n":%d}' % number,
        "key": f"key-{number}",
        "token": TOKEN,
        "host": HOST,
        "mode": "live",
        "notebook": "n.ipynb",
        "cell": CELL,
        "cell_hash": "c",
        "state": state,
        "follower": "a dead process" if state in ("intended", "submitted") else None,
        "sent_at": ago(minutes=100 - number) if sent_before else None,
        "task_id": f"task-{number}" if state in ("submitted", "succeeded", "failed", "cancelled") else None,
        "status": "running" if state == "submitted" else None,
        "quoted": 8.5,
        "breakdown": '{"base": 8}',
        "credits": 8.5 if state == "succeeded" else None,
        "outputs": '[{"url": "https://z/o.png", "sha256": "cd"}]' if state == "succeeded" else "[]",
        "fetched_at": ago(minutes=1) if state == "succeeded" else None,
        "error": "no" if state in ("failed", "refused") else None,
        **other,
    }
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO orders ({', '.join(row)}) VALUES ({marks})", [*row.values()])


def event(db: sqlite3.Connection, number: int, kind: str, spent: float, credits: float | None) -> None:
    db.execute(
        "INSERT INTO events (event_id, at, event, order_id, spent, credits) VALUES (?, ?, ?, ?, ?, ?)",
        (f"{kind}-{number}", ago(minutes=1), kind, f"order-{number}", spent, credits),
    )


def rows(path: Path, query: str) -> list[dict[str, object]]:
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(query)]


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    opened = Ledger(path)
    yield opened
    opened.close()


def test_every_order_is_still_there_column_by_column(path: Path) -> None:
    before = rows(path, "SELECT * FROM orders ORDER BY rowid")
    Ledger(path).close()
    after = rows(path, "SELECT * FROM orders ORDER BY rowid")
    assert len(before) == len(after) == len(STATES) + 3
    for old, new in zip(before, after, strict=True):
        gone = {name: old.pop(name) for name in ("cell_hash", "run")}
        assert {name: new[name] for name in old} == old
        assert (new["execution"], new["asked_at"], new["session"]) == (gone["run"], old["sent_at"], None)


def test_every_event_is_still_there_and_what_was_not_known_is_null(path: Path) -> None:
    before = rows(path, "SELECT * FROM events ORDER BY seq")
    Ledger(path).close()
    after = rows(path, "SELECT * FROM events ORDER BY seq")
    lost = [each for each in before if each["event"] == "describe" and each["credits"] is None]
    assert len(lost) == 1
    for each in lost:
        each["spent"] = None
    assert after == before


def test_uploads_are_still_there(ledger: Ledger) -> None:
    assert ledger.upload_url(TOKEN, HOST, "ab") == "https://z/1.png"
    assert ledger.content_of("https://z/o.png") == "cd"


def test_the_file_is_sound_and_its_references_hold(path: Path, ledger: Ledger) -> None:
    assert rows(path, "PRAGMA foreign_key_check") == []
    assert rows(path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert ledger._db.connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    assert [tuple(each.values()) for each in rows(path, "PRAGMA user_version")] == [(2,)]
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        ledger._db.connection.execute(
            "INSERT INTO events (event_id, at, event, order_id) VALUES ('x', 'now', 'quote', 'no such order')"
        )


def test_its_tables_are_those_of_a_new_ledger(path: Path, ledger: Ledger, tmp_path: Path) -> None:
    Ledger(tmp_path / "new.sqlite").close()
    query = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"
    assert rows(path, query) == rows(tmp_path / "new.sqlite", query)


def test_events_are_never_changed_deleted_or_numbered_again(ledger: Ledger, path: Path) -> None:
    for statement in ("UPDATE events SET spent = 5", "DELETE FROM events"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            ledger._db.connection.execute(statement)
    last = rows(path, "SELECT max(seq) AS seq FROM events")[0]["seq"]
    sent(ledger)
    assert isinstance(last, int)
    assert rows(path, "SELECT max(seq) AS seq FROM events")[0]["seq"] == last + 1


def test_a_second_opening_changes_nothing(path: Path, ledger: Ledger) -> None:
    ledger.close()
    before = rows(path, "SELECT * FROM orders"), rows(path, "SELECT * FROM executions")
    Ledger(path).close()
    assert (rows(path, "SELECT * FROM orders"), rows(path, "SELECT * FROM executions")) == before


def test_what_was_unfinished_is_and_can_be_resumed(ledger: Ledger) -> None:
    unfinished = ledger.unfinished()
    assert [(each.order_id, each.state) for each in unfinished] == [
        ("order-1", "intended"),
        ("order-2", "submitted"),
        ("order-7", "unknown"),
        ("order-90", "unknown"),
        ("order-92", "submitted"),
    ]
    open_ones = [each for each in unfinished if each.state in ("intended", "submitted")]
    assert not any(ledger.is_followed(each) for each in open_ones)
    assert ledger.claim(open_ones) == [ledger.get(each.order_id) for each in open_ones]
    for each in open_ones:
        assert ledger.get(each.order_id).body == each.body
        ledger.record_submission(each.order_id, f"task-of-{each.order_id}", "queued")
        seen(ledger, each.order_id, "succeeded", 8)
        ledger.record_outputs(each.order_id, [])
        assert ledger.get(each.order_id).ended


def query(number: int) -> OrderQuery:
    return OrderQuery(f"f{number}", 2, TOKEN, HOST, "live", ago(hours=12), ago(hours=24))


def test_open_orders_are_taken_up_by_their_cell_and_what_succeeded_is_not(ledger: Ledger) -> None:
    asked = [query(number) for number in range(len(STATES))]
    taken = ledger.take_up(a_run("3"), asked, can_follow=lambda _: True)
    found = [[each.order_id for each in one.orders] for one in taken.found]
    assert found == [[], ["order-1"], ["order-2"], [], [], [], [], []]
    assert [each.order_id for each in taken.found[7].lost] == ["order-7"]
    assert taken.continued is None, "how a run ended was not written then"
    assert ledger.get("order-1").execution == "3"


def test_another_cell_is_told_of_them(ledger: Ledger) -> None:
    [found] = ledger.take_up(a_run("3", source="d"), [query(2)], can_follow=lambda _: True).found
    assert (found.orders, [each.order_id for each in found.elsewhere]) == ((), ["order-2"])


def test_again_starts_from_the_last_order_of_before(ledger: Ledger) -> None:
    for execution in (None, "3"):
        last = ledger.last(execution=execution)
        assert last is not None
        assert last.order_id == "order-92"


def test_no_session_has_paid_for_them(ledger: Ledger) -> None:
    assert ledger.spent("s1", "live") == 0
    queued(ledger)
    assert ledger.spent("s1", "live") == 8


def test_the_frame_has_a_row_for_every_event(ledger: Ledger, path: Path) -> None:
    frame = ledger.frame()
    assert len(frame) == len(rows(path, "SELECT seq FROM events"))
    assert frame.loc[frame["order_id"] == "order-90", "spent"].isna().all()
    assert frame["spent"].sum() == 8 + 8.5 + 1


def test_a_migration_that_breaks_off_leaves_the_old_ledger(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        # In the way of the new table, so that the migration fails in its middle.
        db.execute("CREATE TABLE orders_2 (x)")
    before = rows(path, "SELECT * FROM orders")
    with pytest.raises(Exception, match="orders_2"):
        Ledger(path)
    assert rows(path, "SELECT * FROM orders") == before
    assert [tuple(each.values()) for each in rows(path, "PRAGMA user_version")] == [(1,)]
    assert rows(path, "SELECT name FROM sqlite_schema WHERE name = 'executions'") == []
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE orders_2")
    Ledger(path).close()
    assert len(rows(path, "SELECT * FROM orders")) == len(before)
