"""What files hold: their SHA-256, and whether a picture can be read. Each content is read once."""

import asyncio
import hashlib
import os
import time
from functools import partial
from pathlib import Path
from typing import Final

from zooop_nb.orders.single_flight import SingleFlight

REMEMBERED: Final = 1024
"""How many files, and how many pictures, are remembered; the oldest are forgotten first."""

UNRELIABLE: Final = 2.0
"""Seconds after a change within which another change may leave the same time stamp, as on FAT."""

READS_AT_ONCE: Final = 2
"""Files that are read whole side by side: a decoded picture is many times larger than its file."""

Stamp = tuple[int, ...]


class FileContents:
    """Remembers what files hold, for as long as they are unchanged by device, inode, size and times.

    A file that changed within the last `UNRELIABLE` seconds is read anew each time: a second change may not
    show in its times.
    """

    def __init__(self) -> None:
        self._digests: dict[Path, tuple[Stamp, str]] = {}
        self._pictures: dict[str, None] = {}
        self._flights = SingleFlight()
        self._reads: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None

    async def sha256(self, path: Path) -> str:
        """Return the SHA-256 of a file, 64 hex digits. Raises `OSError`."""
        stamp = await asyncio.to_thread(_stamp_of, path)
        known = self._digests.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        return await self._flights.run((path, stamp), partial(self._read, path))

    async def unreadable(self, path: Path, sha256: str) -> str | None:
        """Return why the picture with this content cannot be decoded; None if it can be."""
        if sha256 in self._pictures:
            return None
        return await self._flights.run(sha256, partial(self._decode, path, sha256))

    async def _read(self, path: Path) -> str:
        async with self._slots():
            stamp, digest = await asyncio.to_thread(_digest, path)
        if stamp is not None:
            self._digests.pop(path, None)
            self._digests[path] = (stamp, digest)
            if len(self._digests) > REMEMBERED:
                del self._digests[next(iter(self._digests))]
        return digest

    async def _decode(self, path: Path, sha256: str) -> str | None:
        async with self._slots():
            why = await asyncio.to_thread(_picture_problem, path)
        if why is None:
            self._pictures[sha256] = None
            if len(self._pictures) > REMEMBERED:
                del self._pictures[next(iter(self._pictures))]
        return why

    def _slots(self) -> asyncio.Semaphore:
        # A semaphore belongs to one loop, and a forked child has another.
        loop = asyncio.get_running_loop()
        if self._reads is None or self._reads[0] is not loop:
            self._reads = loop, asyncio.Semaphore(READS_AT_ONCE)
        return self._reads[1]


def _digest(path: Path) -> tuple[Stamp | None, str]:
    """Return the digest, and the stamp under which it may be remembered; None if it may not be."""
    with path.open("rb") as file:
        begun, before = time.time(), os.fstat(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        after = os.fstat(file.fileno())
    settled = begun - before.st_mtime > UNRELIABLE
    return (_stamp(before) if settled and _stamp(before) == _stamp(after) else None), digest


def _stamp_of(path: Path) -> Stamp:
    return _stamp(path.stat())


def _stamp(status: os.stat_result) -> Stamp:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _picture_problem(path: Path) -> str | None:
    # Late: only needed for media.
    from PIL import Image

    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return str(error)
    return None
