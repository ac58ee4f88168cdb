"""Fault injection: requests that fail as real ones do, before or after the server has processed them.

A fault is `{"method", "path", "after", "times", "do"}`. `path` is a path, which includes everything below
it, or a glob (`/v1/tasks/*`; its `*` also matches slashes); `method` is optional. The first `after` matching
requests pass, the next `times` (default 1; null for all) fail. `do` is one of:

- `{"status", "code", "retryAfter", "message", "extras"}`: this response is sent instead, and the server does
  not act. Without `code` it is an HTML page, as a proxy in front of the API would send.
- `"drop_before"`: the connection closes before the server acts.
- `"drop_after"`: the connection closes after the server has acted.
- `"garbage"`: 200 with a body that is not JSON; the server does not act.
- `{"delay": seconds}`: the response is delayed.
- `{"truncate": bytes}`: the server acts, but the connection closes after this many bytes of the body.
"""

import asyncio
import fnmatch
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zooop_nb.sandbox.refusal import Refusal

HANG_UP = "zooop.hang_up"
"""The ASGI scope extension that closes the connection; the sandbox's own protocol class provides it."""
CONTROL = "/_sandbox/"

_WORDS = ("drop_before", "drop_after", "garbage")


@dataclass(slots=True)
class Fault:
    """One fault; `after` and `times` count down. `times` None means forever."""

    method: str | None
    path: str
    after: int
    times: int | None
    do: str | dict[str, Any]

    @classmethod
    def read(cls, data: object, place: str) -> "Fault":
        """Validate one fault. Raises Refusal 400 `invalid_payload`, which names the key."""
        if not isinstance(data, dict):
            raise _wrong(place, "must be an object with path and do")
        unknown = sorted(set(data) - {"method", "path", "after", "times", "do"})
        if unknown:
            raise _wrong(f"{place}.{unknown[0]}", "is unknown; the keys are method, path, after, times, do")
        method, path, after, times = (
            data.get("method"),
            data.get("path"),
            data.get("after", 0),
            data.get("times", 1),
        )
        if method is not None and not isinstance(method, str):
            raise _wrong(f"{place}.method", "must be text")
        if not isinstance(path, str) or not path.startswith(("/", "*")):
            raise _wrong(f"{place}.path", "must be text that begins with /")
        if not _count(after):
            raise _wrong(f"{place}.after", "must be a whole number, 0 or more")
        if times is not None and not (_count(times) and times):
            raise _wrong(f"{place}.times", "must be a whole number, 1 or more, or null")
        return cls(
            method.upper() if method else None, path, after, times, _read_do(data.get("do"), f"{place}.do")
        )

    def matches(self, method: str, path: str) -> bool:
        if self.method not in (None, method):
            return False
        if any(sign in self.path for sign in "*?["):
            return fnmatch.fnmatchcase(path, self.path)
        return path == self.path or path.startswith(self.path.rstrip("/") + "/")

    def public(self) -> dict[str, object]:
        return {
            "method": self.method,
            "path": self.path,
            "after": self.after,
            "times": self.times,
            "do": self.do,
        }


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _read_do(do: object, place: str) -> str | dict[str, Any]:
    if isinstance(do, str) and do in _WORDS:
        return do
    if isinstance(do, dict):
        if set(do) == {"delay"} and isinstance(do["delay"], int | float) and do["delay"] >= 0:
            return do
        if set(do) == {"truncate"} and _count(do["truncate"]):
            return do
        if _status_do(do):
            return do
    raise _wrong(
        place,
        f"must be {', '.join(_WORDS)}, an object with delay (seconds) or truncate (bytes), "
        "or one with status (200 to 599) and optionally code, message, retryAfter, extras",
    )


def _status_do(do: dict[str, Any]) -> bool:
    return (
        set(do) <= {"status", "code", "message", "retryAfter", "extras"}
        and _count(do.get("status"))
        and 200 <= do["status"] <= 599
        and all(isinstance(do.get(key, ""), str) for key in ("code", "message"))
        and isinstance(do.get("retryAfter", 0), int | float)
        and isinstance(do.get("extras", {}), dict)
    )


def _wrong(place: str, problem: str) -> Refusal:
    return Refusal(400, "invalid_payload", f"{place} {problem}", param=place)


class Faults:
    """The list of faults and the middleware that injects them. The control plane itself is exempt."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._faults: list[Fault] = []

    def replace(self, faults: object) -> None:
        """Replace the list. Raises Refusal 400 if a fault is invalid; the old list is then kept."""
        if not isinstance(faults, list):
            raise _wrong("faults", "must be a list")
        self._faults = [Fault.read(fault, f"[{index}]") for index, fault in enumerate(faults)]

    def clear(self) -> None:
        self._faults = []

    def public(self) -> list[dict[str, object]]:
        return [fault.public() for fault in self._faults]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self._app(scope, receive, send)
            return
        match self._due(scope["method"], scope["path"]):
            case None:
                await self._app(scope, receive, send)
            case "drop_before":
                await _drain(receive)
                await _hang_up(scope, receive)
            case "drop_after":
                await self._app(scope, receive, _nowhere)
                await _hang_up(scope, receive)
            case "garbage":
                await _drain(receive)
                await Response(b'{"taskId":"\x00\xff<<<', headers={"content-type": "application/json"})(
                    scope, receive, send
                )
            case {"delay": int() | float() as seconds}:
                await asyncio.sleep(seconds)
                await self._app(scope, receive, send)
            case {"truncate": int() as size}:
                await self._truncate(size, scope, receive, send)
            case dict() as do:
                await _drain(receive)
                await _instead(do)(scope, receive, send)

    def _due(self, method: str, path: str) -> str | dict[str, Any] | None:
        """Return the action of the first fault that is due. Other matching faults count the request too."""
        due: Fault | None = None
        for fault in self._faults:
            if fault.times == 0 or not fault.matches(method, path):
                continue
            if fault.after:
                fault.after -= 1
            elif due is None:
                due = fault
        if due is None:
            return None
        if due.times is not None:
            due.times -= 1
        return due.do

    async def _truncate(self, size: int, scope: Scope, receive: Receive, send: Send) -> None:
        left, whole = size, True

        async def cut(message: Message) -> None:
            nonlocal left, whole
            if not whole:
                return
            body: bytes = message.get("body", b"")
            if message["type"] == "http.response.body" and len(body) > left:
                await send({"type": "http.response.body", "body": body[:left], "more_body": True})
                whole = False
                return
            left -= len(body)
            await send(message)

        await self._app(scope, receive, cut)
        if not whole:
            await _hang_up(scope, receive)


async def _nowhere(_: Message) -> None:
    """Discard a response message."""


async def _drain(receive: Receive) -> None:
    """Read the rest of the body: closing a connection with unread bytes resets it."""
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)


async def _hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection and wait until it is closed: on an earlier return, uvicorn would send a 500."""
    close: Callable[[], None] = scope["extensions"][HANG_UP]
    close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _instead(do: dict[str, Any]) -> Response:
    status: int = do["status"]
    headers = {"retry-after": str(do["retryAfter"])} if "retryAfter" in do else {}
    if "code" not in do:
        page = f"<!DOCTYPE html><html><body><h1>Error {status}</h1></body></html>"
        return Response(page, status_code=status, headers={**headers, "content-type": "text/html"})
    message = do.get("message", "A fault injected by the control plane.")
    refusal = Refusal(status, do["code"], message, **do.get("extras", {}))
    return JSONResponse(refusal.envelope(), status_code=status, headers=headers)
