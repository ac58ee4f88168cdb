"""v1 over one httpx client.

The token is sent only in the Authorization header to the API's own host: no request that carries it follows
a redirect, and media is downloaded without it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote as percent

import httpx

from zooop_nb._version import __version__
from zooop_nb.client import files, responses, retry, throttle
from zooop_nb.contract.backend import Fetched, Intent, Mode, OnWait
from zooop_nb.contract.clock import ServerClock, since_boot
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
"""The public texts that the host serves beside the API."""

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0, write=120.0, pool=None)
# A submit can be slow and still succeed; describe-image waits for a vision model.
SLOW: Final = httpx.Timeout(120.0, connect=10.0, pool=None)
_SUBMIT: Final = "POST /v1/tasks"
_JSON: Final = {"Content-Type": "application/json"}
# Of the processes that this one was forked from. Their sockets are shared with them, so they are neither used
# nor closed here, not even by being forgotten.
_inherited: Final[list[httpx.AsyncClient]] = []


class LiveBackend:
    """The API itself, or a sandbox. Use it on one event loop; close it with `aclose()`.

    `sleep` waits between two polls of an upload and for the rate limits, which are reckoned by `monotonic`;
    a test passes ones that move the sandbox's clock too. A forked child has connections of its own.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = since_boot,
        clock: ServerClock | None = None,
    ) -> None:
        secret = settings.require_token()
        self.host = settings.host
        self.token = secret.digest
        self.clock = clock or ServerClock()
        self.mode: Mode = "sandbox" if settings.on_sandbox else "live"
        self._sleep = sleep
        self._monotonic = monotonic
        self._secret = secret.reveal().encode()
        self._authorization = {"Authorization": f"Bearer {secret.reveal()}"}
        self._process = os.getpid()
        self._client = self._open()

    def __repr__(self) -> str:
        return f"<LiveBackend {self.host} ({self.mode})>"

    async def aclose(self) -> None:
        """Close the connections of this process."""
        if self._process == os.getpid():
            await self._client.aclose()

    @property
    def _http(self) -> httpx.AsyncClient:
        if self._process != os.getpid():
            _inherited.append(self._client)
            self._client, self._process = self._open(), os.getpid()
        return self._client

    def _open(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            timeout=TIMEOUT,
            follow_redirects=False,
            # The environment's proxy cannot reach an address of this machine.
            trust_env=not is_loopback(self.host),
            headers={"User-Agent": f"zooop-nb/{__version__}"},
        )

    async def me(self, on_wait: OnWait | None = None) -> Me:
        """`GET /v1/me`. The rates that it tells hold from now on."""
        found = await self._get("/v1/me", Me, endpoint="GET /v1/me", on_wait=on_wait)
        throttle.learn(self.host, self.token, self._monotonic, found.limits)
        return found

    async def models(self, type: str, subtype: str) -> Sequence[Model]:
        """`GET /v1/models`, sorted by the API with the recommended model first."""
        listed = await self._get(f"/v1/models?type={percent(type)}&subtype={percent(subtype)}", ModelList)
        return listed.models

    async def tools(self, media_type: str | None = None, on_wait: OnWait | None = None) -> Sequence[Recipe]:
        """`GET /v1/ai-tools`."""
        path = f"/v1/ai-tools{_type(media_type)}"
        return (await self._get(path, ToolList, endpoint="GET /v1/ai-tools", on_wait=on_wait)).ai_tools

    async def tool(self, slug: str, on_wait: OnWait | None = None) -> Recipe:
        """`GET /v1/ai-tools/{slug}`."""
        path = f"/v1/ai-tools/{percent(slug, safe='')}"
        return await self._get(path, Recipe, endpoint="GET /v1/ai-tools", on_wait=on_wait)

    async def templates(
        self, media_type: str | None = None, on_wait: OnWait | None = None
    ) -> Sequence[Recipe]:
        """`GET /v1/templates`."""
        path = f"/v1/templates{_type(media_type)}"
        listed = await self._get(path, TemplateList, endpoint="GET /v1/templates", on_wait=on_wait)
        return listed.templates

    async def template(self, slug: str, on_wait: OnWait | None = None) -> Recipe:
        """`GET /v1/templates/{slug}`."""
        path = f"/v1/templates/{percent(slug, safe='')}"
        return await self._get(path, Recipe, endpoint="GET /v1/templates", on_wait=on_wait)

    async def quote(self, intent: Intent, on_wait: OnWait | None = None) -> Quote:
        """`POST /v1/quote`: no charge, no side effect."""
        send = partial(self._send, "POST", "/v1/quote", Quote, content=intent.body, headers=_JSON)
        return await self._paced("POST /v1/quote", send, on_wait)

    async def submit_allowed(self, on_wait: OnWait | None = None) -> None:
        """Wait until the window of `POST /v1/tasks` has a place; it is not taken yet."""
        window = throttle.window(self.host, self.token, _SUBMIT, self._monotonic)
        async with window.place(self._sleep, on_wait) as place:
            place.give_back()

    async def submit(self, intent: Intent) -> Submitted:
        """`POST /v1/tasks` under `Idempotency-Key`: a retry returns the same task.

        The `maybe_arrived` of an error tells whether any of the attempts may have been accepted. No attempt
        is made at or after `send_before`, by the server's clock.
        """

        def in_time() -> None:
            if intent.send_before is not None and self.clock.now() >= intent.send_before:
                raise retry.NotSent(
                    "The order was not sent: the API may have forgotten its key since "
                    f"{intent.send_before:%Y-%m-%d %H:%M} UTC, and would take it for another order.",
                    value=intent.order_id or intent.key,
                )

        headers = {**_JSON, "Idempotency-Key": intent.key}
        send = partial(
            self._send,
            "POST",
            "/v1/tasks",
            Submitted,
            content=intent.body,
            headers=headers,
            timeout=SLOW,
        )
        return await self._paced(
            _SUBMIT,
            send,
            None,
            rule=retry.should_submit_again,
            # After a lost response nobody can say that the order was not taken.
            waits=lambda error: retry.is_rate_limit(error) and error.maybe_arrived,
            check=in_time,
        )

    async def task(self, task_id: str) -> TaskState:
        """`GET /v1/tasks/{id}`."""
        return await self._get(f"/v1/tasks/{percent(task_id, safe='')}", TaskState)

    async def describe(self, intent: Intent, on_wait: OnWait | None = None) -> Description:
        """`POST /v1/describe-image`, 1 credit.

        It takes no idempotency key: it is sent again only after an answer that says that nothing was charged
        (`rate_limited`) or that it was refunded.
        """
        send = partial(
            self._send,
            "POST",
            "/v1/describe-image",
            Description,
            content=intent.body,
            headers=_JSON,
            timeout=SLOW,
        )
        rule = retry.should_describe_again
        return await self._paced("POST /v1/describe-image", send, on_wait, rule=rule)

    async def upload(self, file: Path, content_type: str, on_wait: OnWait | None = None) -> str:
        """Upload a file and return its ZOOOP URL; a clip is polled until it is ready.

        A clip is polled after 5, 10, 20 and 20 s and again from 5, for up to 30 minutes. Raises as
        `start_upload` does, and `BadMedia` if the API rejects the content. API documentation:
        `GET /v1/uploads/{uploadId}`.
        """
        state = await self.start_upload(file, content_type, on_wait)
        upload_id = state.upload_id or ""
        for wait in files.upload_waits():
            if state.status != "processing":
                break
            await self._sleep(wait)
            state = await self.upload_state(upload_id, on_wait)
        return files.ready_url(file.name, state)

    async def start_upload(self, file: Path, content_type: str, on_wait: OnWait | None = None) -> Uploaded:
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

        return await self._paced("POST /v1/uploads", send, on_wait)

    async def upload_state(self, upload_id: str, on_wait: OnWait | None = None) -> Uploaded:
        """`GET /v1/uploads/{uploadId}`: `processing`, `ready`, `blocked` or `errored`.

        Only the token that made the upload can poll it; others get 404 `unknown_upload`.
        """
        path = f"/v1/uploads/{percent(upload_id, safe='')}"
        return await self._get(path, Uploaded, endpoint="GET /v1/uploads/{id}", on_wait=on_wait)

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

    async def _get(
        self, path: str, shape: type[T], *, endpoint: str | None = None, on_wait: OnWait | None = None
    ) -> T:
        send = partial(self._send, "GET", path, shape)
        return await (self._paced(endpoint, send, on_wait) if endpoint else retry.call(send))

    async def _paced(
        self,
        endpoint: str,
        send: Callable[[], Awaitable[T]],
        on_wait: OnWait | None,
        *,
        rule: retry.Rule = retry.should_retry,
        waits: Callable[[ZooopError], bool] = retry.is_rate_limit,
        check: Callable[[], None] = lambda: None,
    ) -> T:
        """Send within the rate limit of an endpoint, and wait where the API says 429 all the same.

        `waits` tells for which errors. `check` may raise `NotSent` before each attempt.
        """
        refused = False

        async def attempt() -> T:
            nonlocal refused
            check()
            window = throttle.window(self.host, self.token, endpoint, self._monotonic)
            async with window.place(self._sleep, on_wait, ahead=refused) as place:
                try:
                    check()
                    found = await send()
                except ZooopError as error:
                    refused = retry.is_rate_limit(error)
                    if refused:
                        window.shut(getattr(error, "retry_after", None))
                    elif isinstance(error, retry.NotSent) or (
                        isinstance(error, Unreachable) and not error.maybe_arrived
                    ):
                        place.give_back()
                    elif not isinstance(error, Unreachable):
                        window.admitted()
                    raise
                window.admitted()
                return found

        return await retry.call(attempt, rule=rule, waits=waits)

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
        began = self._monotonic()
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
        self._hear(response, self._monotonic() - began)
        # A proxy's page may repeat what it was sent, and no error of ours may hold the token.
        body = response.content.replace(self._secret, b"...")
        if not response.is_success:
            raise responses.refusal(response.status_code, response.headers, body, asked=asked)
        return response if shape is None else responses.decode(body, shape, asked=asked)

    def _hear(self, response: httpx.Response, took: float) -> None:
        """Take the server's time from a response that is the API's own: a proxy's page tells the proxy's."""
        if response.is_success or responses.is_envelope(response.content):
            date = responses.date(response.headers)
            if date is not None:
                self.clock.hear(date, took)


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
