"""The command line: `zooop-nb` and `python -m zooop_nb`.

Each subcommand imports what it needs when it runs, so that `--help` and the sandbox start at once.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from zooop_nb._version import __version__
from zooop_nb.contract.credits import credits_text
from zooop_nb.errors import Action, DemoFailed, MissingExtra, MissingValue, SandboxFailed, ZooopError, remedy

if TYPE_CHECKING:
    from zooop_nb.sandbox.process import SandboxProcess

QUICKSTART: Final = "01-quickstart.ipynb"
CELL_SECONDS: Final = 120
"""Seconds that one cell of the quickstart may take."""

# What a kept notebook must never hold: a token, or an address that only this machine can reach.
# (`%zooop me` shows the first four characters, as the API does.)
_PRIVATE: Final = re.compile(
    r"zpk_(?:live|test)_\w{8,}|https?://(?:127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0, 1 for a `ZooopError` (on stderr), 2 for bad usage."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments[:1] == ["sandbox"]:
        # The sandbox parses its own arguments.
        from zooop_nb.sandbox.command import main as sandbox

        return sandbox(arguments[1:])
    options, extra = _parser().parse_known_args(arguments)
    if extra and options.command != "lab":
        _parser().error(f"unrecognised: {' '.join(extra)}")
    try:
        code: int = options.run(options, extra)
    except ZooopError as error:
        print(f"zooop-nb: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zooop-nb", description="The notebook studio for ZOOOP.")
    parser.add_argument("--version", action="version", version=f"zooop-nb {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    demo = commands.add_parser(
        "demo",
        help="run the quickstart notebook on a local ZOOOP, free of charge",
        description="Starts a local ZOOOP, runs the quickstart notebook against it and writes the executed "
        "notebook and an HTML copy. Tells what was made, what it cost and where it lies.",
    )
    demo.add_argument("--out", type=Path, default=Path("build"), metavar="DIR", help="default: %(default)s")
    demo.set_defaults(run=_demo)

    lab = commands.add_parser(
        "lab",
        help="open JupyterLab on the notebooks, with a local ZOOOP ready",
        description="Starts a local ZOOOP and JupyterLab beside it. Other arguments are JupyterLab's own.",
    )
    lab.set_defaults(run=_lab)

    for command in (demo, lab):
        command.add_argument(
            "--notebooks", type=Path, metavar="DIR", help="the folder of the notebooks (default: notebooks)"
        )
        command.add_argument(
            "--speed",
            type=float,
            default=10.0,
            metavar="X",
            help="how many times faster than the real models (default: %(default)g; 0: at once)",
        )
    doctor = commands.add_parser(
        "doctor",
        help="check settings, token, ledger and network: is it you, or is it them?",
        description="Checks everything that an order needs, and whether ZOOOP's site and API respond. "
        "Nothing is ordered. Exits with code 1 if something is wrong.",
    )
    doctor.set_defaults(run=_doctor)
    commands.add_parser("sandbox", help="serve a local ZOOOP: the API with state and real media")
    return parser


def _sandbox(speed: float) -> "SandboxProcess":
    from zooop_nb.sandbox.process import SandboxProcess, SandboxStartError

    try:
        return SandboxProcess.start(speed=speed)
    except SandboxStartError as error:
        raise SandboxFailed(f"The sandbox did not start: {error}") from error


def _environment(sandbox: "SandboxProcess", **more: str) -> dict[str, str]:
    """Return this process's environment with the sandbox as its ZOOOP, and without other settings of ours."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("ZOOOP_")}
    return own | {"ZOOOP_API_HOST": sandbox.url, "ZOOOP_API_KEY": sandbox.token} | more


def _notebooks(asked: Path | None) -> Path:
    """Return the folder of the notebooks: the given one, the current folder's, or the checkout's."""
    places = [asked] if asked else [Path("notebooks"), Path(__file__).parent.parent / "notebooks"]
    for place in places:
        if (place / QUICKSTART).is_file():
            return place.resolve()
    raise MissingValue(
        f"There is no {QUICKSTART} in {places[0]}. The notebooks come with the source: "
        "run this in a checkout of it, or name their folder with --notebooks."
    )


def _demo(options: argparse.Namespace, _: Sequence[str]) -> int:
    notebooks = _notebooks(options.notebooks)
    out: Path = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    # A new ledger for each run, so that the summary at the end is about this run alone.
    home = out / "quickstart-home"
    if home.exists():
        shutil.rmtree(home)
    print(f"Running {QUICKSTART} on a local ZOOOP, free of charge ...", flush=True)
    with _sandbox(options.speed) as sandbox:
        environment = _environment(sandbox, ZOOOP_NB_HOME=str(home), ZOOOP_NB_NOTEBOOK=QUICKSTART)
        written = run_notebook(notebooks / QUICKSTART, out, environment)
    _tell(environment, written)
    return 0


