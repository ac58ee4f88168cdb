"""Notices that the file was deleted or replaced while it was open, and saves what it held.

Data written to a file that has lost its name cannot be found later. An open connection still reads it.
"""

import os
import sqlite3
import uuid
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple, TypeAlias

from zooop_nb.ledger.recovery import SHM, WAL, free_name

Identity: TypeAlias = tuple["_File | None", ...]
"""Which files lie under the names of the database, its log, and the log's index."""


class _File(NamedTuple):
    device: int
    inode: int
    has_content: bool
    """Of the database: a ledger always has some. Of the others, which come and go, always false."""


def names(file: Path) -> tuple[str, ...]:
    """Return the names to look at: the database's, its log's, and the log's index's."""
    return (str(file), f"{file}{WAL}", f"{file}{SHM}")


def identity(looked_at: tuple[str, ...]) -> Identity:
    """Return which files lie there now."""
    database, *others = looked_at
    return (_who(database, database=True), *map(_who, others))


def _who(name: str, *, database: bool = False) -> _File | None:
    try:
        found = Path(name).stat()
    except OSError:
        return None
    return _File(found.st_dev, found.st_ino, database and found.st_size > 0)


def is_unchanged(looked_at: tuple[str, ...], opened: Identity) -> bool:
    """Return whether the same files lie there still; quick, since each step asks twice."""
    size = 1
    for name, before in zip(looked_at, opened, strict=True):
        try:
            found = os.stat(name)  # noqa: PTH116 - faster than Path's
        except OSError:
            if before is not None:
                return False
            continue
        if before is None or found.st_ino != before.inode or found.st_dev != before.device:
            return False
        size = size and (found.st_size or not before.has_content)
    return bool(size)


def is_emptied(found: Identity, opened: Identity) -> bool:
    """Return whether the database is the same file, and has lost its content."""
    return found[0] is not None and opened[0] == found[0]._replace(has_content=True) != found[0]


def only_log_deleted(found: Identity, opened: Identity) -> bool:
    """Return whether the log or its index was deleted, and no other process has made new ones."""
    return found[0] == opened[0] and all(
        now is None or now == before for now, before in zip(found, opened, strict=True)
    )


def save_copy(connection: sqlite3.Connection, file: Path) -> Path:
    """Copy all that the connection reads to a new file beside `file`, and return it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    copy = file.with_name(f".{file.name}-{uuid.uuid4().hex}")
    try:
        with closing(sqlite3.connect(copy)) as new:
            connection.backup(new)
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    return copy


def remove_own_log(file: Path, opened: Identity) -> None:
    """Remove the log of a database that is gone: SQLite would write it over the one that lies there now."""
    for name, own in list(zip(names(file), opened, strict=True))[1:]:
        if own is not None and _who(name) == own:
            Path(name).unlink(missing_ok=True)


def put_back(copy: Path, file: Path) -> bool:
    """Give the copy the file's name; false if another process has put one there meanwhile."""
    try:
        os.link(copy, file)
    except FileExistsError:
        return False
    except OSError:
        # A file system without links.
        if file.exists():
            return False
        copy.rename(file)
        return True
    copy.unlink()
    return True


def keep_beside(copy: Path, file: Path) -> Path:
    """Give the copy a name of its own, such as `ledger.rescued-20260515T100000Z.sqlite`."""
    kept = free_name(file, "rescued")
    copy.rename(kept)
    return kept


def has_all_of(db: sqlite3.Connection, copy: Path) -> bool:
    """Return whether the database holds every row of the copy, or a later state of it."""
    db.execute("ATTACH ? AS copy", (str(copy),))
    try:
        tables = db.execute(
            "SELECT name FROM copy.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        return not any(_lacks(db, str(name)) for (name,) in tables)
    except sqlite3.DatabaseError:
        # Another schema, no ledger, or a damaged one.
        return False
    finally:
        with suppress(sqlite3.Error):
            db.execute("DETACH copy")


def _lacks(db: sqlite3.Connection, table: str) -> bool:
    columns = db.execute(f'PRAGMA copy.table_info("{table}")').fetchall()
    keys = [each["name"] for each in columns if each["pk"]]
    numbered = [each["type"].upper() for each in columns if each["pk"]] == ["INTEGER"]
    if not keys or numbered:
        # The database numbers these rows itself: they are the same where all the rest is.
        rest = ", ".join(f'"{each["name"]}"' for each in columns if each["name"] not in keys)
        query = f'SELECT {rest} FROM copy."{table}" EXCEPT SELECT {rest} FROM main."{table}" LIMIT 1'
    else:
        same = " AND ".join(f'm."{key}" = c."{key}"' for key in keys)
        if any(each["name"] == "updated_at" for each in columns):
            same += " AND m.updated_at >= c.updated_at"
        query = (
            f'SELECT 1 FROM copy."{table}" c'
            f' WHERE NOT EXISTS (SELECT 1 FROM main."{table}" m WHERE {same}) LIMIT 1'
        )
    return db.execute(query).fetchone() is not None
