"""What ordering costs beside its bare parts: four ratios, each against a peer in the same run.

    python tests/bench/orders.py [magic] [quote] [append] [pace] [--runs 30] [--virtual]

`magic`   `%zooop image` at sandbox speed 0, in a real kernel, beside its raw exchanges: the requests that one
          order sends, as httpx logs them, sent one after the other by a bare httpx client on a kept-alive
          connection of the same kernel, which polls every 10 ms. Both are cells, in turn, timed at the front
          end from the request to the end of the output: for the magic, that includes the picture's preview.
`quote`   the first quote of a process beside bare httpx: a new process each, in turn, which imports, asks
          for the models, and quotes. Both find their bytecode.
`append`  each step of an order in the ledger beside a plain sqlite3 commit of two rows, in turn, with the
          same columns and durability on the same disk, but without the ledger's indexes and checks; and the
          first step, which appends an order with its quote, beside a plain commit of the same rows to a file
          of the ledger's own schema.
`pace`    90 orders at 60 a minute beside the bound: the last 30 may go after a minute. It takes about 65 s;
          with `--virtual` the clocks of client and sandbox are moved instead, at most a second at a time, and
          the figure is less exact.

Two things that are compared alternate; the ratio is the median of that of each pair, since the machine may be
shared. The figures depend on it; the ratios say what is ours.
"""

import argparse
import itertools
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.kernel import Kernel
from tests.support.ledger_steps import record, steps
from tests.support.sandbox_harness import TOKEN, SandboxHarness
from tests.support.scripted_frontend import ScriptedFrontend
from tests.support.virtual_time import VirtualTime
from zooop_nb import Studio, settings
from zooop_nb.ledger import Ledger
from zooop_nb.ledger.record import COLUMNS

MODEL: Final = "Flux 2 Flash"
ORDERS: Final = 90
PER_MINUTE: Final = 60
BOUND: Final = 60.0
"""Seconds until the last of 90 orders may go at 60 a minute."""


@contextmanager
def sandbox(**limits: int) -> Iterator[SandboxHarness]:
    """Start a sandbox at speed 0 in which nothing but the given limits is in the way."""
    world = {
        "users": [{"id": "u1", "balance": 1_000_000, "maxConcurrency": 100}],
        "tokens": [{"token": TOKEN, "user": "u1"}],
        "limits": {**dict.fromkeys(("tasks", "quote", "me"), 1_000_000), **limits},
    }
    with SandboxHarness(speed=0, world=world) as started:
        yield started


def timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def tell(name: str, ours: Sequence[float], theirs: Sequence[float], peer: str) -> None:
    """Print the medians of two series that were measured in turn, and that of their ratios pair by pair."""
    mine, bare = statistics.median(ours), statistics.median(theirs)
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    print(f"{name:14} {mine * 1000:9.2f} ms   {peer:14} {bare * 1000:9.2f} ms   ratio {ratio:5.2f}")


# The magic.

# Runs in the kernel. `sent` is what one order sends: methods and paths.
RAW: Final = """
import json, logging, os, time, uuid, httpx

class Log(logging.Handler):
    def __init__(self):
        super().__init__(logging.INFO)
        self.sent = []
    def emit(self, record):
        method, url = record.args[:2]
        self.sent.append((method, httpx.URL(str(url)).path))

log = Log()
logging.getLogger("httpx").addHandler(log)
logging.getLogger("httpx").setLevel(logging.INFO)
raw = httpx.Client(
    base_url=os.environ["ZOOOP_API_HOST"],
    headers={"Authorization": "Bearer " + os.environ["ZOOOP_API_KEY"]},
    timeout=60,
    trust_env=False,
)

def poll(task):
    global polls
    while True:
        polls += 1
        answer = raw.get("/v1/tasks/" + task).raise_for_status().json()
        if answer["status"] not in ("queued", "running"):
            return answer
        time.sleep(0.01)

polls = 0

def exchange(prompt, sent):
    body = json.dumps({"interfaceId": model["id"], "versionId": version, "params": {"prompt": prompt}})
    task = None
    for method, path in sent:
        key = {"Idempotency-Key": str(uuid.uuid4())} if path == "/v1/tasks" else {}
        if method == "POST":
            headers = {"Content-Type": "application/json", **key}
            answer = raw.post(path, content=body, headers=headers).raise_for_status()
            task = answer.json().get("taskId")
        elif path.startswith("/v1/tasks/"):
            answer = poll(task)
        elif path == "/v1/me":
            raw.get(path).raise_for_status().json()
        else:
            url = answer["outputs"][0]["url"]
            assert raw.get(url).raise_for_status().content
"""


