"""Request helpers: strict JSON parsing, and the sandbox's own addresses as seen by the client."""

import json
import math
from typing import NoReturn

from starlette.requests import Request

from zooop_nb.sandbox.assets import STORAGE_HOST
from zooop_nb.sandbox.refusal import Refusal

BODY_LIMIT = 4 * 1024 * 1024
"""Maximum size of a JSON body, in bytes."""


async def read_json(request: Request) -> object:
    """Parse the body as JSON, whatever its `Content-Type`. Raises Refusal 400 `invalid_payload`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise Refusal(400, "invalid_payload", f"The body is larger than {BODY_LIMIT} bytes.")
    try:
        data: object = json.loads(body, parse_constant=_no_constant, parse_float=_finite)
        # The parser accepts lone surrogates, but a response that quotes one could not be encoded.
        json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refusal(400, "invalid_payload", "The body is not valid JSON.") from None
    return data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def base_url(request: Request) -> str:
    """Return the sandbox's own address as the client reached it; media URLs begin with it."""
    return f"{request.url.scheme}://{request.url.netloc}"


def own_hosts(request: Request) -> frozenset[str]:
    """Return the hosts whose URLs count as the sandbox's own."""
    names = {request.url.netloc.lower(), STORAGE_HOST}
    server = request.scope.get("server")
    if server is not None:
        names |= {f"{name}:{server[1]}" for name in (server[0], "localhost", "127.0.0.1", "[::1]")}
    return frozenset(names)
