"""A sandbox and the proxy in front of it, for kernels that die."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crash import Scene
from tests.faults.stage import Stages
from tests.support.holding_proxy import HoldingProxy
from tests.support.sandbox_harness import SandboxHarness


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxHarness]:
    """A sandbox in which every task ends at once."""
    with SandboxHarness(speed=0) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def proxy(sandbox: SandboxHarness) -> Iterator[HoldingProxy]:
    """The proxy in front of it."""
    with HoldingProxy(sandbox.url) as proxy:
        yield proxy


@pytest.fixture
def scene(sandbox: SandboxHarness, proxy: HoldingProxy, tmp_path: Path) -> Scene:
    """A scene with empty books and an empty home."""
    sandbox.reset()
    return Scene(sandbox, proxy, tmp_path / "home")


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """The stages of random rounds."""
    with Stages(tmp_path_factory.mktemp("chaos")) as stages:
        yield stages
