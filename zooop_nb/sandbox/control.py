"""The control plane, `/_sandbox/...`: books, faults, the clock, cancelling and reset.

Available only with `--control`, and only to clients on the same machine.
"""

import ipaddress

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from zooop_nb.sandbox.clock import stamp
from zooop_nb.sandbox.faults import Faults
from zooop_nb.sandbox.refusal import Refusal
from zooop_nb.sandbox.state import Sandbox
from zooop_nb.sandbox.wire import base_url, read_json


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _admit(request: Request) -> Sandbox:
    if request.client is None or not is_loopback(request.client.host):
        raise Refusal(403, "loopback_only", "The control plane accepts clients on its own machine only.")
    sandbox = request.app.state.sandbox
    assert isinstance(sandbox, Sandbox)
    return sandbox


async def books(request: Request) -> Response:
    return JSONResponse(_admit(request).books(base_url(request)))


async def faults(request: Request) -> Response:
    """GET shows the list with its remaining counts; POST replaces it."""
    _admit(request)
    plan = request.app.state.faults
    assert isinstance(plan, Faults)
    if request.method == "POST":
        plan.replace(await read_json(request))
    return JSONResponse({"faults": plan.public()})


async def clock(request: Request) -> Response:
    sandbox = _admit(request)
    body = await read_json(request)
    seconds = body.get("advance") if isinstance(body, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 1e9:
        raise Refusal(400, "invalid_payload", "advance must be seconds, 0 or more.", param="advance")
    sandbox.clock.advance(seconds)
    return JSONResponse({"now": stamp(sandbox.clock.now())})


async def cancel(request: Request) -> Response:
    sandbox = _admit(request)
    task = sandbox.tasks.get(request.path_params["id"])
    if task is None:
        raise Refusal(404, "unknown_task", f"There is no task {request.path_params['id']!r}.")
    if not sandbox.tasks.cancel(task):
        raise Refusal(409, "task_finished", f"The task has {task.status} already.")
    return JSONResponse(task.public(base_url(request)))


async def reset(request: Request) -> Response:
    """Reset to the world file, and clear all faults."""
    sandbox = _admit(request)
    request.app.state.faults.clear()
    await sandbox.reset()
    return JSONResponse({"now": stamp(sandbox.clock.now())})


ROUTES = [
    Route("/_sandbox/books", books),
    Route("/_sandbox/faults", faults, methods=["GET", "POST"]),
    Route("/_sandbox/clock", clock, methods=["POST"]),
    Route("/_sandbox/tasks/{id}/cancel", cancel, methods=["POST"]),
    Route("/_sandbox/reset", reset, methods=["POST"]),
]
