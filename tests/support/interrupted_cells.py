"""Cells that are interrupted at a request that a test names, so that nothing is timed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from tests.support.holding_proxy import Hold, HoldingProxy
from tests.support.kernel import Cell, Kernel
from tests.support.sandbox_harness import SandboxHarness

ONE_AT_A_TIME = {"ZOOOP_NB_CONCURRENCY": "1"}
"""The environment of a kernel that sends an order when the one before is done."""
POLL = "GET /v1/tasks/"
SUBMIT = "POST /v1/tasks"


class InterruptedCells:
    """Runs cells in a kernel that reaches the sandbox through a proxy. Every task costs 1 credit."""

    def __init__(self, kernel: Kernel, proxy: HoldingProxy, sandbox: SandboxHarness) -> None:
        self.kernel = kernel
        self.proxy = proxy
        self.sandbox = sandbox

    def begin(self) -> "InterruptedCells":
        """Empty the books, and forget the rate limits."""
        self.sandbox.reset()
        self.ok("from zooop_nb.client import throttle\nthrottle.forget()", silent=True)
        return self

    @property
    def charges(self) -> int:
        """The credits that were spent."""
        return self.sandbox.spent()

    def ok(self, code: str, **how: Any) -> Cell:
        """Run a cell that must succeed."""
        cell = self.kernel.finish(self.kernel.send(code, **how))
        assert cell.status == "ok", cell.error
        return cell

    def failed(self, code: str) -> Cell:
        """Run a cell that must fail."""
        cell = self.kernel.run(code)
        assert cell.status == "error", cell.everything
        return cell

    @contextmanager
    def held(
        self,
        code: str,
        at: str = SUBMIT,
        *,
        after: int = 0,
        side: Literal["request", "answer"] = "answer",
        **how: Any,
    ) -> Iterator[tuple[Cell, Hold]]:
        """A cell, held at a request, or at the one after `after` of them; what is held passes at the end."""
        hold = self.proxy.hold(at, side, after=after)
        cell = self.kernel.send(code, **how)
        self.kernel.wait(lambda: hold.reached.is_set() or cell.done)
        assert not cell.done, cell.everything
        try:
            yield cell, hold
        finally:
            hold.opened.set()

    def interrupted(self, code: str, at: str = SUBMIT, **how: Any) -> Cell:
        """Interrupt a cell at a request; see `held`."""
        with self.held(code, at, **how) as (cell, _):
            return self.stopped(cell)

    def stopped(self, cell: Cell) -> Cell:
        """The cell, interrupted."""
        self.kernel.interrupt()
        # A kernel that awaits may take note of an interrupt no sooner than it is woken.
        self.kernel.client.kernel_info()
        return self.kernel.finish(cell)
