"""Where orders are made and struck: plain processes and real kernels, behind one interface."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self

import zmq

from tests.faults import warm
from tests.faults.scenarios import LOADING
from tests.support.kernel import Cell, Kernel
from tests.support.waiting import readable

PATIENCE: float = 60.0
"""Seconds after which a run that was struck, or is struck no more, hangs."""

Status = Literal["ok", "error", "interrupted", "silent", "dead", "hung"]
"""How a run ended. `silent`: the interrupt took the kernel's own reply with it."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended, and everything that it showed."""

    status: Status
    text: str = ""


@dataclass(frozen=True)
class Threat:
    """The strike that a run expects. `over` is set once it has come, or never will."""

    kills: bool
    over: threading.Event


class Place(Protocol):
    """A process in which cells or scripts run, one at a time. `interrupt` and `kill` come from any thread."""

    def start(self, code: str, *, last: bool = False) -> None:
        """Run the code, and return at once. A script that is the `last` ends its process, however it ends."""
        ...

    def finish(self, threat: Threat | None) -> Outcome:
        """Wait for the run's end."""
        ...

    gone: bool
    """Whether the process has ended."""
    begun: threading.Event
    """Set once the run has begun."""

    def interrupt(self) -> None:
        """Send SIGINT."""
        ...

    def kill(self) -> None:
        """Send SIGKILL."""
        ...

    def bury(self) -> None:
        """Wait until what was killed is gone."""
        ...

    def close(self) -> bool:
        """End it as it ends by itself; false if it hangs."""
        ...


class WarmParent:
    """The process that forks the plain processes."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="zooop-warm-")
        self.path = Path(self._folder.name, "socket")
        self._process = subprocess.Popen(
            [sys.executable, warm.__file__, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # It is forked: a library's own threads would not be there in the children.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError(f"{warm.__file__} did not start: exit code {self._process.wait()}")

    def close(self) -> None:
        """End it; its children go on."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()


