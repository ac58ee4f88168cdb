"""v1 over one httpx client.

The token is sent only in the Authorization header to the API's own host: no request that carries it follows
a redirect, and media is downloaded without it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote as percent

import httpx

from zooop_nb._version import __version__
from zooop_nb.client import files, responses, retry
from zooop_nb.contract.backend import Fetched, Intent, Mode, OnWait
from zooop_nb.contract.clock import ServerClock
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
from zooop_nb.errors import Action, InvalidResponse, Remedy, Unreachable, remedy
from zooop_nb.settings import Settings, is_loopback

T = TypeVar("T")
Page = Literal["/llms.txt", "/llms-full.txt", "/api-docs.md", "/skills/zooop/SKILL.md"]
"""The public texts that the host serves beside the API."""

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0, write=120.0, pool=None)
# A submit can be slow and still succeed; describe-image waits for a vision model.
SLOW: Final = httpx.Timeout(120.0, connect=10.0, pool=None)
_JSON: Final = {"Content-Type": "application/json"}


class LiveBackend:
    """The API itself, or a sandbox. Use it on one event loop; close it with `aclose()`.

    `sleep` waits between two polls of an upload; the tests pass one that moves the sandbox's clock.
    """

    def __init__(
        self, settings: Settings, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        secret = settings.require_token()
        self.host = settings.host
        self.token = secret.digest
        self.clock = ServerClock()
        self.mode: Mode = "sandbox" if settings.on_sandbox else "live"
        # The environment's proxy cannot reach an address of this machine.
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
        """`GET /v1/models`, sorted by the API with the recommended model first."""
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

    async def quote(self, intent: Intent) -> Quote:
        """`POST /v1/quote`: no charge, no side effect."""
        return await retry.call(
            partial(self._send, "POST", "/v1/quote", Quote, content=intent.body, headers=_JSON)
        )

    async def submit_allowed(self, on_wait: OnWait | None = None) -> None:
        """Nothing is known of the rate limit yet."""

    async def submit(self, intent: Intent) -> Submitted:
        """`POST /v1/tasks` under `Idempotency-Key`: a retry returns the same task.

        The `maybe_arrived` of an error tells whether any of the attempts may have been accepted.
        """
        headers = {**_JSON, "Idempotency-Key": intent.key}
        return await retry.call(
            partial(
                self._send,
                "POST",
                "/v1/tasks",
                Submitted,
                content=intent.body,
                headers=headers,
                timeout=SLOW,
            )
        )

    async def task(self, task_id: str) -> TaskState:
        """`GET /v1/tasks/{id}`."""
        return await self._get(f"/v1/tasks/{percent(task_id, safe='')}", TaskState)

    async def describe(self, intent: Intent) -> Description:
        """`POST /v1/describe-image`, 1 credit. It takes no idempotency key, so it is never retried."""
        return await retry.call(
            partial(
                self._send,
                "POST",
                "/v1/describe-image",
                Description,
                content=intent.body,
                headers=_JSON,
                timeout=SLOW,
            ),
            attempts=1,
        )

    async def upload(self, file: Path, content_type: str) -> str:
        """Upload a file and return its ZOOOP URL; a clip is polled until it is ready.

        A clip is polled after 5, 10, 20 and 20 s and again from 5, for up to 30 minutes. Raises as
        `start_upload` does, and `BadMedia` if the API rejects the content. API documentation:
        `GET /v1/uploads/{uploadId}`.
        """
        state = await self.start_upload(file, content_type)
        upload_id = state.upload_id or ""
        for wait in files.upload_waits():
            if state.status != "processing":
                break
            await self._sleep(wait)
            state = await self.upload_state(upload_id)
        return files.ready_url(file.name, state)

    async def start_upload(self, file: Path, content_type: str) -> Uploaded:
        """`POST /v1/uploads`, streamed from disk: `ready` at once, or `processing` for a clip.

        Raises `BadMedia` before a byte is sent if the file is empty, over 100 MB or of a type that the API
        does not take; `ModerationBlocked` (451) for an image that it rejects.
        """
        size = file.stat().st_size
        files.check_upload(file.name, size, content_type)
        # With a length the body needs no chunked encoding; the file is never whole in memory.
        headers = {"Content-Type": content_type, "Content-Length": str(size)}

        async def send() -> Uploaded:
            content = files.chunks(file)
            sent: Uploaded = await self._send(
                "POST", "/v1/uploads", Uploaded, content=content, headers=headers, timeout=SLOW
            )
            return sent

        return await retry.call(send)

    async def upload_state(self, upload_id: str) -> Uploaded:
        """`GET /v1/uploads/{uploadId}`: `processing`, `ready`, `blocked` or `errored`.

        Only the token that made the upload can poll it; others get 404 `unknown_upload`.
        """
        return await self._get(f"/v1/uploads/{percent(upload_id, safe='')}", Uploaded)

    async def page(self, path: Page) -> str:
        """Fetch a public text that the host serves beside the API, without the token.

        API documentation: "For developers", "Transient errors".
        """
        response: httpx.Response = await retry.call(partial(self._send, "GET", path, None))
        return response.text

    async def fetch(self, url: str, folder: Path, name: str) -> Fetched:
        """Stream an output to disk, without the token; the extension comes from the content type."""

        async def send() -> Fetched:
            try:
                async with self._http.stream("GET", url, follow_redirects=True) as response:
                    if response.status_code != 200:
                        body = await response.aread()
                        raise responses.refusal(
                            response.status_code, response.headers, body, asked=f"GET {files.short(url)}"
                        )
                    return await files.save(response, folder, name)
            except httpx.HTTPError as error:
                raise _unreachable(error, f"GET {files.short(url)}") from error
            except httpx.InvalidURL as error:
                raise InvalidResponse(f"“{files.short(url)}” is no URL.") from error

        return await retry.call(send)

    async def _get(self, path: str, shape: type[T]) -> T:
        return await retry.call(partial(self._send, "GET", path, shape))

    async def _send(
        self,
        method: str,
        path: str,
        shape: type[T] | None,
        *,
        content: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> Any:
        """Exchange one request and response with the API's own host; a redirect is never followed.

        Returns the body decoded as `shape`. Without a shape the request carries no token, and the response
        itself is returned.
        """
        asked = f"{method} {path.partition('?')[0]}"
        check = remedy(Action.CHECK_HOST, host=self.host)
        authorization = {} if shape is None else self._authorization
        try:
            response = await self._http.request(
                method,
                self.host + path,
                content=content,
                headers={**authorization, **(headers or {})},
                timeout=timeout,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(error, f"{asked} at {self.host}", value=self.host, remedies=[check]) from error
        if response.is_redirect:
            raise InvalidResponse(
                f"{asked} at {self.host} returned a redirect, which is not followed: "
                "the API key is sent to the API's own host only.",
                value=self.host,
                remedies=[check],
            )
        # A proxy's page may repeat what it was sent, and no error of ours may hold the token.
        body = response.content.replace(self._secret, b"...")
        if not response.is_success:
            raise responses.refusal(response.status_code, response.headers, body, asked=asked)
        return response if shape is None else responses.decode(body, shape, asked=asked)


def _unreachable(
    error: httpx.HTTPError | httpx.InvalidURL,
    asked: str,
    *,
    value: str | None = None,
    remedies: Sequence[Remedy] = (),
) -> Unreachable:
    why = "no answer in time" if isinstance(error, httpx.TimeoutException) else str(error) or "no answer"
    # Without a connection nothing was sent.
    nothing_sent = httpx.ConnectError | httpx.ConnectTimeout | httpx.InvalidURL | httpx.UnsupportedProtocol
    return Unreachable(
        f"{asked} got no answer: {why}.",
        value=value or asked,
        remedies=remedies,
        maybe_arrived=not isinstance(error, nothing_sent),
    )


def _type(media_type: str | None) -> str:
    return f"?type={percent(media_type)}" if media_type else ""
