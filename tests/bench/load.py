"""The sandbox under load: 200 orders from 20 concurrent clients at speed 0, and whether its books are exact.

    python tests/bench/load.py [--orders 200] [--clients 20] [--tokens 4]

`tests/support/load.py` drives the clients. Any refusal other than by a rate limit ends the run. At the end
the sandbox's books must hold each order once, at its quoted price, and the wallets must have lost exactly
that.

The figures depend on this machine, so the same run measures two bounds: a bare Starlette application on
uvicorn that echoes a JSON body (the most that any such server could answer), and the rendering of the same
pictures without a server (the fastest that orders could be filled). The clients share the machine and one
Python process: a ratio to the echo near 1 means that they are the limit, not the sandbox.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.load import MODEL, check_books, run, start, tokens
from zooop_nb.sandbox.media import Work, render
from zooop_nb.sandbox.process import SandboxProcess

_ECHO = """
import socket, uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

async def echo(request: Request) -> JSONResponse:
    return JSONResponse(await request.json())

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
app = Starlette(routes=[Route("/echo", echo, methods=["POST"])])
config = uvicorn.Config(app, http="h11", ws="none", loop="asyncio", access_log=False, log_level="warning")
uvicorn.Server(config).run(sockets=[listener])
"""


@contextlib.contextmanager
def echo_server() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-c", _ECHO], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()


async def rate(url: str, path: str, clients: int, calls: int, headers: dict[str, str], body: object) -> float:
    """Return the responses per second to one POST, sent by `clients` clients at once."""
    async with httpx.AsyncClient(base_url=url, timeout=60, headers=headers) as http:

        async def client() -> None:
            for _ in range(calls // clients):
                (await http.post(path, json=body)).raise_for_status()

        await client()
        begin = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        return (calls // clients) * clients / (time.perf_counter() - begin)


def render_rate(count: int) -> float:
    """Return the pictures per second that the bare renderer makes, at the model's default size."""
    works = [
        Work(action="picture", prompt=f"a red panda, take {number}", model=MODEL, seed=number)
        for number in range(count)
    ]
    render(works[0])
    with ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
        begin = time.perf_counter()
        list(pool.map(render, works))
        return count / (time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=4, help="users among whom the clients are shared out")
    options = parser.parse_args()
    with start(options.tokens) as sandbox:
        users = tokens(options.tokens)
        tally = asyncio.run(run(sandbox.url, orders=options.orders, clients=options.clients, tokens=users))
        check_books(sandbox.books(), tally, orders=options.orders)
    world = {"tokens": [{"token": "zpk_test_load"}], "limits": {"quote": 1_000_000}}
    with SandboxProcess.start(world=world, speed=0) as process, echo_server() as echo:
        headers = {"authorization": "Bearer zpk_test_load"}
        models = httpx.get(
            f"{process.url}/v1/models", params={"type": "image", "subtype": "default"}, headers=headers
        ).json()["models"]
        model = next(model for model in models if model["name"] == MODEL)
        body = {"interfaceId": model["id"], "versionId": "standard", "params": {"prompt": "a red panda"}}
        quotes = asyncio.run(rate(process.url, "/v1/quote", options.clients, 1000, headers, body))
        echoes = asyncio.run(rate(echo, "/echo", options.clients, 1000, headers, body))
    drawn = render_rate(max(20, options.orders // 5))
    limited = sum(tally.limited.values())
    filled = options.orders / tally.elapsed
    print(
        f"{options.orders} orders, {options.clients} clients, {options.tokens} users: "
        f"{tally.elapsed:.1f} s, {tally.calls} calls, {tally.calls / tally.elapsed:.0f} calls a second, "
        f"{limited} refused by rate limits, no other error; books exact"
    )
    print(f"{'call':8} {'count':>6} {'p50 ms':>8} {'p99 ms':>8}")
    for kind, seconds in tally.seconds.items():
        ordered = sorted(seconds)
        p99 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
        print(f"{kind:8} {len(ordered):6} {statistics.median(ordered) * 1000:8.1f} {p99 * 1000:8.1f}")
    print(f"orders a second: {filled:.1f}; bare rendering: {drawn:.1f}; ratio {filled / drawn:.2f}")
    print(f"quotes a second: {quotes:.0f}; bare echo: {echoes:.0f}; ratio {quotes / echoes:.2f}")


if __name__ == "__main__":
    main()
