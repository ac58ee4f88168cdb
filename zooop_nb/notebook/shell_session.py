"""The state of one shell that loaded the extension: settings, studio, sandbox, and the running cell."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zooop_nb import settings as settings_
from zooop_nb.errors import Action, MissingExtra, SandboxFailed, Withdrawn, remedy
from zooop_nb.notebook.cell_position import CellPosition, cell_position, line_of_caller
from zooop_nb.notebook.config import Zooop
from zooop_nb.notebook.executions import CellRun, Executions, Outcome
from zooop_nb.settings import Settings, Token

if TYPE_CHECKING:
    from zooop_nb.frontend import HostFrontend
    from zooop_nb.orders.order import Origin
    from zooop_nb.sandbox.process import SandboxProcess
    from zooop_nb.studio import Studio
    from zooop_nb.tasks.batch import PricedBatch


class ShellSession:
    """One per shell. It is also the default front end, for a `Studio` that is used in a cell."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        # Made before anything can fork: a child then shares the session.
        settings_.session_id()
        self.config = Zooop(parent=shell)
        self.chosen: dict[str, object] = {}
        """What `%zooop config` set."""
        self.sandbox: SandboxProcess | None = None
        self.executions = Executions(shell, _end_execution)
        self.previous_default: HostFrontend | None = None
        """The default front end before this one."""
        self._studio: Studio | None = None

    # The running cell.

    def cell_position(self) -> CellPosition:
        """Return where in the running cell the magic is being called."""
        cell = self.executions.source()
        source = None if cell is None else self.shell.transform_cell(cell)
        interactivity = self.shell.ast_node_interactivity
        return cell_position(source, line_of_caller(self.shell), interactivity=interactivity)

    # The front end.

    def origin(self) -> "Origin":
        """Return the notebook and the running cell.

        Raises `Withdrawn` in a thread or task that goes on after its cell was interrupted: what it would
        order, the cell orders when it is run again.
        """
        from zooop_nb.orders.order import Origin

        run = self.executions.current()
        if run is None:
            return Origin(notebook=self.notebook())
        if run.ended == "interrupted":
            raise Withdrawn("Its cell was interrupted before this was ordered; it costs nothing.")
        return Origin(self.notebook(), run.source, run.id, run.cell_id)

    def notebook(self) -> str | None:
        """Return the notebook's path: the setting, else what the front end reports, else None."""
        reported = self.shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
        return self.settings().notebook or (str(reported) if reported else None)

    def announce(self, batch: "PricedBatch") -> None:
        """Nothing: only the magic prints the line before an order; see `MagicFrontend`."""

    def ask(self, question: str) -> bool | None:
        """Ask, if the front end takes input."""
        from zooop_nb.frontend import ask

        kernel = getattr(self.shell, "kernel", None)
        can = sys.stdin.isatty() if kernel is None else bool(getattr(kernel, "_allow_stdin", False))
        return ask(question) if can else None

    # Settings and the studio that has them.

    def settings(self) -> Settings:
        """Return the settings in force."""
        config = dict(self.chosen)
        token: Token | None = None
        if self.sandbox is not None:
            config["host"] = self.sandbox.url
            token = Token(self.sandbox.token)
        return settings_.load(config=config, traits=self.config.given(), token=token)

    def studio(self) -> "Studio":
        """Return the magic's studio with the settings in force; a new one if they have changed."""
        from zooop_nb.notebook.magic_frontend import MagicFrontend
        from zooop_nb.studio import Studio

        settings = self.settings()
        if self._studio is None or self._studio.settings != settings:
            self._studio = Studio(settings=settings, front_end=MagicFrontend(self))
        return self._studio

    def known_studio(self) -> "Studio | None":
        """Return the studio if there is one: completion must not create it."""
        return self._studio

    def choose(self, values: Mapping[str, object]) -> None:
        """Apply `%zooop config name=value`: all of the values, or none if one cannot be used."""
        for name, value in values.items():
            settings_.parse(name, value)
        self.chosen.update(values)

    # The sandbox.

    def start_sandbox(self, speed: float) -> "SandboxProcess":
        """Start a sandbox of this session's own; it ends with the kernel."""
        from zooop_nb.sandbox.process import SandboxProcess, SandboxStartError

        if self.sandbox is None or not self.sandbox.alive:
            _require_sandbox()
            try:
                self.sandbox = SandboxProcess.start(speed=speed)
            except SandboxStartError as error:
                raise SandboxFailed(f"The sandbox did not start: {error}") from error
        return self.sandbox

    def stop_sandbox(self) -> bool:
        """Stop it, and go back to the API; false if there was none."""
        sandbox, self.sandbox = self.sandbox, None
        if sandbox is None:
            return False
        sandbox.stop()
        return True

    def close(self) -> None:
        """Close the studio and stop the sandbox."""
        self.executions.close()
        if self._studio is not None:
            self._studio.close()
            self._studio = None
        self.stop_sandbox()


def _end_execution(run: CellRun, outcome: Outcome) -> None:
    """Let go of what the cell still waits for, and say what it had paid before and did not ask for again."""
    # A cell that has placed no order has loaded no checkout.
    if "zooop_nb.tasks.executions" not in sys.modules:
        return
    from zooop_nb.errors import LedgerError
    from zooop_nb.notebook.errors_text import message_lines
    from zooop_nb.tasks import executions

    try:
        left = executions.end(run.id, outcome)
    except LedgerError as error:
        print(*message_lines(error), sep="\n", file=sys.stderr)
        return
    if left and outcome == "well":
        one = len(left) == 1
        what = "paid order of that run was" if one else "paid orders of that run were"
        print(f"→ {len(left)} {what} not asked for again: %zooop resume")


def _require_sandbox() -> None:
    import importlib.util

    if missing := [name for name in ("uvicorn", "starlette", "av") if importlib.util.find_spec(name) is None]:
        raise MissingExtra(
            f"The sandbox needs {', '.join(missing)}, which is not installed here.",
            value=missing[0],
            remedies=[remedy(Action.INSTALL, package="zooop-nb[sandbox]")],
        )
