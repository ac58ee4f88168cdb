"""A real sandbox with its control plane: what happens in it, and what the tests ask of it."""

import hashlib
import json
import urllib.request
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from tests.support.unmeasured import unmeasured
from zooop_nb.client import throttle
from zooop_nb.sandbox.process import SandboxProcess

TOKEN = "zpk_test_kernel"
"""The one token of `WORLD`."""
WORLD: dict[str, Any] = {
    "users": [{"id": "u1", "balance": 100_000, "maxConcurrency": 10}],
    "tokens": [{"token": TOKEN, "user": "u1", "label": "kernel", "project": {"id": "p1", "name": "Demo"}}],
    "failingModels": ["Ideogram V3"],
}
"""The default world: one user with a full wallet."""


class SandboxHarness:
    """A sandbox process. At `speed` 0 everything ends at once, at 1 nothing before the clock is moved."""

    def __init__(self, *, speed: float, world: Mapping[str, Any] = WORLD) -> None:
        # The sandbox's own coverage is not measured anyway.
        with unmeasured():
            self.process = SandboxProcess.start(world=dict(world), speed=speed, control=True)
        self.url = self.process.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()

    # The books: what the server knows, the truth about money.

    def books(self) -> dict[str, Any]:
        """Everything that moved: wallets, tasks, charges, uploads."""
        books: dict[str, Any] = self.control("books")
        return books

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """All tasks, oldest first."""
        tasks: list[dict[str, Any]] = self.books()["tasks"]
        return tasks

    @property
    def charges(self) -> list[dict[str, Any]]:
        """All charges and refunds, oldest first."""
        charges: list[dict[str, Any]] = self.books()["charges"]
        return charges

    @property
    def uploads(self) -> list[dict[str, Any]]:
        """All uploads, oldest first."""
        uploads: list[dict[str, Any]] = self.books()["uploads"]
        return uploads

    def spent(self) -> int:
        """The credits that left all wallets, net of refunds."""
        return sum(charge["credits"] for charge in self.charges)

    # What the tests do to it.

    def advance(self, seconds: float = 4000) -> None:
        """Move the clock forward: running tasks come to their end."""
        self.control("clock", {"advance": seconds})

    def faults(self, *faults: dict[str, Any]) -> None:
        """Set what goes wrong from now on."""
        self.control("faults", list(faults))

    @property
    def pending_faults(self) -> int:
        """The number of requests that are still to fail."""
        return sum(fault["times"] for fault in self.control("faults")["faults"])

    def reset(self) -> None:
        """Go back to the beginning of the world, without faults; this process's clients have sent nothing."""
        self.control("reset", {})
        throttle.forget()

    def sha256(self, url: str) -> str:
        """The hash of a file that the server serves."""
        with urllib.request.urlopen(url, timeout=30) as response:
            return hashlib.sha256(response.read()).hexdigest()

    def control(self, name: str, body: Any = None) -> Any:
        """A request to the control plane: `GET` without a body, `POST` with one."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{name}", data)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)
