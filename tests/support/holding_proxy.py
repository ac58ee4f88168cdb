"""A proxy between a client and the sandbox that holds a request or a response at a byte that a test names.

While it holds, the test can inspect both sides, kill either, and let the traffic continue or not.
"""

import re
import socket
import threading
from types import TracebackType
from typing import Literal
from urllib.parse import urlsplit

from tests.support.waiting import readable


class Hold:
    """One request, or its response, that is held once.

    `request` is a regular expression over `METHOD /path`; the first `after` such requests are not held. Of
    the held one, or of its response, the first `passes` bytes pass, the head among them.
    """

    def __init__(
        self, request: str, side: Literal["request", "answer"], passes: int = 0, after: int = 0
    ) -> None:
        self.request = re.compile(request)
        self.side = side
        self.passes = passes
        self._before = iter(range(after))
        self.reached = threading.Event()
        """Set once something is held; for a response, the server has acted by then."""
        self.opened = threading.Event()
        """Set it to let what is held pass."""
        self.passed = threading.Event()
        """Set once the held response has passed."""
        self._taken = threading.Lock()

    def takes(self, request: bytes) -> bool:
        """Return whether this request is the one to hold."""
        line = request.partition(b"\r\n")[0].decode("latin-1")
        return (
            self.request.match(line) is not None
            and next(self._before, None) is None
            and self._taken.acquire(blocking=False)
        )


class HoldingProxy:
    """Listens on its own port and forwards everything to the sandbox and back, except what a `Hold` holds.

    A client of one request at a time for each connection, as HTTP/1.1 clients without pipelining are.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = parts.hostname, parts.port
        self._holds: list[Hold] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> "HoldingProxy":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def hold(self, request: str, side: Literal["request", "answer"], passes: int = 0, after: int = 0) -> Hold:
        """Hold the next such request, or its response; or the one after `after` of them."""
        hold = Hold(request, side, passes, after)
        self._holds.append(hold)
        return hold

    def release(self) -> None:
        """Let everything pass that is held, and hold nothing any more."""
        holds, self._holds = self._holds, []
        for hold in holds:
            hold.opened.set()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                # The listener was closed.
                return
            threading.Thread(target=self._connection, args=(client,), daemon=True).start()

    def _connection(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server:
            hold: Hold | None = None
            between = True
            count = 0
            while True:
                for ready in readable([client, server], None):
                    try:
                        data = ready.recv(65536)
                    except ConnectionError:
                        return
                    if not data:
                        return
                    if ready is client:
                        if between:
                            between, count = False, 0
                            hold = next((each for each in self._holds if each.takes(data)), None)
                        if hold and hold.side == "request" and count <= hold.passes < count + len(data):
                            passes = hold.passes - count
                            server.sendall(data[:passes])
                            count, data = count + passes, data[passes:]
                            if not _wait(hold, client):
                                return
                        count += len(data)
                        server.sendall(data)
                        continue
                    if not between:
                        between, count = True, 0
                    if hold and hold.side == "answer" and count + len(data) > hold.passes:
                        passes = max(hold.passes - count, 0)
                        client.sendall(data[:passes])
                        count, data = count + passes, data[passes:]
                        if not _wait(hold, client):
                            return
                    count += len(data)
                    try:
                        client.sendall(data)
                    except ConnectionError:
                        return
                    if hold:
                        hold.passed.set()


def _wait(hold: Hold, client: socket.socket) -> bool:
    """Wait until it may pass; false if the client has disconnected."""
    hold.reached.set()
    opened = False
    while not opened:
        opened = hold.opened.wait(0.02)
        if readable([client], 0):
            try:
                gone = not client.recv(1, socket.MSG_PEEK)
            except ConnectionError:
                gone = True
            if gone:
                return False
    return True
