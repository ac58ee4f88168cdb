"""A Python that has imported the package, and forks a process that runs scripts at each connection.

`python tests/faults/warm.py SOCKET` listens on a Unix socket until its input ends. It is forked while it has
one thread and has opened nothing, so a child is like a new process, in a tenth of the time.
"""

import faulthandler
import importlib
import io
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import IO, Any

SHOW = signal.SIGUSR1
"""The signal at which a child writes the stacks of its threads to stderr."""
ROOT = Path(__file__).resolve().parents[2]


def import_everything() -> None:
    """Import the package, except what belongs to a notebook, and what it imports late."""
    import zooop_nb

    skipped = ("zooop_nb.notebook", "zooop_nb.sandbox", "zooop_nb.__main__")
    for module in pkgutil.walk_packages(zooop_nb.__path__, "zooop_nb."):
        if not module.name.startswith(skipped):
            importlib.import_module(module.name)
    for name in ("pandas", "PIL.Image", "filelock", "httpx"):
        importlib.import_module(name)


class Interrupts:
    """Lets an interrupt through only while a script runs."""

    def __init__(self) -> None:
        self.admitted = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.admitted:
            signal.default_int_handler(number, frame)


def attempt(code: str, namespace: dict[str, Any], interrupts: Interrupts) -> tuple[str, str]:
    """Run a script; return `ok`, `error` or `interrupted`, and the error's text."""
    try:
        interrupts.admitted = True
        exec(compile(code, "<script>", "exec"), namespace)
    except KeyboardInterrupt as interrupt:
        return "interrupted", f"{type(interrupt).__name__}: {interrupt}"
    except Exception as error:
        return "error", "".join(traceback.format_exception_only(error))
    return "ok", ""


def guarded(code: str, namespace: dict[str, Any], interrupts: Interrupts) -> tuple[str, str]:
    """Do the same, however late one of two interrupts comes."""
    try:
        try:
            outcome = attempt(code, namespace, interrupts)
            interrupts.admitted = False
        except KeyboardInterrupt:
            interrupts.admitted = False
            outcome = "interrupted", ""
    except KeyboardInterrupt:
        interrupts.admitted = False
        outcome = "interrupted", ""
    return outcome


def serve(stream: IO[str]) -> None:
    """Run the scripts that come, one a line, until they end or one of them is the last."""
    interrupts = Interrupts()
    signal.signal(signal.SIGINT, interrupts)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    faulthandler.register(SHOW)
    for name in [name for name in os.environ if name.startswith("ZOOOP_")]:
        del os.environ[name]
    os.environ.update(json.loads(stream.readline()))
    stream.write(f"{os.getpid()}\n")
    stream.flush()
    namespace: dict[str, Any] = {}
    for line in stream:
        request = json.loads(line)
        sys.stdout = shown = io.StringIO()
        status, text = guarded(request["code"], namespace, interrupts)
        stream.write(json.dumps([status, shown.getvalue() + text]) + "\n")
        stream.flush()
        if request["last"]:
            # It ends as a script that nothing caught the interrupt of; what runs at exit may be interrupted.
            interrupts.admitted = True
            return


def main() -> None:
    """Fork at each connection, until the input ends."""
    import_everything()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nobody waits for the children: the kernel reaps them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen()
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            with connection, connection.makefile("rw") as stream:
                serve(stream)
            return
        connection.close()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
