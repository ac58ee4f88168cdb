"""Time the ledger with many events: `frame()` against `pandas.read_sql`.

    python tests/bench/ledger.py [--events 100000] [--runs 5]

The ledger is filled through its own store, without waiting for the disk. `read_sql` runs the same statement
on the same file and keeps the column types that SQLite returns, most of them as objects; `frame()` gives each
column its dtype.
"""

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.ledger_steps import steps
from zooop_nb.ledger import Ledger
from zooop_nb.ledger.dataframe import frame as frame_of


def filled(ledger: Ledger, events: int) -> None:
    """Fill the ledger: per four events, one order quoted, submitted and charged, and one more quote."""
    ledger._db.connection.execute("PRAGMA synchronous = OFF")
    for number in range(events // 4):
        for step in steps(ledger, number).values():
            step()
        steps(ledger, number)["quote"]()
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
        db.close()
        ledger.close()
    print(f"Python {sys.version.split()[0]}, pandas {pd.__version__}, {rows:,} events, medians")
    whole, read = statistics.median(ours), statistics.median(theirs)
    print(f"frame()          {whole:8.3f} s    read_sql      {read:8.3f} s    ratio {whole / read:5.2f}")


if __name__ == "__main__":
    main()
