"""`python -m zooop_nb sandbox`: the command line of the local ZOOOP."""

import argparse
import ipaddress
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_EXTRA = "pip install 'zooop-nb[sandbox]'"


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zooop-nb sandbox",
        description="A local ZOOOP: the v1 API as a real server, with real media. "
        "Prints one JSON line with its url and a token when it is ready, and serves until it is stopped. "
        "Prices and timings in it are made up.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="the port (default: a free one)")
    parser.add_argument(
        "--token", help="a token that is let in (default: the world file's first, or a new one)"
    )
    parser.add_argument("--world", type=Path, metavar="FILE", help="a JSON file that sets the scene")
    parser.add_argument(
        "--speed",
        type=float,
        default=10.0,
        metavar="X",
        help="how many times faster than the real models (default: %(default)g; 0: at once)",
    )
    parser.add_argument(
        "--control", action="store_true", help="serve the control plane /_sandbox/ (loopback only)"
    )
    parser.add_argument("--until-eof", action="store_true", help="stop when stdin closes")
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
