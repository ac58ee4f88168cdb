"""A real kernel in its own process, driven over ZMQ as a front end drives it.

It imports nothing of pytest, so that scripts can use it too.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import zmq
from filelock import FileLock
from jupyter_client.manager import KernelManager

PATIENCE = 60.0
"""Seconds after which a cell that does not end fails its test."""

Message = dict[str, Any]


class Cell:
    """One execution: its reply, and what it showed."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        """The iopub messages, in order."""
        self.questions: list[str] = []
        self.reply: Message | None = None
        self.idle = False

    def of(self, *kinds: str) -> list[Message]:
        """Return the contents of the messages of these types."""
        return [each["content"] for each in self.messages if each["msg_type"] in kinds]

    @property
    def done(self) -> bool:
        return self.reply is not None and self.idle

    @property
    def status(self) -> str:
        """`ok`, `error` or `aborted`."""
        assert self.reply is not None
        return str(self.reply["content"]["status"])

    @property
    def text(self) -> str:
        """What was printed."""
        return "".join(each["text"] for each in self.of("stream"))

    @property
    def result(self) -> Mapping[str, str]:
        """The MIME bundle of `Out[]`; empty without one."""
        found = self.of("execute_result")
        return found[0]["data"] if found else {}

    @property
    def error(self) -> Message:
        """`ename`, `evalue` and `traceback`, without colours."""
        (found,) = self.of("error")
        return {**found, "traceback": [re.sub(r"\x1b\[[\d;]*m", "", line) for line in found["traceback"]]}

    @property
    def shown(self) -> list[Message]:
        """What `display` showed and did not update: pictures, but not the progress line."""
        followed = {_display_id(each) for each in self.of("update_display_data")}
        return [each for each in self.of("display_data") if _display_id(each) not in followed | {None}] + [
            each for each in self.of("display_data") if _display_id(each) is None
        ]

    @property
    def everything(self) -> str:
        """Everything that a saved notebook would hold of it, as one text."""
        return repr([each["content"] for each in self.messages])


class Kernel:
    """A kernel and its client. `env` is added to this process's environment; modules in `path` come first.
    `options` are of its command line.

    With `wait=False` it starts beside what the caller does, until `ready()` waits for it.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        path: Path | None = None,
        *,
        options: Sequence[str] = (),
        wait: bool = True,
    ) -> None:
        # Of ports that are chosen before they are bound, another kernel may take one meanwhile.
        self._sockets = tempfile.TemporaryDirectory(prefix="zooop-kernel-")
        self.manager = KernelManager(transport="ipc", ip=f"{self._sockets.name}/socket")
        whole = {**os.environ, **env}
        if path is not None:
            whole["PYTHONPATH"] = str(path)
        # All kernels would share the history file; an unencrypted socket would cause a warning.
        usual = ["--HistoryManager.enabled=False", "--IPKernelApp.log_level=ERROR"]
        self.manager.start_kernel(env=whole, extra_arguments=[*usual, *options])
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.cells: dict[str, Cell] = {}
        if wait:
            self.ready()

    def __enter__(self) -> "Kernel":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ready(self) -> "Kernel":
        """Wait until it answers."""
        self.client.wait_for_ready(timeout=PATIENCE)
        return self

    def close(self) -> None:
        """Ask it to shut down, so that it writes its coverage data; one that does not answer is killed."""
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=False)
        self._sockets.cleanup()

    @property
    def pid(self) -> int:
        # The manager types its provisioner by the base class.
        provisioner: Any = self.manager.provisioner
        pid: int = provisioner.pid
        return pid

    def kill(self) -> None:
        """Kill it with SIGKILL, and wait until it is dead."""
        os.kill(self.pid, signal.SIGKILL)
        provisioner: Any = self.manager.provisioner
        provisioner.process.wait(PATIENCE)

    def interrupt(self) -> None:
        """Interrupt it, as the stop button does."""
        self.manager.interrupt_kernel()

    def send(
        self,
        code: str,
        *,
        answers: bool = False,
        stop_on_error: bool = True,
        silent: bool = False,
        cell_id: str | None = None,
        subshell: str | None = None,
    ) -> Cell:
        """Queue a cell and return at once. With `answers`, the front end takes input.

        `cell_id` is the front end's id of the cell, `subshell` the id of the subshell that runs it.
        """
        content = {
            "code": code,
            "silent": silent,
            "store_history": not silent,
            "user_expressions": {},
            "allow_stdin": answers,
            "stop_on_error": stop_on_error,
        }
        metadata = {} if cell_id is None else {"cellId": cell_id}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        cell = self.cells[message["header"]["msg_id"]] = Cell()
        self.client.shell_channel.send(message)
        return cell

    def subshell(self) -> str:
        """Open a subshell; return its id."""
        channel = self.client.control_channel
        channel.send(self.client.session.msg("create_subshell_request"))
        reply = channel.get_msg(timeout=PATIENCE)
        return str(reply["content"]["subshell_id"])

    def run(self, code: str, *, answer: str | None = None) -> Cell:
        """Run a cell to its end. `answer` answers its question."""
        cell = self.send(code, answers=answer is not None)
        if answer is not None:
            self.wait(lambda: bool(cell.questions) or cell.done)
            if cell.questions:
                self.client.input(answer)
        return self.finish(cell)

    def ok(self, code: str) -> Cell:
        """Run a cell that must succeed."""
        cell = self.run(code)
        assert cell.status == "ok", cell.error
        return cell

    @contextmanager
    def waits_for_queued_cells(self) -> Iterator[None]:
        """An error in the block aborts every cell that arrives within 15 seconds after it.

        The kernel's default of 0 seconds assumes that all cells of a Run All are queued by then; on a loaded
        machine they are not.
        """
        self.ok("get_ipython().kernel.stop_on_error_timeout = 15")
        try:
            yield
        finally:
            while self.run("get_ipython().kernel.stop_on_error_timeout = 0").status == "aborted":
                time.sleep(0.2)

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the kernel, by its repr."""
        from ast import literal_eval

        return literal_eval(self.ok(expression).result["text/plain"])

    def finish(self, cell: Cell) -> Cell:
        """Wait for a cell's end."""
        self.wait(lambda: cell.done)
        return cell

    def wait(self, until: Callable[[], bool]) -> None:
        """Read the kernel's messages until the condition holds."""
        channels = {
            channel.socket: channel
            for channel in (self.client.iopub_channel, self.client.shell_channel, self.client.stdin_channel)
        }
        poller = zmq.Poller()
        for socket in channels:
            poller.register(socket, zmq.POLLIN)
        deadline = time.monotonic() + PATIENCE
        while not until():
            left = deadline - time.monotonic()
            assert left > 0, (
                f"nothing ended; shown so far: {[cell.everything for cell in self.cells.values()][-1:]}"
            )
            for socket, _ in poller.poll(round(min(left, 0.1) * 1000)):
                self._take(channels[socket].get_msg(timeout=0))

    def _take(self, message: Message) -> None:
        cell = self.cells.get(message["parent_header"].get("msg_id", ""))
        if cell is None:
            return
        match message["msg_type"]:
            case "execute_reply":
                cell.reply = message
            case "input_request":
                cell.questions.append(message["content"]["prompt"])
            case "status":
                cell.idle = cell.idle or message["content"]["execution_state"] == "idle"
            case _:
                cell.messages.append(message)


def _display_id(content: Message) -> str | None:
    found: str | None = content.get("transient", {}).get("display_id")
    return found


def older_ipykernel() -> Path:
    """Return a folder with ipykernel 6 alone, to be imported before the installed one; made on first use.

    Raises `CalledProcessError` if the package index cannot be reached.
    """
    folder = Path(sys.prefix, "ipykernel-6")
    with FileLock(f"{folder}.lock"):
        if not (folder / "ipykernel").is_dir():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            alone = ["--no-deps", "--target", str(folder), "ipykernel>=6.31,<7"]
            subprocess.run([*pip, *alone], check=True, capture_output=True, text=True)
    return folder