def run_notebook(notebook: Path, out: Path, environment: Mapping[str, str]) -> tuple[Path, Path]:
    """Run a notebook in a kernel of its own; write the executed copy and its HTML into `out`.

    Returns both paths. Raises `DemoFailed` if a cell fails, or if an output holds a token or an address of
    this machine (then nothing is written), and `MissingExtra` without nbclient or nbconvert.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
        from nbconvert import HTMLExporter
        from traitlets.config import Config
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{error.name} is not installed.", remedies=[remedy(Action.INSTALL, package="zooop-nb[lab]")]
        ) from error

    node = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        node,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(notebook.parent)}},
        # Encrypted if the kernel supports it: it warns of plain TCP otherwise.
        config=Config(KernelManager={"transport_encryption": "auto"}),
    )
    failure = None
    try:
        client.execute(env=dict(environment))
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        failure = error
    found = _PRIVATE.search(nbformat.writes(node))
    if found:
        raise DemoFailed(f"An output of {notebook.name} holds {_masked(found[0])}; nothing was written.")
    ipynb, html = out / notebook.name, (out / notebook.name).with_suffix(".html")
    nbformat.write(node, ipynb)
    if failure is not None:
        raise DemoFailed(f"{notebook.name} stopped (its outputs so far: {ipynb}).\n{failure}") from failure
    page, _ = HTMLExporter(template_name="lab").from_notebook_node(
        node, resources={"metadata": {"name": notebook.stem}}
    )
    html.write_text(page, "utf-8")
    return ipynb, html


def _masked(private: str) -> str:
    return "a token" if private.startswith("zpk_") else f"the address {private}"


def _tell(environment: Mapping[str, str], written: Sequence[Path]) -> None:
    """Print what was made, what it cost and where it is, from the ledger."""
    from zooop_nb import settings
    from zooop_nb.studio import Studio

    studio = Studio(settings=settings.load(environ=environment))
    events = studio.ledger.frame()
    rows: list[tuple[str, str, str, str]] = []
    for charge in events[events["event"] == "charge"].to_dict("records"):
        paths = [str(_near(each.path)) for each in studio.result(charge["order_id"]).outputs if each.path]
        rows.append(
            (
                _said(charge["tool"]) or _said(charge["template"]) or _said(charge["model"]),
                _shortened(_said(charge["prompt"]), 36),
                _said(charge["credits"]),
                "\n".join(paths),
            )
        )
    print()
    print(table(("made with", "from", "credits", "lies at"), rows))
    total = credits_text(float(events["spent"].sum()))
    print(f"\n{total} in all, of the sandbox's, which cost nothing.")
    print("Notebook: {}\nHTML:     {}".format(*map(_near, written)))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows as text in columns. Cells may have several lines; the last column is never padded."""
    lines: list[list[str]] = [list(heads), ["-" * len(head) for head in heads]]
    for row in rows:
        cells = [cell.split("\n") for cell in row]
        for number in range(max(map(len, cells))):
            lines.append([cell[number] if number < len(cell) else "" for cell in cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)][:-1]
    padded = (
        [f"{cell:<{width}}" for cell, width in zip(line, widths, strict=False)] + line[-1:] for line in lines
    )
    return "\n".join("  ".join(line).rstrip() for line in padded)


def _said(value: Any) -> str:
    """Return a value of the ledger as text; null is empty."""
    if value is None or value != value or str(value) == "<NA>":
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _shortened(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def _near(path: Path) -> Path:
    """Return a path relative to the current folder, if it is inside it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _doctor(_: argparse.Namespace, __: Sequence[str]) -> int:
    from zooop_nb import settings
    from zooop_nb.doctor import examine

    diagnosis = examine(settings.load)
    print("\n".join(diagnosis.lines()))
    return 0 if diagnosis.ok else 1


def _lab(options: argparse.Namespace, extra: Sequence[str]) -> int:
    from importlib.util import find_spec

    if find_spec("jupyterlab") is None:
        raise MissingExtra(
            "JupyterLab is not installed.", remedies=[remedy(Action.INSTALL, package="zooop-nb[sandbox,lab]")]
        )
    notebooks = _notebooks(options.notebooks)
    # Stopping this command stops JupyterLab and the sandbox too.
    signal.signal(signal.SIGTERM, _leave)
    with _sandbox(options.speed) as sandbox:
        print("A local ZOOOP is ready for the notebooks; what it charges costs nothing.", flush=True)
        lab = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab"),
                f"--ServerApp.root_dir={notebooks}",
                f"--LabApp.default_url=/lab/tree/{QUICKSTART}",
                *extra,
            ],
            env=_environment(sandbox),
        )
        try:
            while True:
                try:
                    return lab.wait()
                except KeyboardInterrupt:
                    # The terminal's Ctrl-C also reached JupyterLab, which asks for confirmation.
                    continue
        finally:
            if lab.poll() is None:
                lab.terminate()
                lab.wait()


def _leave(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)
