"""The sandbox under load: 200 orders from 20 concurrent clients at speed 0, and whether its books are exact.

    python tests/bench/load.py [--orders 200] [--clients 20] [--tokens 4]

Every client quotes an order, submits it under a key, polls it to its end and fetches its picture. Whatever
is refused but by the rate limits ends the run; a client that meets a limit moves the sandbox's clock past it.
At the end the sandbox's books must hold each order once, at its quoted price, and the wallets must have lost
that and nothing else.

What it prints is measured on this machine alone, so two bounds are measured in the same run: a bare Starlette
application on uvicorn that sends a body of JSON back (what any server of this make could answer), and the
rendering of the same pictures with no server at all (how fast orders could be filled). The clients share the
machine, and one process of Python: a ratio to the echo near 1 says that they are the limit, not the sandbox.
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
"""Credits that each user begins with."""
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
    """What the clients saw."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Call -> how long each took."""
    limited: Counter[str] = field(default_factory=Counter)
    """Call -> how often a rate limit refused it."""
    quoted: dict[str, int] = field(default_factory=dict)
    """Task id -> the credits that were quoted for it."""
    elapsed: float = 0.0

    @property
    def calls(self) -> int:
        return sum(map(len, self.seconds.values()))


def tokens(count: int) -> list[str]:
    return [f"zpk_test_load{number}" for number in range(count)]


def start(count: int, **limits: int) -> SandboxProcess:
    """A sandbox at speed 0, with one user a token; `limits` are calls a minute, by the world file's names."""
    scene = [{"token": token, "balance": BALANCE} for token in tokens(count)]
    world = {"tokens": scene, "limits": limits}
    return SandboxProcess.start(world=world, speed=0, control=True)


async def run(url: str, *, orders: int, clients: int, tokens: list[str]) -> Tally:
    """Fill `orders` orders. Raises AssertionError for any answer that is neither fine nor a rate limit's."""
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
    """Raises AssertionError where the sandbox's books and what the clients were quoted differ."""
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
    """Answers a second to the same POST from so many clients."""
    async with httpx.AsyncClient(base_url=url, timeout=60, headers=headers) as http:

        async def client() -> None:
            for _ in range(calls // clients):
                (await http.post(path, json=body)).raise_for_status()

        await client()
        begin = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        return (calls // clients) * clients / (time.perf_counter() - begin)


def render_rate(count: int) -> float:
    """Pictures a second of the model's default size, with nothing around the renderer."""
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