def magic(runs: int) -> None:
    with sandbox() as api, tempfile.TemporaryDirectory() as home:
        env = {"ZOOOP_API_HOST": api.url, "ZOOOP_API_KEY": TOKEN, "ZOOOP_NB_HOME": home}
        with Kernel(env) as kernel:
            prompts = map("a red panda, take {}".format, itertools.count())

            def ordered() -> None:
                kernel.ok(f'%zooop image {next(prompts)} -m "{MODEL}"')

            kernel.ok("%load_ext zooop_nb")
            kernel.ok(RAW)
            # The first order asks for the models and imports what it needs.
            ordered()
            kernel.ok("log.sent.clear()")
            ordered()
            sent = list(
                dict.fromkeys((method, _short(path)) for method, path in kernel.value("list(log.sent)"))
            )
            kernel.ok('logging.getLogger("httpx").setLevel(logging.WARNING)')
            kernel.ok(
                "models = raw.get('/v1/models?type=image&subtype=default').json()['models'];"
                f"model = next(each for each in models if each['name'] == '{MODEL}');"
                "version = model['versions'][0]['id']"
            )

            def raw() -> None:
                kernel.ok(f"exchange({next(prompts)!r}, {sent!r})")

            raw()
            kernel.ok("polls = 0")
            ours, theirs, empty = [], [], []
            for _ in range(runs):
                ours.append(timed(ordered))
                theirs.append(timed(raw))
                empty.append(timed(lambda: kernel.ok("pass")))
            polls = kernel.value("polls") / runs
    print("one order sends:", ", ".join(f"{method} {_short(path)}" for method, path in sent))
    print(
        f"raw exchanges poll {polls:.0f} times; an empty cell takes {statistics.median(empty) * 1000:.2f} ms"
    )
    tell("%zooop image", ours, theirs, "raw exchanges")


def _short(path: str) -> str:
    if path.startswith("/v1/tasks/"):
        return "/v1/tasks/{id}"
    return path if path.startswith("/v1/") else "its output"


# The first quote.

OURS: Final = """
from zooop_nb import Studio
print(Studio().quote("image", "a red panda", model="{model}").credits)
"""
BARE: Final = """
import os, httpx
headers = dict(Authorization="Bearer " + os.environ["ZOOOP_API_KEY"])
with httpx.Client(base_url=os.environ["ZOOOP_API_HOST"], headers=headers, trust_env=False) as http:
    models = http.get("/v1/models?type=image&subtype=default").raise_for_status().json()["models"]
    model = next(each for each in models if each["name"] == "{model}")
    body = dict(interfaceId=model["id"], versionId=model["versions"][0]["id"], params={{}})
    body["params"]["prompt"] = "a red panda"
    print(http.post("/v1/quote", json=body).raise_for_status().json()["credits"])
"""


def first_quote(runs: int) -> None:
    with sandbox() as api, tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "ZOOOP_API_HOST": api.url, "ZOOOP_API_KEY": TOKEN, "ZOOOP_NB_HOME": home}
        # Bytecode is there in both, as where packages are installed.
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        env["PYTHONPYCACHEPREFIX"] = str(Path(home, "bytecode"))

        def process(source: str) -> str:
            command = [sys.executable, "-c", source]
            return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

        quoting, bare = OURS.format(model=MODEL), BARE.format(model=MODEL)
        # They write the bytecode, too.
        assert process(quoting) == process(bare)
        ours, theirs, empty = [], [], []
        for _ in range(runs):
            ours.append(timed(lambda: process(quoting)))
            theirs.append(timed(lambda: process(bare)))
            empty.append(timed(lambda: process("pass")))
    print(f"an empty process takes {statistics.median(empty) * 1000:.2f} ms")
    tell("first quote", ours, theirs, "bare httpx")


