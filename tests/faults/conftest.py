"""A sandbox and the door to it, for kernels that die."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crash import Scene
from tests.support.holding_proxy import HoldingProxy
from tests.support.sandbox_harness import SandboxHarness


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxHarness]:
    """A sandbox in which everything is made at once."""
    with SandboxHarness(speed=0) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def proxy(sandbox: SandboxHarness) -> Iterator[HoldingProxy]:
    """The door to it."""
    with HoldingProxy(sandbox.url) as proxy:
        yield proxy


@pytest.fixture
def scene(sandbox: SandboxHarness, proxy: HoldingProxy, tmp_path: Path) -> Scene:
    """Empty books and an empty home."""
    sandbox.reset()
    return Scene(sandbox, proxy, tmp_path / "home")
