"""Many clients on one sandbox at once, and the check of its books afterwards.

Each client quotes an order, submits it under an idempotency key, polls it to its end and fetches its picture.
A client that meets a rate limit advances the sandbox's clock past it.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.sandbox_harness import SandboxHarness

MODEL = "Flux 2 Flash"
POLL = 0.2
"""Seconds between two polls of a client."""
BALANCE = 100_000
"""Credits in each user's wallet at the start."""


@dataclass
class Tally:
    """What the clients measured."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Call -> the seconds that each request took."""
    limited: Counter[str] = field(default_factory=Counter)
    """Call -> the number of requests refused by a rate limit."""
    quoted: dict[str, int] = field(default_factory=dict)
    """Task id -> the credits quoted for it."""
    elapsed: float = 0.0

    @property
    def calls(self) -> int:
        return sum(map(len, self.seconds.values()))


def tokens(count: int) -> list[str]:
    return [f"zpk_test_load{number}" for number in range(count)]


def start(count: int, **limits: int) -> SandboxHarness:
    """Start a sandbox at speed 0, one user per token; `limits` are calls per minute, named as in a world."""
    users = [{"token": token, "balance": BALANCE} for token in tokens(count)]
    return SandboxHarness(speed=0, world={"tokens": users, "limits": limits})


async def run(url: str, *, orders: int, clients: int, tokens: list[str]) -> Tally:
    """Fill `orders` orders. Raise AssertionError for any response other than a success or a rate limit."""
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
