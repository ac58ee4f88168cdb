"""The sandbox as a process: a socket, uvicorn, one line on stdout when ready, and a clean shutdown."""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from zooop_nb.sandbox.app import build
from zooop_nb.sandbox.catalogue import Catalogue, load
from zooop_nb.sandbox.faults import HANG_UP
from zooop_nb.sandbox.state import Sandbox
from zooop_nb.sandbox.world import load_world

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ListenError(OSError):
    """The sandbox cannot listen on the address."""


def serve(
    world_file: Path | None,
    token: str | None,
    *,
    host: str,
    port: int,
    speed: float,
    control: bool,
    until_eof: bool,
) -> None:
    """Serve until SIGTERM, SIGINT or, with `until_eof`, EOF on stdin. Raises ListenError, WorldError."""
    catalogue = load()
    world = load_world(world_file, token, known_models=_names(catalogue))
    listener = _listen(host, port)
    # uvicorn re-raises the signal that stopped it: with this handler, it always becomes KeyboardInterrupt.
    for number in _SIGNALS:
        signal.signal(number, signal.default_int_handler)
    # Rendering mostly runs in libraries that release the GIL; one worker per core keeps the event loop free.
    pool = ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2), thread_name_prefix="render")
    folder = Path(tempfile.mkdtemp(prefix="zooop-sandbox-"))
    # The renderers' temporary files go here too, so they are removed even if shutdown interrupts a renderer.
    tempfile.tempdir = str(folder)
    try:
        sandbox = Sandbox(world, catalogue, pool, folder, speed=speed)
        config = uvicorn.Config(
            build(sandbox, with_control=control),
            http=_Protocol,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            # `app.Dated` sends one, by the sandbox's clock.
            date_header=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=60,
        )
        server = _Server(config, {"url": _url(listener), "token": world.first_token})
        if until_eof:
            threading.Thread(target=_stop_at_eof, args=(server,), daemon=True).start()
        asyncio.run(server.serve(sockets=[listener]))
    except KeyboardInterrupt:
        logger.debug("stopped by a signal")
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        pool.shutdown(wait=False, cancel_futures=True)
        _remove(folder)


class _Protocol(H11Protocol):
    """uvicorn's HTTP protocol, extended so that the application can close a connection without a response."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inner = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[HANG_UP] = self.transport.close
            await inner(scope, receive, send)

        self.app = app


class _Server(uvicorn.Server):
    """uvicorn's server, extended to print a line when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: dict[str, str]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        sys.stdout.write(json.dumps(self._ready) + "\n")
        sys.stdout.flush()


def _names(catalogue: Catalogue) -> set[str]:
    models = [model for pair in catalogue.categories for model in catalogue.models(pair.type, pair.subtype)]
    recipes = [*catalogue.tools(None), *catalogue.templates(None)]
    return {model.name for model in (*models, *(recipe.model for recipe in recipes))}


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise ListenError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    return listener


def _url(listener: socket.socket) -> str:
    """Return the URL for clients on this machine; a wildcard address is replaced by loopback."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _remove(folder: Path) -> None:
    """Delete the media. The folder is renamed first, so that renderers still running cannot write to it."""
    gone = folder.with_name(f"{folder.name}-gone")
    with contextlib.suppress(OSError):
        folder = folder.rename(gone)
    shutil.rmtree(folder, ignore_errors=True)


def _stop_at_eof(server: uvicorn.Server) -> None:
    # Not sys.stdin: a thread holding its buffer lock would interfere with interpreter shutdown.
    while os.read(0, 4096):
        pass
    server.should_exit = True
