"""`python -m zooop_nb sandbox`: the command line of the local ZOOOP."""

import argparse
import ipaddress
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_EXTRA = "pip install 'zooop-nb[sandbox]'"


_DESCRIPTION = """\
A local ZOOOP: the v1 API as a real server with state, and real media made on this machine. It costs
nothing and calls nobody; prices, timings and models' behaviour in it are made up.

When it is ready it prints one JSON line, {"url": "http://127.0.0.1:PORT", "token": "zpk_test_..."},
and then serves until it is stopped (Ctrl-C)."""

_EPILOG = """\
examples:
  zooop-nb sandbox --port 8765 --token zpk_test_me
      and in another shell:
      curl -H "Authorization: Bearer zpk_test_me" http://127.0.0.1:8765/v1/me
  zooop-nb sandbox --host 0.0.0.0 --port 8765 --world class.json
      for a class: the file holds a token for each student, {"tokens": [{"token": "zpk_test_ada",
      "label": "Ada", "balance": 500}, ...]}; students set ZOOOP_API_HOST=http://THIS-MACHINE:8765
  zooop-nb sandbox --speed 0 --control
      for tests: nothing takes time, and /_sandbox/ has books, faults and the clock

The world file, the content policy's triggers, the control plane and every rule that is kept or not:
zooop_nb/sandbox/README.md, in the package."""


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
        help="the address to listen on (default: %(default)s, this machine alone; 0.0.0.0: all networks)",
    )
    parser.add_argument("--port", type=int, default=0, help="the port (default: a free one)")
    parser.add_argument(
        "--token", help="a token that is let in (default: the world file's first, or a new one)"
    )
    parser.add_argument(
        "--world",
        type=Path,
        metavar="FILE",
        help="a JSON file that sets the scene: users, tokens, teams, balances, caps, failing models",
    )
    parser.add_argument(
        "--speed",
        type=float,
        default=10.0,
        metavar="X",
        help="how many times faster than the real models (default: %(default)g; 1: as slow; 0: at once)",
    )
    parser.add_argument(
        "--control", action="store_true", help="serve the control plane /_sandbox/ (loopback only)"
    )
    parser.add_argument(
        "--until-eof", action="store_true", help="stop when stdin closes, as with the program that started it"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sandbox. Returns the exit code: 0 after a clean end, 1 or 2 with a message on stderr."""
    options = parser().parse_args(arguments)
    if not 0 <= options.speed < float("inf"):
        return _fail(f"--speed {options.speed:g}: must be 0 or more", 2)
    if not 0 <= options.port <= 65535:
        return _fail(f"--port {options.port}: must be between 0 and 65535", 2)
    if options.control and not _is_loopback(options.host):
        return _fail(
            f"--control serves this machine only: --host {options.host} is not a loopback address", 2
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
    # A picture or clip may still be in the making, in a thread that nothing can stop; nobody waits for it.
    os._exit(0)


def _fail(message: str, code: int) -> int:
    print(f"zooop-nb sandbox: {message}", file=sys.stderr)
    return code


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
