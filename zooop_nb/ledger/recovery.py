"""A damaged ledger is set aside, and what can be read of it goes on under its name."""

import os
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from zooop_nb.ledger.opening import connect, is_busy, plain_connection, primary_code

WAL: Final = "-wal"
SHM: Final = "-shm"
ROLLBACK: Final = "-journal"

_MAGIC: Final = b"SQLite format 3\0"
_SCHEMA_MARK: Final = b"CREATE TABLE orders"
_LEAPS: Final = 40
"""How often the leap over damage is doubled before the rest counts as lost."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What came of it: the file that was set aside, and how many orders could be read."""

    aside: Path
    orders: int


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether SQLite says that the file's content is not sound."""
    return primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def ended_uncleanly(file: Path) -> bool:
    """Return whether the last process that had the file open did not close it, or one still has it open."""
    return any(_size(_beside(file, suffix)) for suffix in (WAL, ROLLBACK))


def lost_its_head(file: Path) -> bool:
    """Return whether only a log is left, or an empty file with a log: SQLite would discard the log."""
    return not _size(file) and _size(_beside(file, WAL)) > 0


def is_sound_at_first(file: Path) -> bool:
    """Return whether the quick check passes; a file that another connection has open counts as sound.

    So only the first who opens a file after the end of all others pays for the check.
    """
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as db:
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            return not problems(db)
        except sqlite3.OperationalError as error:
            if is_busy(error):
                return True
            raise


def is_sound(file: Path) -> bool:
    """Return whether the quick check passes, whoever has the file open."""
    try:
        with closing(plain_connection(file)) as db:
            return bool(_size(file)) and not problems(db)
    except sqlite3.Error:
        return False


def problems(db: sqlite3.Connection) -> list[str]:
    """Return what SQLite's quick check finds; nothing if all is well."""
    try:
        found = [str(row[0]) for row in db.execute("PRAGMA quick_check(10)")]
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return [str(error)]
    return [] if found == ["ok"] else found


def was_ledger(file: Path) -> bool:
    """Return whether the file is what is left of a ledger, and not somebody's file of another kind."""
    if not _size(file):
        return lost_its_head(file)
    with file.open("rb") as content:
        head = content.read(1 << 16)
    # A page that was never written is all zeros after a crash.
    return head.startswith((_MAGIC[:8], b"\0\0\0\0\0\0\0\0")) or _SCHEMA_MARK in head


def recover(file: Path) -> Recovery:
    """Set the damaged file aside with its log, and put a new one with all that can be read in its place."""
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}-") as name:
        folder = Path(name)
        whole = folder / "whole.sqlite"
        # SQLite deletes the log of an empty file.
        orders = _salvage(file, whole) if _size(file) else 0
        if not orders:
            headed = folder / "headed.sqlite"
            _with_a_head(file, headed)
            other = folder / "other.sqlite"
            found = _salvage(headed, other)
            if found > orders:
                whole, orders = other, found
        aside = free_name(file, "damaged")
        # The log goes first: SQLite would write it over the new file.
        if _beside(file, WAL).exists():
            _beside(file, WAL).replace(_beside(aside, WAL))
        if file.exists():
            try:
                # By a second name, so that there is no moment without a file under the first.
                os.link(file, aside)
            except OSError:
                file.replace(aside)
        _beside(file, SHM).unlink(missing_ok=True)
        whole.replace(file)
    return Recovery(aside, orders)


def free_name(file: Path, kind: str) -> Path:
    """Return the name for a file set aside, such as `ledger.damaged-20260515T100000Z.sqlite`."""
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    name = file.with_name(f"{file.stem}.{kind}-{stamp}{file.suffix}")
    while name.exists() or _beside(name, WAL).exists():
        name = file.with_name(f"{file.stem}.{kind}-{stamp}-{uuid.uuid4().hex[:4]}{file.suffix}")
    return name