# The ledger.


def append(runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder, "ledger.sqlite"))
        bare = plain(Path(folder, "plain.sqlite"))
        same = same_rows(Path(folder, "same.sqlite"))
        pairs: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for number in range(runs):
            for name, step in steps(ledger, number).items():
                taken = timed(step)
                pairs.setdefault((name, "two-row commit"), []).append((taken, timed(bare)))
                if name == "quote":
                    pairs.setdefault((name, "its own rows"), []).append((taken, timed(next(same))))
        ledger.close()
    for (name, peer), times in pairs.items():
        step_times, peer_times = zip(*times, strict=True)
        tell(name, step_times, peer_times, peer)


def plain(path: Path) -> Callable[[], object]:
    """Return a call that commits two rows with plain sqlite3, in the ledger's journal mode."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    order = record(0).row()
    event = (str(1), "2026-05-15T10:00:00Z", "quote", order[0], 0, 4)
    for table, row in {"orders": order, "events": event}.items():
        db.execute(f"CREATE TABLE {table} ({', '.join(f'c{number}' for number in range(len(row)))})")

    def commit() -> None:
        db.execute("BEGIN IMMEDIATE")
        db.execute(f"INSERT INTO orders VALUES ({', '.join('?' * len(order))})", order)
        db.execute(f"INSERT INTO events VALUES ({', '.join('?' * len(event))})", event)
        db.execute("COMMIT")

    return commit


def same_rows(path: Path) -> Iterator[Callable[[], object]]:
    """Yield calls that commit a new order and its quote to a file like the ledger's, by plain sqlite3."""
    Ledger(path).close()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    into_orders = f"INSERT INTO orders ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
    into_events = (
        "INSERT INTO events (event_id, at, event, order_id, spent, credits) VALUES (?, ?, ?, ?, ?, ?)"
    )

    def commit(order: Sequence[object], event: Sequence[object]) -> None:
        db.execute("BEGIN IMMEDIATE")
        db.execute(into_orders, order)
        db.execute(into_events, event)
        db.execute("COMMIT")

    for number in itertools.count():
        one = record(number)
        event = (str(uuid.uuid4()), "2026-05-15T10:00:00Z", "quote", one.order_id, 0, 4)
        yield partial(commit, one.row(), event)


# The pace.


def pace(virtual: bool) -> None:
    with sandbox(tasks=PER_MINUTE) as api, tempfile.TemporaryDirectory() as home:
        given = settings.load(
            call={"host": api.url, "home": home, "concurrency": ORDERS}, token=TOKEN, environ={}
        )
        clock = VirtualTime(api) if virtual else None
        backend = clock.backend(given) if clock else None
        studio = Studio(settings=given, backend=backend, front_end=ScriptedFrontend())
        prompts = [f"a red panda, take {number}" for number in range(ORDERS)]
        now = clock.now if clock else time.monotonic
        begun = now()
        gallery = studio.batch("image", prompts, model=MODEL, yes=True)
        took = now() - begun
        refused = api.books()["rateLimited"]
        assert len(api.tasks) == ORDERS
        assert not gallery.failed
        studio.close()
    print(f"{ORDERS} orders, {PER_MINUTE} a minute: {took:.1f} s; bound {BOUND:.1f} s; {refused} times 429")
    print(f"of the bound's rate: {BOUND / took:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ("magic", "quote", "append", "pace")
    parser.add_argument("which", nargs="*", metavar="RATIO", help="default: all four")
    parser.add_argument(
        "--runs", type=int, default=30, metavar="N", help="pairs of runs; default: %(default)d"
    )
    parser.add_argument("--virtual", action="store_true", help="pace: do not wait for the minute")
    options = parser.parse_args()
    if unknown := set(options.which) - set(names):
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(names)}")
    print(f"Python {sys.version.split()[0]}, medians of {options.runs} runs each")
    for which in options.which or names:
        print()
        if which == "magic":
            magic(options.runs)
        elif which == "quote":
            first_quote(options.runs)
        elif which == "append":
            append(10 * options.runs)
        else:
            pace(options.virtual)


if __name__ == "__main__":
    main()
