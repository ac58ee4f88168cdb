"""A proxy between a client and the sandbox that rewrites bodies: a server that says what ours never says."""

import http.client
import http.server
import json
import re
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

Rewrite = Callable[[Any], Any]
"""From the JSON of a successful answer to what is sent instead of it: JSON, or bytes as they are."""


class RewritingProxy:
    """Listens on its own port and forwards everything to the sandbox and back, rewritten on the way."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target).netloc
        self._rewrites: list[tuple[re.Pattern[str], Rewrite]] = []
        proxy = self

        class Handler(_Handler):
            def forward(self, method: str) -> None:
                proxy._forward(self, method)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # A client that leaves in the middle is what tests do.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> "RewritingProxy":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def rewrite(self, request: str, how: Rewrite) -> None:
        """Rewrite the answers to requests that match a regular expression over the request line."""
        self._rewrites.append((re.compile(request), how))

    def forget(self) -> None:
        """Rewrite nothing any more."""
        self._rewrites.clear()

    def _forward(self, handler: "_Handler", method: str) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        sent = {
            name: value
            for name, value in handler.headers.items()
            if name.lower() not in {"host", "connection", "accept-encoding"}
        }
        connection = http.client.HTTPConnection(self._target, timeout=60)
        try:
            connection.request(method, handler.path, body, sent)
            answer = connection.getresponse()
            data, headers = answer.read(), answer.getheaders()
        finally:
            connection.close()
        line = f"{method} {handler.path} HTTP/1.1"
        for request, how in self._rewrites:
            if answer.status < 300 and request.match(line):
                made = how(json.loads(data))
                data = made if isinstance(made, bytes) else json.dumps(made).encode()
        handler.send_response_only(answer.status)
        for name, value in headers:
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self, method: str) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self.forward("GET")

    def do_POST(self) -> None:
        self.forward("POST")

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""
