"""v1 over one httpx client.

The token goes into the Authorization header of calls to the API's own host and nowhere else: no call
that carries it follows a redirect, and media is fetched without it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Literal, TypeVar
from urllib.parse import quote as percent

import httpx
import msgspec

from zooop_nb._version import __version__
from zooop_nb.client import files as media
from zooop_nb.client import responses as answers
from zooop_nb.client import retry
from zooop_nb.contract.backend import Fetched, Mode
from zooop_nb.contract.shapes import (
    Description,
    Me,
    Model,
    ModelList,
    Quote,
    Recipe,
    Submitted,
    TaskState,
    TemplateList,
    ToolList,
    Uploaded,
)
from zooop_nb.errors import Action, InvalidResponse, Remedy, Unreachable, ZooopError, remedy
from zooop_nb.settings import Settings, is_loopback

T = TypeVar("T")
Page = Literal["/llms.txt", "/llms-full.txt", "/api-docs.md", "/skills/zooop/SKILL.md"]
"""What the host serves to anybody, beside the API."""

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0, write=120.0, pool=None)
# A submit can be slow and still succeed; describe-image waits for a vision model.
SLOW: Final = httpx.Timeout(120.0, connect=10.0, pool=None)


class LiveBackend:
    """The API itself, or a sandbox. Use it on one event loop; close it with `aclose()`.

    `sleep` waits so many seconds between two looks at an upload: a clock that can be moved on (the
    sandbox's, under its control) needs another than asyncio's.
    """

    def __init__(
        self, settings: Settings, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        secret = settings.require_token()
        self.host = settings.host
        self.token = secret.digest
        self.mode: Mode = "sandbox" if settings.on_sandbox else "live"
        # A proxy from the environment is of no use for an address of this machine.
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=not is_loopback(self.host),
            headers={"User-Agent": f"zooop-nb/{__version__}"},
        )
        self._sleep = sleep
        self._secret = secret.reveal().encode()
        self._authorization = {"Authorization": f"Bearer {secret.reveal()}"}

    def __repr__(self) -> str:
        return f"<LiveBackend {self.host} ({self.mode})>"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def me(self) -> Me:
        """`GET /v1/me`."""
        return await self._get("/v1/me", Me)

    async def models(self, type: str, subtype: str) -> Sequence[Model]:
        """`GET /v1/models`, pre-sorted with the recommended model first."""
        listed = await self._get(f"/v1/models?type={percent(type)}&subtype={percent(subtype)}", ModelList)
        return listed.models

    async def tools(self, media_type: str | None = None) -> Sequence[Recipe]:
        """`GET /v1/ai-tools`."""
        return (await self._get(f"/v1/ai-tools{_type(media_type)}", ToolList)).ai_tools

    async def tool(self, slug: str) -> Recipe:
        """`GET /v1/ai-tools/{slug}`."""
        return await self._get(f"/v1/ai-tools/{percent(slug, safe='')}", Recipe)

    async def templates(self, media_type: str | None = None) -> Sequence[Recipe]:
        """`GET /v1/templates`."""
        return (await self._get(f"/v1/templates{_type(media_type)}", TemplateList)).templates

    async def template(self, slug: str) -> Recipe:
        """`GET /v1/templates/{slug}`."""
        return await self._get(f"/v1/templates/{percent(slug, safe='')}", Recipe)

    async def quote(self, body: bytes) -> Quote:
        """`POST /v1/quote`: no charge, no side effect."""
        return await self._post("/v1/quote", body, Quote)

    async def submit(self, body: bytes, key: str) -> Submitted:
        """`POST /v1/tasks` under `Idempotency-Key`: sent again, it is the same task.

        An error says in `maybe_arrived` whether any of the attempts may have been accepted.
        """
        lost = False
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}

        async def send() -> Submitted:
            nonlocal lost
            try:
                return await self._send(
                    "POST", "/v1/tasks", Submitted, content=body, headers=headers, timeout=SLOW
                )
            except ZooopError as error:
                lost = error.maybe_arrived = lost or error.maybe_arrived
                raise

        return await retry.call(send)

    async def task(self, task_id: str) -> TaskState:
        """`GET /v1/tasks/{id}`."""
        return await self._get(f"/v1/tasks/{percent(task_id, safe='')}", TaskState)

    async def describe(self, image_url: str, language: str | None = None) -> Description:
        """`POST /v1/describe-image`, 1 credit. It has no idempotency key, so it is sent once only."""
        body = {"imageUrl": image_url} | ({"language": language} if language else {})
        return await self._post(
            "/v1/describe-image", msgspec.json.encode(body), Description, timeout=SLOW, attempts=1
        )

    async def upload(self, file: Path, content_type: str) -> str:
        """Bring a file to the API and follow it until it is ready, as a clip needs; its ZOOOP URL.

        A clip is asked about after 5, 10, 20 and 20 s and again from 5, for up to 30 minutes. Raises as
        `start_upload` does, and `BadMedia` where the API rejects what is in the file. API documentation:
        `GET /v1/uploads/{uploadId}`.
        """
        state = await self.start_upload(file, content_type)
        upload_id = state.upload_id or ""
        for wait in media.upload_waits():
            if state.status != "processing":
                break
            await self._sleep(wait)
            state = await self.upload_state(upload_id)
        return media.ready_url(file.name, state)

    async def start_upload(self, file: Path, content_type: str) -> Uploaded:
        """`POST /v1/uploads`, streamed from disk: `ready` at once, or for a clip `processing`.

        Raises `BadMedia`, before a byte is sent, for a file that is empty, over 100 MB or of a type that
        the API does not take; `ModerationBlocked` (451) for a picture that it rejects.
        """
        size = file.stat().st_size
        media.check_upload(file.name, size, content_type)

        async def send() -> Uploaded:
            # The length is known, so the body needs no chunked encoding; the file is never whole in memory.
            headers = {"Content-Type": content_type, "Content-Length": str(size)}
            return await self._send(
                "POST", "/v1/uploads", Uploaded, content=media.chunks(file), headers=headers, timeout=SLOW
            )

        return await retry.call(send)

    async def upload_state(self, upload_id: str) -> Uploaded:
        """`GET /v1/uploads/{uploadId}`: `processing`, `ready`, `blocked` or `errored`.

        Only the token that made the upload can ask; others get 404 `unknown_upload`.
        """
        return await self._get(f"/v1/uploads/{percent(upload_id, safe='')}", Uploaded)

    async def page(self, path: Page) -> str:
        """A text that the host serves beside the API, asked for without the token.

        API documentation: "For developers", "Transient errors".
        """

        async def send() -> str:
            response = await self._answer("GET", path, headers={})
            if response.status_code == 200:
                return response.text
            raise answers.refusal(
                response.status_code, response.headers, response.content, asked=f"GET {path}"
            )

        return await retry.call(send)

    async def fetch(self, url: str, folder: Path, name: str) -> Fetched:
        """Stream an output to disk, without the token; the extension comes from the content type."""

        async def send() -> Fetched:
            try:
                async with self._http.stream("GET", url, follow_redirects=True) as response:
                    if response.status_code != 200:
                        body = await response.aread()
                        raise answers.refusal(
                            response.status_code, response.headers, body, asked=f"GET {media.short(url)}"
                        )
                    return await media.keep(response, folder, name)
            except httpx.HTTPError as error:
                raise _unreachable(error, f"GET {media.short(url)}") from error
            except httpx.InvalidURL as error:
                raise InvalidResponse(f"“{media.short(url)}” is no URL.") from error

        return await retry.call(send)

    async def _get(self, path: str, shape: type[T]) -> T:
        return await retry.call(lambda: self._send("GET", path, shape))

    async def _post(
        self,
        path: str,
        body: bytes,
        shape: type[T],
        *,
        timeout: httpx.Timeout = TIMEOUT,
        attempts: int = retry.ATTEMPTS,
    ) -> T:
        headers = {"Content-Type": "application/json"}
        return await retry.call(
            lambda: self._send("POST", path, shape, content=body, headers=headers, timeout=timeout),
            attempts=attempts,
        )

    async def _send(
        self,
        method: str,
        path: str,
        shape: type[T],
        *,
        content: bytes | AsyncIterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> T:
        response = await self._answer(
            method, path, headers=self._authorization | (headers or {}), content=content, timeout=timeout
        )
        asked = f"{method} {path.partition('?')[0]}"
        # A proxy's page may repeat what it was sent; no error of ours does.
        body = response.content.replace(self._secret, b"...")
        if response.is_success:
            return answers.decode(body, shape, asked=asked)
        raise answers.refusal(response.status_code, response.headers, body, asked=asked)

    async def _answer(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str],
        content: bytes | AsyncIterator[bytes] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> httpx.Response:
        """What the API's own host answers, whatever that is; a redirect is not followed."""
        asked = f"{method} {path.partition('?')[0]} at {self.host}"
        check = remedy(Action.CHECK_HOST, host=self.host)
        try:
            response = await self._http.request(
                method, self.host + path, content=content, headers=headers, timeout=timeout
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(error, asked, value=self.host, remedies=[check]) from error
        if response.is_redirect:
            raise InvalidResponse(
                f"{asked} was answered with a redirect, which is not followed: "
                "the API key goes to the API's own host only.",
                value=self.host,
                remedies=[check],
            )
        return response


def _unreachable(
    error: httpx.HTTPError | httpx.InvalidURL,
    asked: str,
    *,
    value: str | None = None,
    remedies: Sequence[Remedy] = (),
) -> Unreachable:
    why = "no answer in time" if isinstance(error, httpx.TimeoutException) else str(error) or "no answer"
    unreachable = Unreachable(f"{asked} got no answer: {why}.", value=value or asked, remedies=remedies)
    # Where no connection came about, nothing was sent.
    nothing_sent = httpx.ConnectError | httpx.ConnectTimeout | httpx.InvalidURL | httpx.UnsupportedProtocol
    unreachable.maybe_arrived = not isinstance(error, nothing_sent)
    return unreachable


def _type(media_type: str | None) -> str:
    return f"?type={percent(media_type)}" if media_type else ""
