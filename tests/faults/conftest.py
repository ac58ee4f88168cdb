"""A sandbox and the door to it, for kernels that die."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crash import Scene
from tests.kernel.gate import HoldingProxy
from tests.kernel.town import SandboxHarness


@pytest.fixture(scope="module")
def town() -> Iterator[SandboxHarness]:
    """A sandbox in which everything is made at once."""
    with SandboxHarness(speed=0) as town:
        yield town


@pytest.fixture(scope="module")
def gate(town: SandboxHarness) -> Iterator[HoldingProxy]:
    """The door to it."""
    with HoldingProxy(town.url) as gate:
        yield gate


@pytest.fixture
def scene(town: SandboxHarness, gate: HoldingProxy, tmp_path: Path) -> Scene:
    """Empty books and an empty home."""
    town.reset()
    return Scene(town, gate, tmp_path / "home")
