"""Time `%load_ext zooop_nb` in a fresh IPython, against an extension that does nothing.

    python tests/bench/load_ext.py [--runs 11]

Every run is a new interpreter, and the two extensions alternate. Only the magic is timed, after IPython's
shell has been created: that is what a user waits for in the first cell. The first pair of runs writes the
bytecode and is discarded.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

LOAD = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
begun = time.perf_counter()
shell.run_line_magic("load_ext", {!r})
print((time.perf_counter() - begun) * 1000)
"""
EMPTY = "empty_extension"


def loaded(extension: str, folder: str) -> float:
    """Return the milliseconds that `%load_ext` takes in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD.format(extension)],
        cwd=folder,
        env={**os.environ, "IPYTHONDIR": folder, "PYTHONPATH": folder},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=11, metavar="N", help="default: %(default)d")
    runs = parser.parse_args().runs
    times: dict[str, list[float]] = {EMPTY: [], "zooop_nb": []}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"{EMPTY}.py").write_text("def load_ipython_extension(shell):\n    pass\n", "utf-8")
        for _ in range(runs + 1):
            for extension, taken in times.items():
                taken.append(loaded(extension, folder))
    medians = {extension: statistics.median(taken[1:]) for extension, taken in times.items()}
    print(f"Python {sys.version.split()[0]}, %load_ext in milliseconds, {runs} runs each")
    for extension, (_, *taken) in times.items():
        spread = f"{min(taken):7.2f} to {max(taken):7.2f}"
        print(f"{extension:16} median {medians[extension]:7.2f}   {spread}")
    print(f"{'ratio':16} {medians['zooop_nb'] / medians[EMPTY]:14.1f}")


if __name__ == "__main__":
    main()
