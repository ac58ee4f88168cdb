"""Time the ledger with many events: `frame()` against `pandas.read_sql`, and one committed append.

    python tests/bench/ledger.py [--events 100000] [--runs 5]

The ledger is filled through its own store, without waiting for the disk. `read_sql` runs the same statement
on the same file and keeps the column types that SQLite returns, most of them as objects; `frame()` gives each
column its dtype. An append is one durable transaction, as an order makes it (two rows and their indexes). It
alternates with the baseline: one row of the same order, written by plain sqlite3 to a table of its own with
the same journal mode.
"""

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tests.support.orders import a_reservation
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.ledger.dataframe import frame as frame_of
from zooop_nb.ledger.record import now

APPENDS = 300


def record(number: int) -> OrderRecord:
    """Return a typical order."""
    return OrderRecord(
        order_id=str(uuid.uuid4()),
        batch=str(uuid.uuid4()),
        fingerprint=f"{number:064x}",
        target="model",
        body=b'{"interfaceId":"x","params":{"prompt":"a red panda"},"versionId":"standard"}',
        key=str(uuid.uuid4()),
        token="0" * 64,
        host="https://api.zooop.ai",
        mode="live",
        type="image",
        subtype="default",
        model=f"Model {number % 70}",
        version="standard",
        unit="image",
        prompt=f"a red panda, number {number}",
        params={"prompt": f"a red panda, number {number}", "quality": "low"},
        tags=("bench",),
        quoted=4,
        breakdown={"pricing_key": "low-1k", "base": 4, "multiplier": 1, "min_price_applied": False},
    )


def filled(ledger: Ledger, events: int) -> None:
    """Fill the ledger: per four events, one order quoted, submitted and charged, and one more quote."""
    ledger._db.connection.execute("PRAGMA synchronous = OFF")
    for number in range(events // 4):
        one = record(number)
        ledger.record_quotes([one])
        ledger.reserve(a_reservation(one, known={"wallet": "personal"}))
        ledger.record_intent(one.order_id, now())
        ledger.record_submission(one.order_id, str(uuid.uuid4()), "queued")
        ledger.record_status(
            one.order_id,
            status="succeeded",
            credits=4,
            created_at="2026-05-15T10:00:00Z",
            completed_at="2026-05-15T10:00:09Z",
            outputs=[{"url": f"https://storage.zooop.ai/{number}.webp"}],
            error=None,
        )
        ledger.record_quotes([record(number)])
    ledger._db.connection.execute("PRAGMA synchronous = FULL")


def statement(db: sqlite3.Connection) -> str:
    """Return the SELECT statement that `frame()` runs."""
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    frame_of(db)
    db.set_trace_callback(None)
    [select] = [each for each in asked if each.lstrip().upper().startswith("SELECT")]
    return select


def timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def plain(path: Path) -> Callable[[], object]:
    """Commit one insert with plain sqlite3, in the ledger's journal mode."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    columns = ", ".join(f"c{number}" for number in range(len(record(0).row())))
    db.execute(f"CREATE TABLE orders ({columns})")
    marks = ", ".join("?" * len(record(0).row()))
    insert = f"INSERT INTO orders VALUES ({marks})"
    return lambda: db.execute(insert, [*record(0).row().values()])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000, metavar="N", help="default: %(default)d")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="default: %(default)d")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder, "ledger.sqlite"))
        filled(ledger, options.events)
        db = sqlite3.connect(ledger.path)
        sql = statement(db)
        ours, theirs = [], []
        for _ in range(options.runs):
            ours.append(timed(ledger.frame))
            theirs.append(timed(lambda: pd.read_sql(sql, db)))
        rows = len(ledger.frame())
        bare = plain(Path(folder, "plain.sqlite"))
        appended, inserted = [], []
        for _ in range(APPENDS):
            appended.append(timed(lambda: ledger.record_quotes([record(0)])))
            inserted.append(timed(bare))
        db.close()
        ledger.close()
    print(f"Python {sys.version.split()[0]}, pandas {pd.__version__}, {rows:,} events, medians")
    whole, read = statistics.median(ours), statistics.median(theirs)
    print(f"frame()          {whole:8.3f} s    read_sql      {read:8.3f} s    ratio {whole / read:5.2f}")
    append, insert = statistics.median(appended) * 1000, statistics.median(inserted) * 1000
    print(
        f"append           {append:8.3f} ms   plain insert  {insert:8.3f} ms   ratio {append / insert:5.2f}"
    )


if __name__ == "__main__":
    main()
