"""`python -m zooop_nb sandbox`: the command line of the sandbox."""

import argparse
import ipaddress
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_EXTRA = "pip install 'zooop-nb[sandbox]'"


_DESCRIPTION = """\
A local ZOOOP: the v1 API as a real, stateful server that generates real media on this machine. It costs
nothing and contacts no other server; its prices, timings and model behaviour are made up.

When ready, it prints one JSON line, {"url": "http://127.0.0.1:PORT", "token": "zpk_test_..."}, and
serves until stopped (Ctrl-C)."""

_EPILOG = """\
examples:
  zooop-nb sandbox --port 8765 --token zpk_test_me
      and in another shell:
      curl -H "Authorization: Bearer zpk_test_me" http://127.0.0.1:8765/v1/me
  zooop-nb sandbox --host 0.0.0.0 --port 8765 --world class.json
      for a class: the file has one token per student, {"tokens": [{"token": "zpk_test_ada",
      "label": "Ada", "balance": 500}, ...]}; students set ZOOOP_API_HOST=http://THIS-MACHINE:8765
  zooop-nb sandbox --speed 0 --control
      for tests: tasks take no time, and /_sandbox/ offers books, faults and the clock

zooop_nb/sandbox/README.md, in the package, documents the world file, the content policy triggers, the
control plane, and which rules of the API are implemented."""


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zooop-nb sandbox",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s, this machine only; 0.0.0.0: all networks)",
    )
    parser.add_argument("--port", type=int, default=0, help="port (default: a free one)")
    parser.add_argument(
        "--token", help="a token to accept (default: the first in the world file, or a new one)"
    )
    parser.add_argument(
        "--world",
        type=Path,
        metavar="FILE",
        help="JSON file with the initial state: users, tokens, teams, balances, caps, failing models",
    )
    parser.add_argument(
        "--speed",
        type=float,
        default=10.0,
        metavar="X",
        help="speed relative to the real models (default: %(default)g; 1: real time; 0: no waiting)",
    )
    parser.add_argument(
        "--control", action="store_true", help="serve the control plane /_sandbox/ (loopback only)"
    )
    parser.add_argument(
        "--until-eof", action="store_true", help="stop when stdin closes, e.g. when the parent process ends"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sandbox. Returns the exit code: 0 after a clean shutdown, 1 or 2 with a message on stderr."""
    options = parser().parse_args(arguments)
    if not 0 <= options.speed < float("inf"):
        return _fail(f"--speed {options.speed:g}: must be 0 or more", 2)
    if not 0 <= options.port <= 65535:
        return _fail(f"--port {options.port}: must be between 0 and 65535", 2)
    if options.control and not _is_loopback(options.host):
        return _fail(
            f"--control is for this machine only: --host {options.host} is not a loopback address", 2
        )
    try:
        from zooop_nb.sandbox.serve import ListenError, serve
        from zooop_nb.sandbox.world import WorldError
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("zooop_nb"):
            raise
        return _fail(f"{error.name} is not installed. The sandbox needs its extra: {_EXTRA}", 1)
    try:
        serve(
            options.world,
            options.token,
            host=options.host,
            port=options.port,
            speed=options.speed,
            control=options.control,
            until_eof=options.until_eof,
        )
    except WorldError as error:
        return _fail(str(error), 2)
    except ListenError as error:
        return _fail(str(error), 1)
    sys.stdout.flush()
    sys.stderr.flush()
    # Rendering threads cannot be stopped, and their output is no longer needed: do not wait for them.
    os._exit(0)


def _fail(message: str, code: int) -> int:
    print(f"zooop-nb sandbox: {message}", file=sys.stderr)
    return code


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
