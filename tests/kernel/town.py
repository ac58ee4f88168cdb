"""A real sandbox with its control plane, and what the tests ask of it."""

import hashlib
import json
import urllib.request
from types import TracebackType
from typing import Any

from zooop_nb.sandbox.process import SandboxProcess

TOKEN = "zpk_test_kernel"
WORLD: dict[str, Any] = {
    "users": [{"id": "u1", "balance": 100_000, "maxConcurrency": 10}],
    "tokens": [{"token": TOKEN, "user": "u1", "label": "kernel", "project": {"id": "p1", "name": "Demo"}}],
    "failingModels": ["Ideogram V3"],
}


class SandboxHarness:
    """A sandbox. At `speed` 1 nothing ends before the clock is moved on; at 0 everything at once."""

    def __init__(self, speed: float) -> None:
        self.process = SandboxProcess.start(world=WORLD, speed=speed, control=True)
        self.url = self.process.url

    def __enter__(self) -> "SandboxHarness":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()

    def books(self) -> dict[str, Any]:
        """What moved, as the server knows it."""
        books: dict[str, Any] = self._call("/_sandbox/books")
        return books

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """All tasks, oldest first."""
        tasks: list[dict[str, Any]] = self.books()["tasks"]
        return tasks

    @property
    def paid(self) -> int:
        """Credits that left the wallet."""
        return sum(task["creditsCharged"] for task in self.tasks)

    def advance(self, seconds: float = 4000) -> None:
        """Move the clock on: what runs comes to its end."""
        self._call("/_sandbox/clock", {"advance": seconds})

    def faults(self, *faults: dict[str, Any]) -> None:
        """What goes wrong from now on."""
        self._call("/_sandbox/faults", list(faults))

    @property
    def pending_faults(self) -> int:
        """How many calls are still to go wrong."""
        return sum(fault["times"] for fault in self._call("/_sandbox/faults")["faults"])

    def reset(self) -> None:
        """Back to the beginning."""
        self._call("/_sandbox/reset", {})

    def sha256(self, url: str) -> str:
        """The hash of what the server serves."""
        with urllib.request.urlopen(url, timeout=30) as answer:
            return hashlib.sha256(answer.read()).hexdigest()

    def _call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data), timeout=30) as answer:
            return json.load(answer)