class PlainProcess:
    """A forked process that runs scripts."""

    def __init__(self, parent: WarmParent, env: Mapping[str, str]) -> None:
        self._last = False
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(str(parent.path))
        self._socket.sendall(f"{json.dumps(dict(env))}\n".encode())
        self._stream = self._socket.makefile("r")
        self.pid = int(self._stream.readline())
        self._death = os.pidfd_open(self.pid)
        self.gone = False
        self.begun = threading.Event()
        self.begun.set()

    def start(self, code: str, *, last: bool = False) -> None:
        self._last = last
        self._socket.sendall(f"{json.dumps({'code': code, 'last': last})}\n".encode())

    def finish(self, threat: Threat | None) -> Outcome:
        try:
            line = self._stream.readline()
        except TimeoutError:
            self._show_where_it_hangs()
            return Outcome("hung")
        except ConnectionError:
            line = ""
        if not line or self._last:
            if not self._ends():
                self._show_where_it_hangs()
                return Outcome("hung")
            self.gone = True
        if not line:
            return Outcome("dead")
        status, text = json.loads(line)
        return Outcome(status, text)

    def interrupt(self) -> None:
        self._send(signal.SIGINT)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def bury(self) -> None:
        self.gone = self._ends()

    def close(self) -> bool:
        """Let it end as a script does."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        ended = self._ends()
        if not ended:
            self._show_where_it_hangs()
        self.gone = True
        self._stream.close()
        self._socket.close()
        # Not before: as long as it is open, no signal reaches another process.
        os.close(self._death)
        return ended

    def _ends(self) -> bool:
        """Wait until the process is gone, its locks with it; false if it stays."""
        return bool(readable([self._death], PATIENCE))

    def _show_where_it_hangs(self) -> None:
        """Have it write its stacks to stderr, and kill it."""
        self._send(warm.SHOW)
        readable([self._death], 0.5)
        self.kill()
        self.gone = self._ends()

    def _send(self, number: int) -> None:
        # It may have ended by itself.
        with suppress(OSError):
            signal.pidfd_send_signal(self._death, number)


class KernelPlace:
    """A kernel. The code of one run is one cell.

    An interrupt that comes twice may stop ipykernel itself for good, with or without an extension: it replies
    no more, or aborts every cell. Then it is killed, as a user would restart it, unless it hangs in our code.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self.kernel = Kernel(env, wait=False)
        self._cell = Cell()
        self._stacks = tempfile.NamedTemporaryFile("r+", prefix="zooop-stacks-")  # noqa: SIM115 (closed by close)
        self.gone = False
        self.begun = threading.Event()

    def ready(self, *, loaded: bool) -> Self:
        """Wait until it answers, and load the extension if it is to be `loaded`."""
        self.kernel.ready()
        self.kernel.finish(self.kernel.send(_SHOWS_STACKS.format(file=self._stacks.name), silent=True))
        if loaded:
            self.kernel.ok(LOADING)
        return self

    def start(self, code: str, *, last: bool = False) -> None:
        self.begun.clear()
        self._cell = self.kernel.send(code)

    def finish(self, threat: Threat | None) -> Outcome:
        cell = self._cell

        def is_over() -> bool:
            if cell.of("execute_input"):
                self.begun.set()
            return cell.done or (threat is not None and threat.over.is_set())

        if not self._wait(is_over):
            return self._hung(cell)
        if cell.done and cell.status == "aborted" and self._aborts_everything():
            return self._restarted(cell)
        if cell.done:
            return Outcome("ok" if cell.status == "ok" else _kind(cell), _shown(cell))
        if threat is not None and threat.kills:
            self.bury()
            # What it has sent before is still read.
            self._drain()
            return Outcome("dead", _shown(cell))
        return self._interrupted(cell)

    def _interrupted(self, cell: Cell) -> Outcome:
        # An interrupt may hit the kernel's own code, which then sends no reply: the end of a second cell,
        # aborted or not, is that of the first.
        if self._probe() is None:
            return self._hung(cell)
        self._drain()
        if cell.done and cell.status == "ok":
            return Outcome("ok", _shown(cell))
        return Outcome(_kind(cell), _shown(cell))

    def _hung(self, cell: Cell) -> Outcome:
        os.kill(self.kernel.pid, signal.SIGUSR1)
        time.sleep(0.5)
        # The main thread is the oldest, and comes last.
        main = self._stacks.read().rpartition("hread 0x")[2]
        if not main or "zooop_nb" in main:
            sys.stderr.write(f"it hangs at\n{main}\n")
            return Outcome("hung", _shown(cell))
        return self._restarted(cell)

    def _aborts_everything(self) -> bool:
        """Return whether cells that nothing fails before are aborted, too."""
        for _ in range(10):
            time.sleep(0.1)
            probe = self._probe()
            if probe is None or probe.status != "aborted":
                return False
        return True

    def _probe(self) -> Cell | None:
        """Run an empty cell; None if it does not come to its end."""
        probe = self.kernel.send("None", stop_on_error=False)
        return probe if self._wait(lambda: probe.done) else None

    def _restarted(self, cell: Cell) -> Outcome:
        self.bury()
        self._drain()
        return Outcome("dead", f"{_shown(cell)}\n{STOPPED}")

    def interrupt(self) -> None:
        # To the whole group, as a front end does it; the manager's own way is for its own thread.
        os.killpg(os.getpgid(self.kernel.pid), signal.SIGINT)

    def kill(self) -> None:
        os.kill(self.kernel.pid, signal.SIGKILL)

    def bury(self) -> None:
        if not self.gone:
            self.kernel.kill()
        self.gone = True

    def close(self) -> bool:
        self.kernel.close()
        self._stacks.close()
        return True

    def _wait(self, until: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + PATIENCE
        while not until() and time.monotonic() < deadline:
            # An interrupt may have hit the signing of a message.
            with suppress(ValueError):
                self.kernel.wait(lambda: until() or time.monotonic() > deadline)
        return until()

    def _drain(self) -> None:
        """Read what is there already."""
        looks = iter(range(3))
        try:
            self.kernel.wait(lambda: next(looks, None) is None)
        except zmq.ZMQError:
            return


def _kind(cell: Cell) -> Status:
    """What the front end saw of a cell that did not end well."""
    errors = cell.of("error")
    if not errors:
        return "silent"
    return "interrupted" if errors[-1]["ename"] in INTERRUPTS else "error"


STOPPED = "The kernel itself had stopped."
"""The last line of a run whose kernel was killed because ipykernel went on no more."""

_SHOWS_STACKS = (
    "import faulthandler, signal\n"
    "faulthandler.register(signal.SIGUSR1, open({file!r}, 'w'), all_threads=True)"
)

INTERRUPTS = frozenset({"KeyboardInterrupt", "WaitingStopped", "CancelledError"})
"""The names of the errors that an interrupt shows as."""


def _shown(cell: Cell) -> str:
    """Everything that a cell showed, without colours and pictures."""
    said = [cell.text]
    for error in cell.of("error"):
        said += [f"{error['ename']}: {error['evalue']}", *error["traceback"]]
    for display in cell.of("display_data", "update_display_data", "execute_result"):
        said += [text for kind, text in display["data"].items() if kind.startswith("text/")]
    whole = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(said))
    return re.sub(r"data:[\w/+;-]+,[^\"')\s]*", "", whole)
