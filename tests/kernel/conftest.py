"""Real kernels over ZMQ, on a real sandbox."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.holding_proxy import HoldingProxy
from tests.support.interrupted_cells import ONE_AT_A_TIME, InterruptedCells
from tests.support.kernel import Kernel, older_ipykernel
from tests.support.sandbox_harness import TOKEN, SandboxHarness


@pytest.fixture(scope="session")
def ipykernel_6() -> Path:
    """A folder with ipykernel 6. If it cannot be installed the test is skipped, or fails in CI."""
    try:
        return older_ipykernel()
    except subprocess.CalledProcessError as error:
        text = f"ipykernel 6 cannot be installed: {error.stderr.strip()}"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)


@pytest.fixture(scope="module", params=["7", "6"], ids=["ipykernel7", "ipykernel6"])
def ipykernel(request: pytest.FixtureRequest) -> Path | None:
    """Both releases of ipykernel: the installed one (None), and the folder of the older."""
    if request.param == "7":
        return None
    folder: Path = request.getfixturevalue("ipykernel_6")
    return folder


def environment(url: str, home: Path) -> dict[str, str]:
    """Return a kernel's settings."""
    return {"ZOOOP_API_HOST": url, "ZOOOP_API_KEY": TOKEN, "ZOOOP_NB_HOME": str(home)}


@pytest.fixture(scope="module")
def quick_sandbox() -> Iterator[SandboxHarness]:
    """A sandbox in which every task ends at once."""
    with SandboxHarness(speed=0) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def slow_sandbox() -> Iterator[SandboxHarness]:
    """A sandbox in which no task ends before its clock is moved."""
    with SandboxHarness(speed=0.01) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def start_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Kernel]]:
    """`start_kernel(url, ipykernel=None, home=None)`: a kernel with the extension loaded.

    It orders from the API at `url` and has a new home unless one is given. With `load=False` the extension
    is not loaded; `env` is added to its environment, `options` to its command line.
    """
    started: list[Kernel] = []

    def start(
        url: str,
        ipykernel: Path | None = None,
        home: Path | None = None,
        *,
        load: bool = True,
        env: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> Kernel:
        home = home or tmp_path_factory.mktemp("home")
        kernel = Kernel({**environment(url, home), **(env or {})}, ipykernel, options=options)
        started.append(kernel)
        if load:
            kernel.ok("%load_ext zooop_nb")
        return kernel

    yield start
    for kernel in started:
        kernel.close()


@pytest.fixture(scope="module")
def proxy(quick_sandbox: SandboxHarness) -> Iterator[HoldingProxy]:
    """The door through which a kernel reaches the quick sandbox."""
    with HoldingProxy(quick_sandbox.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def one_at_a_time(proxy: HoldingProxy, start_kernel: Callable[..., Kernel]) -> Kernel:
    kernel = start_kernel(proxy.url, env=ONE_AT_A_TIME)
    kernel.ok("import asyncio, threading\nfrom zooop_nb import Studio\nstudio = Studio()")
    return kernel


@pytest.fixture(scope="module")
def ten_at_once(proxy: HoldingProxy, start_kernel: Callable[..., Kernel]) -> Kernel:
    return start_kernel(proxy.url)


@pytest.fixture
def cells(one_at_a_time: Kernel, proxy: HoldingProxy, quick_sandbox: SandboxHarness) -> InterruptedCells:
    """A kernel that sends one order after the other; the books are empty."""
    return InterruptedCells(one_at_a_time, proxy, quick_sandbox).begin()


@pytest.fixture
def parallel(ten_at_once: Kernel, proxy: HoldingProxy, quick_sandbox: SandboxHarness) -> InterruptedCells:
    """A kernel whose orders are under way side by side; the books are empty."""
    return InterruptedCells(ten_at_once, proxy, quick_sandbox).begin()
