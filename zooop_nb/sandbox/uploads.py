"""Uploads: a raw body is streamed to disk, checked and kept; clips are checked asynchronously.

API documentation: "POST /v1/uploads", "GET /v1/uploads/{uploadId}".
"""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from zooop_nb.sandbox.accounts import Key
from zooop_nb.sandbox.assets import Asset, Assets
from zooop_nb.sandbox.clock import Clock, stamp
from zooop_nb.sandbox.media import Facts, Unreadable, measure
from zooop_nb.sandbox.moderation import Marks, marks, unmarked
from zooop_nb.sandbox.refusal import Refusal

SIZE_LIMIT = 100 * 1024 * 1024
"""Bytes. API documentation: "Size cap"."""

ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/webm": "webm",
    "audio/ogg": "ogg",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
}
"""Allowed content types, in the documentation's order, and the extension of the stored file."""

CHECK_SECONDS = 12.0
"""How long checking a clip takes at speed 1; the documentation says 5 to 30 s."""


@dataclass(slots=True)
class Upload:
    """One upload. Only clips are polled by `id`."""

    id: str
    key: Key
    content_type: str
    size: int
    at: datetime
    status: str = "processing"
    asset: Asset | None = None
    labels: str | None = None
    reason: str | None = None
    check: asyncio.Task[None] | None = field(default=None, repr=False)

    def public(self, base: str) -> dict[str, object]:
        """Return the response body of `GET /v1/uploads/{uploadId}`."""
        if self.asset is not None:
            return {"status": "ready", "url": self.asset.url(base), "contentType": self.content_type}
        if self.status == "blocked":
            error = "Uploaded content violates content policy"
            return {"status": "blocked", "labels": self.labels, "error": error}
        if self.status == "errored":
            return {"status": "errored", "reason": self.reason}
        return {"status": "processing"}

    def book(self, base: str) -> dict[str, object]:
        """Return the entry that the control plane shows."""
        return {
            "uploadId": self.id,
            "status": self.status,
            "url": self.asset.url(base) if self.asset else None,
            "size": self.size,
            "contentType": self.content_type,
            "token": self.key.token,
            "at": stamp(self.at),
        }


def allowed_type(header: str | None) -> str:
    """Return the media type of a `Content-Type` header. Raises Refusal 400 with the allowlist."""
    content_type = (header or "").split(";")[0].strip().lower()
    if content_type not in ENDINGS:
        said = f"{content_type!r} is not allowed" if content_type else "Content-Type is missing"
        raise Refusal(
            400,
            "invalid_payload",
            f"{said}. Allowed: {', '.join(ENDINGS)}.",
            param="Content-Type",
            allowedContentTypes=list(ENDINGS),
        )
    return content_type


def check_length(header: str | None) -> None:
    """Check the announced length before the body is read. Raises Refusal 413 `file_too_large`."""
    if header is not None and header.isdecimal() and int(header) > SIZE_LIMIT:
        raise _too_large()


def _too_large() -> Refusal:
    return Refusal(
        413,
        "file_too_large",
        "The file is over 100 MB. Upload it in the web UI, then pass its URL to the task.",
        maxBytes=SIZE_LIMIT,
    )


class Uploads:
    """All uploads. The files of refused uploads are removed immediately."""

    def __init__(self, clock: Clock, assets: Assets, *, speed: float) -> None:
        self._clock = clock
        self._assets = assets
        self._check_seconds = CHECK_SECONDS / speed if speed else 0.0
        self._uploads: dict[str, Upload] = {}

    def all(self) -> list[Upload]:
        return list(self._uploads.values())

    def get(self, upload_id: str, key: Key) -> Upload | None:
        """Return a clip's upload if `key` made it, else None."""
        upload = self._uploads.get(upload_id)
        if upload is None or upload.key is not key or not upload.content_type.startswith("video/"):
            return None
        return upload

    async def receive(self, key: Key, content_type: str, body: AsyncIterable[bytes]) -> Upload:
        """Store a body. A picture or sound is `ready` on return, a clip `processing`.

        Raises Refusal 400 (empty, or not of the declared type), 413, 451, 502 or 503.
        """
        file = self._assets.folder / str(uuid.uuid4())
        try:
            size, sha256 = await _store(body, file)
            if not size:
                raise Refusal(
                    400, "invalid_payload", "The body is empty: send the file's bytes as the raw body."
                )
            found = await asyncio.to_thread(_marks, file)
            if found.unmoderated:
                raise Refusal(
                    503, "moderation_unavailable", "Content moderation is unavailable. Retry shortly."
                )
            upload = Upload(str(uuid.uuid4()), key, content_type, size, self._clock.now())
            draft = Asset(
                key=f"{key.folder}/{upload.id}.{ENDINGS[content_type]}",
                file=file,
                content_type=content_type,
                size=size,
                sha256=sha256,
                marks=found,
            )
            if content_type.startswith("video/"):
                upload.check = asyncio.create_task(self._check(upload, draft))
            else:
                await self._accept(upload, draft)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        self._uploads[upload.id] = upload
        return upload

    async def close(self) -> None:
        checks = [
            upload.check for upload in self._uploads.values() if upload.check and not upload.check.done()
        ]
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)

    async def _accept(self, upload: Upload, draft: Asset) -> None:
        if draft.marks.error is not None:
            raise Refusal(502, "storage_upload_failed", "The file could not be stored. Retry.")
        try:
            facts = await asyncio.to_thread(_measure, draft)
        except Unreadable as error:
            raise Refusal(
                400,
                "invalid_payload",
                f"The body is not {upload.content_type}: {error}. Send the file's real type.",
                param="Content-Type",
            ) from error
        if draft.marks.block is not None and upload.content_type.startswith("image/"):
            raise Refusal(
                451,
                "moderation_blocked",
                "Uploaded content violates content policy",
                type="invalid_request_error",
                labels=draft.marks.block,
            )
        self._keep(upload, draft, facts)

    async def _check(self, upload: Upload, draft: Asset) -> None:
        due = self._clock.elapsed() + self._check_seconds
        facts, reason = None, draft.marks.error
        try:
            facts = await asyncio.to_thread(_measure, draft)
        except Unreadable as error:
            reason = reason or f"The file is not {upload.content_type}: {error}"
        await self._clock.wait_until(due)
        if draft.marks.block is not None:
            upload.status, upload.labels = "blocked", draft.marks.block
        elif reason is not None or facts is None:
            upload.status, upload.reason = "errored", reason
        else:
            self._keep(upload, draft, facts)
            return
        draft.file.unlink(missing_ok=True)

    def _keep(self, upload: Upload, draft: Asset, facts: Facts) -> None:
        asset = Asset(
            draft.key,
            draft.file,
            draft.content_type,
            draft.size,
            draft.sha256,
            facts=facts,
            marks=draft.marks,
        )
        self._assets.add(asset)
        upload.asset, upload.status = asset, "ready"


async def _store(body: AsyncIterable[bytes], file: Path) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with file.open("wb") as out:
        async for chunk in body:
            size += len(chunk)
            if size > SIZE_LIMIT:
                raise _too_large()
            digest.update(chunk)
            out.write(chunk)
    return size, digest.hexdigest()


def _marks(file: Path) -> Marks:
    return marks(file.read_bytes())


def _measure(draft: Asset) -> Facts:
    return measure(unmarked(draft.file.read_bytes()), draft.content_type)
