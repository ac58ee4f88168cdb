"""A script in a terminal: the question before an order that was to be confirmed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.conftest import CHEAP, MAIN
from tests.support.sandbox_harness import SandboxHarness

pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")

SCRIPT = f"""
from zooop_nb.errors import ZooopError
from zooop_nb.studio import Studio
try:
    print("ended:", Studio().image("a red panda", model={CHEAP!r}, ask=True).status)
except ZooopError as error:
    print("ended:", type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("typed", "ended", "spent"),
    [
        (b"y\n", "succeeded", 1),
        (b"n\n", "Declined", 0),
        (b"\n", "Declined", 0),
        (b"\x04", "ConfirmationNeeded", 0),
    ],
    ids=["yes", "no", "nothing", "end of input"],
)
def test_a_script_in_a_terminal_asks_before_it_pays(
    sandbox: SandboxHarness, books: SandboxHarness, clean_settings: Path, typed: bytes, ended: str, spent: int
) -> None:
    own, terminal = os.openpty()
    environ = {
        **os.environ,
        "ZOOOP_API_HOST": sandbox.url,
        "ZOOOP_API_KEY": MAIN,
        "ZOOOP_NB_HOME": str(clean_settings),
    }
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], env=environ, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    said = b""
    while b"[y/N] " not in said:
        said += os.read(own, 4096)
    os.write(own, typed)
    while b"ended: " not in said or not said.endswith(b"\n"):
        said += os.read(own, 4096)
    assert script.wait(60) == 0
    os.close(own)
    assert "1 credit" in said.decode()
    assert said.decode().partition("ended: ")[2].startswith(ended)
    assert books.spent() == spent
