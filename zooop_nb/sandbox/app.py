"""The sandbox as an ASGI application: routes, and error handlers that use the documented envelope."""

import contextlib
from collections.abc import AsyncIterator
from email.utils import format_datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zooop_nb.sandbox import control, pages, routes
from zooop_nb.sandbox.faults import Faults
from zooop_nb.sandbox.refusal import Refusal
from zooop_nb.sandbox.state import Sandbox


def build(sandbox: Sandbox, *, with_control: bool) -> ASGIApp:
    """Return the application that serves `sandbox`; `with_control` adds `/_sandbox/...` and its faults."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await sandbox.close()

    app = Starlette(
        routes=[*(control.ROUTES if with_control else ()), *pages.ROUTES, *routes.ROUTES],
        exception_handlers={
            Refusal: _refused,
            HTTPException: _unroutable,
            ClientDisconnect: _gone,
            Exception: _broken,
        },
        lifespan=lifespan,
    )
    # The API never redirects, and a client that does not follow redirects would take one for the response.
    app.router.redirect_slashes = False
    app.state.sandbox = sandbox
    if not with_control:
        return Dated(app, sandbox)
    app.state.faults = Faults(app)
    return Dated(app.state.faults, sandbox)


class Dated:
    """Every response carries `Date`, by the sandbox's clock instead of this machine's."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self._app = app
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(self._sandbox.clock.now(), usegmt=True).encode()
                message = {**message, "headers": [*message.get("headers", ()), (b"date", date)]}
            await send(message)

        await self._app(scope, receive, dated)


def _envelope(refusal: Refusal, headers: dict[str, str] | None = None) -> Response:
    headers = dict(headers or {})
    if refusal.retry_after is not None:
        headers["retry-after"] = f"{refusal.retry_after:g}"
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(refusal.envelope(), status_code=refusal.status, headers=headers)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _envelope(error)


async def _unroutable(request: Request, error: Exception) -> Response:
    """Handle unknown paths and methods."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    refusal = Refusal(error.status_code, code, f"{error.detail}: {request.method} {request.url.path}")
    return _envelope(refusal, dict(error.headers or {}))


async def _gone(_: Request, __: Exception) -> Response:
    """Handle a client that disconnects while sending its body; this response is never read."""
    return Response(status_code=400)


async def _broken(_: Request, __: Exception) -> Response:
    """Handle a bug in the sandbox; the traceback goes to stderr."""
    return _envelope(Refusal(500, "internal_error", "Internal error in the sandbox; see its log on stderr."))
