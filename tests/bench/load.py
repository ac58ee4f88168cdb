"""Load-test the sandbox: 200 orders from 20 concurrent clients at speed 0, with exact books at the end.

    python tests/bench/load.py [--orders 200] [--clients 20] [--tokens 4]

Every client quotes an order, submits it under an idempotency key, polls it until it ends and downloads its
picture. Any refusal other than a rate limit ends the run; a client that hits a rate limit advances the
sandbox's clock past it. At the end the sandbox's books must hold each order once, at its quoted price, and
the wallets must have been charged exactly the sum of those prices.

The figures are valid for this machine only, so two bounds are measured in the same run: a bare Starlette
application on uvicorn that echoes a JSON body (the most that any server of this kind could answer), and
rendering the same pictures without a server (the fastest that orders could be filled). The clients share the
machine and one Python process: a ratio to the echo near 1 means that they are the bottleneck, not the
sandbox.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from zooop_nb.sandbox.media import Work, render
from zooop_nb.sandbox.process import SandboxProcess

MODEL = "Flux 2 Flash"
POLL = 0.2
"""Seconds between two polls of a client."""
BALANCE = 100_000
"""Initial balance of each user, in credits."""
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


@dataclass
class Tally:
    """What the clients measured and were quoted."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Call -> duration of each request in seconds."""
    limited: Counter[str] = field(default_factory=Counter)
    """Call -> number of rate-limited responses."""
    quoted: dict[str, int] = field(default_factory=dict)
    """Task id -> quoted credits."""
    elapsed: float = 0.0

    @property
    def calls(self) -> int:
        return sum(map(len, self.seconds.values()))


def tokens(count: int) -> list[str]:
    return [f"zpk_test_load{number}" for number in range(count)]


def start(count: int, **limits: int) -> SandboxProcess:
    """Start a sandbox at speed 0 with one user per token.

    `limits` are calls per minute, under the names that the world file uses.
    """
    scene = [{"token": token, "balance": BALANCE} for token in tokens(count)]
    world = {"tokens": scene, "limits": limits}
    return SandboxProcess.start(world=world, speed=0, control=True)


async def run(url: str, *, orders: int, clients: int, tokens: list[str]) -> Tally:
    """Fill `orders` orders. Raise AssertionError on any failure that is not a rate limit."""
    tally = Tally()
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as http:

        async def call(kind: str, method: str, path: str, token: str, **options: Any) -> httpx.Response:
            headers = {"authorization": f"Bearer {token}", **options.pop("headers", {})}
            while True:
                before = time.perf_counter()
                response = await http.request(method, path, headers=headers, **options)
                tally.seconds[kind].append(time.perf_counter() - before)
                if response.status_code != 429:
                    assert response.status_code == 200, f"{kind}: {response.status_code} {response.text}"
                    return response
                assert response.json()["error"]["code"] == "rate_limited", response.text
                tally.limited[kind] += 1
                advance = {"advance": int(response.headers["retry-after"])}
                (await http.post("/_sandbox/clock", json=advance)).raise_for_status()

        listed = await call("models", "GET", "/v1/models?type=image&subtype=default", tokens[0])
        model = next(model for model in listed.json()["models"] if model["name"] == MODEL)

        async def order(number: int, token: str) -> None:
            body = {
                "interfaceId": model["id"],
                "versionId": model["versions"][0]["id"],
                "params": {"prompt": f"a red panda, take {number}"},
            }
            quote = (await call("quote", "POST", "/v1/quote", token, json=body)).json()
            key = {"Idempotency-Key": f"order-{number}"}
            submitted = (await call("submit", "POST", "/v1/tasks", token, json=body, headers=key)).json()
            task: dict[str, Any] = {"status": "queued"}
            while task["status"] in ("queued", "running"):
                await asyncio.sleep(POLL)
                task = (await call("poll", "GET", f"/v1/tasks/{submitted['taskId']}", token)).json()
            assert task["status"] == "succeeded", task
            assert task["creditsCharged"] == quote["credits"], (task, quote)
            tally.quoted[task["taskId"]] = quote["credits"]
            picture = await call("fetch", "GET", task["outputs"][0]["url"].removeprefix(url), token)
            assert picture.content.startswith(b"\xff\xd8"), "the output is no JPEG"

        numbers: Iterator[int] = iter(range(orders))

        async def client(token: str) -> None:
            for number in numbers:
                await order(number, token)

        begin = time.perf_counter()
        await asyncio.gather(*(client(tokens[number % len(tokens)]) for number in range(clients)))
        tally.elapsed = time.perf_counter() - begin
    return tally


def check_books(books: dict[str, Any], tally: Tally, *, orders: int) -> None:
    """Raise AssertionError if the sandbox's books differ from what the clients were quoted."""
    charged = {charge["taskId"]: charge["credits"] for charge in books["charges"]}
    assert len(books["charges"]) == len(books["tasks"]) == len(tally.quoted) == orders
    assert charged == tally.quoted
    assert {task["taskId"]: task["creditsCharged"] for task in books["tasks"]} == tally.quoted
    spent = sum(BALANCE - wallet["balance"] for wallet in books["wallets"])
    assert spent == sum(tally.quoted.values())
    assert all(wallet["running"] == wallet["queued"] == 0 for wallet in books["wallets"])


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
    """Return the responses per second to one POST repeated by concurrent clients."""
    async with httpx.AsyncClient(base_url=url, timeout=60, headers=headers) as http:

        async def client() -> None:
            for _ in range(calls // clients):
                (await http.post(path, json=body)).raise_for_status()

        await client()
        begin = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        return (calls // clients) * clients / (time.perf_counter() - begin)


def render_rate(count: int) -> float:
    """Return the pictures per second, at the model's default size, that the renderer alone makes."""
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
        books = httpx.get(f"{sandbox.url}/_sandbox/books", timeout=60).json()
        check_books(books, tally, orders=options.orders)
    world = {"tokens": [{"token": "zpk_test_load"}], "limits": {"quote": 1_000_000}}
    with SandboxProcess.start(world=world, speed=0) as sandbox, echo_server() as echo:
        headers = {"authorization": "Bearer zpk_test_load"}
        models = httpx.get(
            f"{sandbox.url}/v1/models", params={"type": "image", "subtype": "default"}, headers=headers
        ).json()["models"]
        model = next(model for model in models if model["name"] == MODEL)
        body = {"interfaceId": model["id"], "versionId": "standard", "params": {"prompt": "a red panda"}}
        quotes = asyncio.run(rate(sandbox.url, "/v1/quote", options.clients, 1000, headers, body))
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
