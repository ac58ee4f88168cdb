"""The documentation pages that the sandbox serves alongside `/v1`, and the OpenAPI document."""

import json
from importlib import resources
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zooop_nb.sandbox.refusal import Refusal
from zooop_nb.sandbox.wire import base_url

_FILES = {
    "/llms.txt": ("llms.txt", "text/plain"),
    "/api-docs.md": ("api-docs.md", "text/markdown"),
    "/skills/zooop/SKILL.md": ("SKILL.md", "text/markdown"),
}


def _read(name: str) -> bytes:
    return resources.files(__package__).joinpath(name).read_bytes()


def _answer(body: bytes, media_type: str) -> Response:
    # Set the header directly: Starlette would add a charset, and the API's media types have no parameters.
    return Response(body, headers={"content-type": media_type})


async def text(request: Request) -> Response:
    name, media_type = _FILES[request.url.path]
    return _answer(_read(name), media_type)


async def full(_: Request) -> Response:
    """Serve all pages joined into one."""
    return _answer(b"\n---\n\n".join(_read(name) for name, _ in _FILES.values()), "text/plain")


async def openapi(request: Request) -> Response:
    """Serve the packaged specification, with this server's own address in it."""
    file = resources.files("zooop_nb.contract").joinpath("openapi.yaml")
    if not file.is_file():
        raise Refusal(404, "not_found", "This installation holds no openapi.yaml.")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(file.read_bytes(), Loader=loader)
    document["servers"] = [{"url": base_url(request)}]
    return _answer(
        json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(), "application/json"
    )


ROUTES = [
    *(Route(path, text) for path in _FILES),
    Route("/llms-full.txt", full),
    Route("/openapi.json", openapi),
]
