"""`asyncio.run()` inside a cell: off unless asked for, and no queued cell is lost where it is on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.kernel import Kernel
from tests.support.sandbox_harness import SandboxHarness

SCRIPT = """
import asyncio
async def main():
    await asyncio.sleep(0)
    return 42
asyncio.run(main())
"""


@pytest.fixture
def kernel(
    quick_sandbox: SandboxHarness, start_kernel: Callable[..., Kernel], ipykernel: Path | None
) -> Kernel:
    return start_kernel(quick_sandbox.url, ipykernel)


def test_a_script_runs_its_own_loop_once_that_is_switched_on(kernel: Kernel) -> None:
    refused = kernel.finish(kernel.send(SCRIPT))
    assert refused.error["ename"] == "RuntimeError"

    kernel.ok("%zooop config nested_loops=on")
    cells = [kernel.send(code) for code in (SCRIPT, "%zooop image -m flash a panda\n1 + 1", "6 * 7")]

    assert [kernel.finish(cell).result["text/plain"] for cell in cells] == ["42", "2", "42"]
