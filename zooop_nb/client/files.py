"""Files up and down: what may be uploaded, how it is read, how an output gets its name on disk."""

import asyncio
import hashlib
import itertools
import mimetypes
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import httpx

from zooop_nb.contract.backend import Fetched
from zooop_nb.contract.shapes import Uploaded
from zooop_nb.errors import Action, BadMedia, remedy

LARGEST_UPLOAD: Final = 100 * 1024 * 1024
"""Bytes. API documentation: "Size cap"."""

UPLOAD_TYPES: Final = (
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/gif",
    "audio/mpeg",
    "audio/wav",
    "audio/webm",
    "audio/ogg",
    "video/mp4",
    "video/webm",
    "video/quicktime",
)
"""API documentation: "Allowed Content-Type values"."""

CHUNK: Final = 256 * 1024
VIDEO_DEADLINE: Final = 30 * 60.0

# The types whose usual extension `mimetypes` does not know, or knows by a rarer name.
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
    """The file extension of a content type, with its dot; `.bin` where none is known."""
    bare = content_type.partition(";")[0].strip().lower()
    return _EXTENSIONS.get(bare) or mimetypes.guess_extension(bare) or ".bin"


def check_upload(name: str, size: int, content_type: str) -> None:
    """Raise `BadMedia` for what the API would refuse anyway, before a byte is sent."""
    if size == 0:
        raise BadMedia(f"{name} is empty.", value=name, remedies=[remedy(Action.CHECK_FILE)])
    if size > LARGEST_UPLOAD:
        raise BadMedia(
            f"{name} has {size / 1024 / 1024:.0f} MB; the API takes up to 100 MB. "
            "Upload it at https://zooop.ai and use its URL.",
            value=name,
        )
    if content_type not in UPLOAD_TYPES:
        raise BadMedia(
            f"{name} is {content_type}; the API takes {', '.join(UPLOAD_TYPES)}.",
            value=name,
            remedies=[remedy(Action.CHECK_FILE)],
        )


def upload_waits() -> Iterator[float]:
    """The seconds between the polls of a video upload: 5, 10, 20, 20 and again, up to 30 minutes."""
    gone = 0.0
    for wait in itertools.cycle((5.0, 10.0, 20.0, 20.0)):
        gone += wait
        if gone > VIDEO_DEADLINE:
            return
        yield wait


def ready_url(name: str, state: Uploaded) -> str:
    """The URL of an upload that is ready. Raises `BadMedia` for one that is not."""
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
    """A file's bytes, a quarter of a megabyte at a time."""
    with await asyncio.to_thread(file.open, "rb") as stream:
        while chunk := await asyncio.to_thread(stream.read, CHUNK):
            yield chunk


async def keep(response: httpx.Response, folder: Path, name: str) -> Fetched:
    """Write a streamed answer under a temporary name, then rename it: a file is whole or not there."""
    content_type = response.headers.get("content-type", "application/octet-stream").partition(";")[0].strip()
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    # One follows an order at a time, so what lies there was left by a process that died.
    for left in await asyncio.to_thread(lambda: [*folder.glob(f".{name}.*.part")]):
        left.unlink(missing_ok=True)
    partial = folder / f".{name}.{uuid.uuid4().hex}.part"
    digest, size = hashlib.sha256(), 0
    try:
        with await asyncio.to_thread(partial.open, "wb") as file:
            async for chunk in response.aiter_bytes(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                await asyncio.to_thread(file.write, chunk)
        path = folder / f"{name}{extension(content_type)}"
        await asyncio.to_thread(os.replace, partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return Fetched(path=path, content_type=content_type, size=size, sha256=digest.hexdigest())


def short(url: str) -> str:
    """A URL for a message: without its query, which may hold a signature."""
    return url.partition("?")[0].partition("#")[0]
