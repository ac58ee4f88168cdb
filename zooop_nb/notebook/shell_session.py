"""What one loaded extension remembers: its settings, its studio, its sandbox, the cell that runs."""

import os
import sys
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zooop_nb import settings as settings_
from zooop_nb.errors import Action, MissingExtra, remedy
from zooop_nb.notebook.config import Zooop
from zooop_nb.settings import Settings, Token

if TYPE_CHECKING:
    from zooop_nb.frontend import Frontend
    from zooop_nb.orders.order import Origin
    from zooop_nb.sandbox.process import SandboxProcess
    from zooop_nb.studio import Studio


class Session:
    """One per shell. It is the studio's face too: where an order is written, and yes or no."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.config = Zooop(parent=shell)
        self.chosen: dict[str, object] = {}
        """What `%zooop config` set."""
        self.sandbox: SandboxProcess | None = None
        self.cell: str | None = None
        self.run: str | None = None
        self.face_before: Frontend | None = None
        """What stood in front of the studio before."""
        self._studio: Studio | None = None

    # The cell that runs.

    def before_cell(self, info: Any) -> None:
        """IPython's `pre_run_cell` event."""
        self.cell = info.raw_cell
        self.run = uuid.uuid4().hex

    def origin(self) -> "Origin":
        """The notebook and the cell that runs."""
        from zooop_nb.orders.order import Origin

        return Origin(notebook=self.notebook(), cell=self.cell, run=self.run)

    def notebook(self) -> str | None:
        """The notebook's path: the setting, else what the front end tells, else not known."""
        told = self.shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
        return self.settings().notebook or (str(told) if told else None)

    def ask(self, question: str) -> bool | None:
        """Asked where the front end takes input."""
        kernel = getattr(self.shell, "kernel", None)
        can = sys.stdin.isatty() if kernel is None else bool(getattr(kernel, "_allow_stdin", False))
        return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"} if can else None

    # Settings and the studio that has them.

    def settings(self) -> Settings:
        """The settings in force."""
        config = dict(self.chosen)
        token: Token | None = None
        if self.sandbox is not None:
            config["host"] = self.sandbox.url
            token = Token(self.sandbox.token)
        return settings_.load(config=config, traits=self.config.given(), token=token)

    def studio(self) -> "Studio":
        """The studio with the settings in force; a new one where they have changed."""
        from zooop_nb.studio import Studio

        settings = self.settings()
        if self._studio is None or self._studio.settings != settings:
            self._studio = Studio(settings=settings)
        return self._studio

    def known_studio(self) -> "Studio | None":
        """The studio, if there is one already: completion must not be what makes it."""
        return self._studio

    def choose(self, values: Mapping[str, object]) -> None:
        """`%zooop config name=value`: all of them, or, where one cannot be used, none."""
        for name, value in values.items():
            settings_.parse(name, value)
        self.chosen.update(values)

    # The sandbox.

    def start_sandbox(self, speed: float) -> "SandboxProcess":
        """A sandbox of this session's own; it ends with the kernel."""
        from zooop_nb.sandbox.process import SandboxProcess

        if self.sandbox is None or not self.sandbox.alive:
            _require_sandbox()
            self.sandbox = SandboxProcess.start(speed=speed)
        return self.sandbox

    def stop_sandbox(self) -> bool:
        """Stop it, and go back to the API; false where there was none."""
        sandbox, self.sandbox = self.sandbox, None
        if sandbox is None:
            return False
        sandbox.stop()
        return True

    def close(self) -> None:
        """Give everything back."""
        if self._studio is not None:
            self._studio.close()
            self._studio = None
        self.stop_sandbox()


def _require_sandbox() -> None:
    import importlib.util

    if missing := [name for name in ("uvicorn", "starlette", "av") if importlib.util.find_spec(name) is None]:
        raise MissingExtra(
            f"The sandbox needs {', '.join(missing)}, which is not installed here.",
            value=missing[0],
            remedies=[remedy(Action.INSTALL, package="zooop-nb[sandbox]")],
        )
