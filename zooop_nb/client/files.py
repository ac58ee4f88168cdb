"""Files up and down: checks before an upload, streaming, and the names of outputs on disk."""

import asyncio
import contextlib
import hashlib
import itertools
import mimetypes
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from zooop_nb.contract.backend import Fetched
from zooop_nb.contract.limits import UPLOAD_DEADLINE, UPLOAD_POLLS, upload_problem
from zooop_nb.contract.shapes import Uploaded
from zooop_nb.errors import Action, BadMedia, remedy

if TYPE_CHECKING:
    import filelock

CHUNK: Final = 256 * 1024
"""Bytes that are read or written at a time."""

# Types whose usual extension `mimetypes` does not know, or knows by a rarer name.
_EXTENSIONS: Final = {
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "audio/ogg": ".ogg",
    "audio/webm": ".weba",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "video/quicktime": ".mov",
}


def extension(content_type: str) -> str:
    """Return the file extension of a content type, with its dot; `.bin` if none is known."""
    bare = content_type.partition(";")[0].strip().lower()
    return _EXTENSIONS.get(bare) or mimetypes.guess_extension(bare) or ".bin"


def check_upload(name: str, size: int, content_type: str) -> None:
    """Raise `BadMedia` for a file that the API would refuse, before a byte is sent. `size` is in bytes."""
    if problem := upload_problem(size, content_type):
        raise BadMedia(f"{name} {problem}", value=name, remedies=[remedy(Action.CHECK_FILE)])


def upload_waits() -> Iterator[float]:
    """Yield the seconds between the polls of a video upload: 5, 10, 20, 20 and again, up to 30 minutes."""
    elapsed = 0.0
    for wait in itertools.cycle(UPLOAD_POLLS):
        elapsed += wait
        if elapsed > UPLOAD_DEADLINE:
            return
        yield wait


def ready_url(name: str, state: Uploaded) -> str:
    """Return the URL of an upload that is ready. Raises `BadMedia` for one that is not."""
    if state.status == "ready" and state.url:
        return state.url
    if state.status == "blocked":
        why = f"its content was rejected ({state.labels})" if state.labels else "its content was rejected"
        raise BadMedia(f"{name} cannot be used: {why}.", value=name, remedies=[remedy(Action.REWORD)])
    if state.status == "processing":
        raise BadMedia(f"{name} was not ready 30 minutes after its upload.", value=name)
    why = str(state.reason or state.error or state.status)
    raise BadMedia(f"{name} could not be uploaded: {why}.", value=name, remedies=[remedy(Action.CHECK_FILE)])


async def chunks(file: Path) -> AsyncIterator[bytes]:
    """Yield a file's bytes, a quarter of a megabyte at a time."""
    with await asyncio.to_thread(file.open, "rb") as stream:
        while chunk := await asyncio.to_thread(stream.read, CHUNK):
            yield chunk


async def save(response: httpx.Response, folder: Path, name: str) -> Fetched:
    """Write a streamed response under a temporary name, then rename it: a file is complete or absent."""
    content_type = response.headers.get("content-type", "application/octet-stream").partition(";")[0].strip()
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    await asyncio.to_thread(_remove_orphans, folder, name)
    digest, size = hashlib.sha256(), 0
    path = folder / f"{name}{extension(content_type)}"
    with _partial(folder, name) as partial:
        with await asyncio.to_thread(partial.open, "wb") as file:
            async for chunk in response.aiter_bytes(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(os.replace, partial, path)
    return Fetched(path=path, content_type=content_type, size=size, sha256=digest.hexdigest())


@contextlib.contextmanager
def _partial(folder: Path, name: str) -> Iterator[Path]:
    """Provide a path for a partial download, with a lock beside it that shows others that it is in use."""
    partial = folder / f".{name}.{uuid.uuid4().hex}.part"
    lock = _lock(partial)
    # Without locks (some network file systems) nothing is removed, so nothing needs protection.
    with contextlib.suppress(OSError, NotImplementedError):
        lock.acquire(blocking=False)
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)
        _unlock(lock)


def _remove_orphans(folder: Path, name: str) -> None:
    """Remove the partial downloads of dead processes. A live one may be downloading the same output now."""
    import filelock

    for partial in folder.glob(f".{name}.*.part"):
        lock = _lock(partial)
        with contextlib.suppress(filelock.Timeout, OSError, NotImplementedError):
            lock.acquire(blocking=False)
            partial.unlink(missing_ok=True)
            _unlock(lock)


def _lock(partial: Path) -> "filelock.BaseFileLock":
    # Late: it takes 20 ms to import, and a quote needs no lock.
    import filelock

    return filelock.FileLock(partial.with_suffix(".lock"), is_singleton=False)


def _unlock(lock: "filelock.BaseFileLock") -> None:
    lock.release()
    Path(lock.lock_file).unlink(missing_ok=True)


def short(url: str) -> str:
    """Return a URL for a message: without its query, which may hold a signature."""
    return url.partition("?")[0].partition("#")[0]
