"""A sandbox and the door to it, for kernels that die."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crash import Scene
from tests.kernel.gate import Gate
from tests.kernel.town import Town


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    """A sandbox in which everything is made at once."""
    with Town(speed=0) as town:
        yield town


@pytest.fixture(scope="module")
def gate(town: Town) -> Iterator[Gate]:
    """The door to it."""
    with Gate(town.url) as gate:
        yield gate


@pytest.fixture
def scene(town: Town, gate: Gate, tmp_path: Path) -> Scene:
    """Empty books and an empty home."""
    town.reset()
    return Scene(town, gate, tmp_path / "home")
