"""Run a sandbox as a child process from Python. Imports the standard library only."""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

START_SECONDS = 60.0
"""How long to wait for a sandbox to become ready."""


class SandboxStartError(RuntimeError):
    """The sandbox did not start; the message is its stderr output."""


class SandboxProcess:
    """A running sandbox. Stopped by `stop()`, by leaving the context manager, or when this process ends."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, token: str, log: IO[bytes]) -> None:
        self._process = process
        self._log = log
        self.url = url
        """`http://127.0.0.1:PORT`, without a trailing slash."""
        self.token = token

    @classmethod
    def start(
        cls,
        *,
        token: str | None = None,
        world: Mapping[str, Any] | Path | None = None,
        speed: float = 10.0,
        control: bool = False,
        port: int = 0,
        until_eof: bool = True,
    ) -> "SandboxProcess":
        """Start a sandbox and wait until it is ready.

        `world` is the path or the content of a world file. With `until_eof` the sandbox stops when this
        process ends for any reason. Raises SandboxStartError.
        """
        command = [sys.executable, "-m", "zooop_nb.sandbox", "--speed", str(speed), "--port", str(port)]
        if token is not None:
            command += ["--token", token]
        if control:
            command += ["--control"]
        if until_eof:
            command += ["--until-eof"]
        with tempfile.TemporaryDirectory(prefix="zooop-world-") as folder:
            if isinstance(world, Path):
                command += ["--world", str(world)]
            elif world is not None:
                file = Path(folder, "world.json")
                file.write_text(json.dumps(dict(world)), "utf-8")
                command += ["--world", str(file)]
            return cls._spawn(command, until_eof)

    @classmethod
    def _spawn(cls, command: list[str], until_eof: bool) -> "SandboxProcess":
        log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by stop)
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if until_eof else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Interrupting a notebook kernel signals its whole process group; the sandbox must not receive it.
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        assert process.stdout is not None
        deadline = threading.Timer(START_SECONDS, process.kill)
        deadline.daemon = True
        deadline.start()
        try:
            line = process.stdout.readline()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            deadline.cancel()
        try:
            ready = json.loads(line)
            return cls(process, ready["url"], ready["token"], log)
        except (ValueError, KeyError, TypeError):
            process.kill()
            process.wait()
            log.seek(0)
            said = log.read().decode(errors="replace").strip()
            log.close()
            raise SandboxStartError(
                said or f"the sandbox ended with exit code {process.returncode}"
            ) from None

    @property
    def alive(self) -> bool:
        """Whether the sandbox is running."""
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """Its stderr output so far; empty unless something went wrong."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def stop(self) -> int:
        """Stop the sandbox and wait for it to end. Returns its exit code. Safe to call more than once."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            if pipe is not None:
                pipe.close()
        return code

    def __enter__(self) -> "SandboxProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
