"""The first quote imports only what a quote needs."""

import os
import subprocess
import sys

from zooop_nb.sandbox.process import SandboxProcess

PROGRAM = """
import sys
from zooop_nb import Studio
Studio().quote("image", "a red panda")
late = {"pandas", "numpy", "PIL", "IPython", "ipywidgets", "anywidget", "pydantic", "puremagic", "tinytag",
        "rapidfuzz", "nest_asyncio2"}
print(sorted(late & sys.modules.keys()))
"""


def test_the_first_quote_imports_nothing_that_it_does_not_need() -> None:
    with SandboxProcess.start(speed=0) as sandbox:
        environment = os.environ | {"ZOOOP_API_HOST": sandbox.url, "ZOOOP_API_KEY": sandbox.token}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60
        )

    assert done.stderr == ""
    assert done.stdout == "[]\n"