def set_aside(file: Path) -> list[Path]:
    """Return the files beside the ledger that were set aside or rescued, oldest first."""
    found = [
        path
        for kind in ("damaged", "rescued")
        for path in file.parent.glob(f"{file.stem}.{kind}-*")
        if path.suffix == file.suffix or path.name.endswith(WAL)
    ]
    return sorted(found, key=lambda path: path.name.partition("-")[2])


def _salvage(source: Path, target: Path) -> int:
    """Write every row that can be read into a new ledger; return how many orders there are."""
    new, _ = connect(target)
    with closing(new):
        new.execute("PRAGMA foreign_keys = OFF")
        tables = [
            str(row[0])
            for row in new.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        with suppress(sqlite3.Error), closing(_read_only(source)) as old, new:
            new.execute("BEGIN IMMEDIATE")
            for table in tables:
                columns = _common_columns(old, new, table)
                marks = ", ".join("?" * len(columns))
                names = ", ".join(f'"{column}"' for column in columns)
                insert = f'INSERT OR IGNORE INTO "{table}" ({names}) VALUES ({marks})'
                for row in _readable_rows(old, table, names):
                    # A damaged row may be read as one that the schema does not allow.
                    with suppress(sqlite3.IntegrityError):
                        new.execute(insert, row)
        return int(new.execute("SELECT count(*) FROM orders").fetchone()[0])


def _read_only(source: Path) -> sqlite3.Connection:
    if not source.exists():
        raise sqlite3.OperationalError(f"{source} does not exist")
    db = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    db.text_factory = lambda text: text.decode("utf-8", "replace")
    return db


def _common_columns(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> list[str]:
    ours, theirs = ([str(row[1]) for row in db.execute(f'PRAGMA table_info("{table}")')] for db in (new, old))
    return [column for column in ours if column in theirs]


def _readable_rows(old: sqlite3.Connection, table: str, names: str) -> Iterator[Sequence[Any]]:
    """Yield the rows of a table in their order; those on damaged pages are stepped over one by one."""
    if not names:
        return
    ceiling: int | None = None
    at = 0
    while ceiling is None or at < ceiling:
        try:
            rows = old.execute(f'SELECT rowid, {names} FROM "{table}" WHERE rowid > ? ORDER BY rowid', (at,))
            for number, *row in rows:
                at = number
                yield row
            return
        except sqlite3.DatabaseError:
            if ceiling is None:
                ceiling = _highest(old, table, at)
            at += 1


def _highest(old: sqlite3.Connection, table: str, at: int) -> int:
    """Return a row number beyond the damage: the last, or one that a leap from `at` can read; else `at`."""
    queries = [("max(rowid)", 0), *(("min(rowid)", at + 2**leap) for leap in range(_LEAPS))]
    for column, beyond in queries:
        with suppress(sqlite3.DatabaseError):
            row = old.execute(f'SELECT {column} FROM "{table}" WHERE rowid > ?', (beyond,)).fetchone()
            return at if row[0] is None else int(row[0])
    return at


def _with_a_head(file: Path, target: Path) -> None:
    """Copy a file whose first page is lost, with a new ledger's first page.

    That page holds the schema, and says where each table begins; each ledger is made by the same steps, so
    another ledger's says the same.
    """
    connect(target)[0].close()
    if not _size(file):
        shutil.copyfile(_beside(file, WAL), _beside(target, WAL))
        return
    with file.open("rb") as damaged, target.open("r+b") as copy:
        page = _page_size(copy.read(100))
        damaged.seek(page)
        copy.seek(page)
        shutil.copyfileobj(damaged, copy)
        pages = copy.tell() // page
        # The number of pages, and that it is valid for this change counter.
        copy.seek(24)
        counter = copy.read(4)
        copy.seek(28)
        copy.write(pages.to_bytes(4, "big"))
        copy.seek(92)
        copy.write(counter)
    if _beside(file, WAL).exists():
        shutil.copyfile(_beside(file, WAL), _beside(target, WAL))


def _page_size(head: bytes) -> int:
    size = int.from_bytes(head[16:18], "big")
    return 65536 if size == 1 else size


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
