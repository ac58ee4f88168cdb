"""A sandbox, the proxy in front of it, and the processes that order there: what a round plays on."""

import hashlib
import random
import sqlite3
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from PIL import Image

from tests.faults.books import Books, File, LedgerOrder, Task
from tests.faults.places import KernelPlace, Outcome, Place, PlainProcess, Threat, WarmParent
from tests.faults.scenarios import LEFT_BEHIND, SIDES, How, Kind, Moment, Scenario, Strike, Where
from tests.support.holding_proxy import Hold, HoldingProxy
from tests.support.sandbox_harness import TOKEN, SandboxHarness
from zooop_nb.ledger import Ledger, OrderRecord

BALANCE: Final = 100_000
UNLIMITED: Final = 1_000_000
WORLD: Final[dict[str, Any]] = {
    "users": [{"id": "u1", "balance": BALANCE, "maxConcurrency": 3}],
    "tokens": [{"token": TOKEN, "user": "u1", "label": "chaos", "project": {"id": "p1", "name": "Demo"}}],
    # A kernel lives for many rounds, which together exceed the rates of one minute.
    "limits": dict.fromkeys(("tasks", "quote", "uploads", "uploadPoll", "me", "describe"), UNLIMITED),
}


class Blow(threading.Thread):
    """Strikes a place at the moment of a strike, from beside the thread that waits for the run."""

    def __init__(self, place: Place, strike: Strike, hold: Hold | None) -> None:
        super().__init__(daemon=True)
        self._place = place
        self._strike = strike
        self._hold = hold
        self.over = threading.Event()
        self.ended = threading.Event()
        """Set once the run has ended: too late to strike."""
        self.hit = False

    def run(self) -> None:
        try:
            if self._comes():
                self._hits()
        finally:
            self.over.set()
            if self._hold is not None:
                time.sleep(self._strike.opens if self.hit else 0)
                self._hold.opened.set()

    def _comes(self) -> bool:
        """Wait for the moment; false if the run ends before."""
        moment = self._strike.moment
        if self._hold is not None:
            while not self._hold.reached.wait(0.05):
                if self.ended.is_set():
                    return False
            if moment.holds:
                return True
            self._hold.opened.set()
        # A kernel that has nothing to do ignores interrupts.
        while not self._place.begun.wait(0.05):
            if self.ended.is_set():
                return False
        return not self.ended.wait(moment.delay)

    def _hits(self) -> None:
        self.hit = True
        if self._strike.how == "kill":
            self._place.kill()
            return
        self._place.interrupt()
        if self._strike.again is not None and not self.ended.wait(self._strike.again):
            self._place.interrupt()


def struck_run(
    place: Place, code: str, strike: Strike | None, proxy: HoldingProxy, *, last: bool = False
) -> tuple[Outcome, bool]:
    """Run the code, and strike; return how it ended, and whether it was hit."""
    if strike is None:
        place.start(code)
        return place.finish(None), False
    moment = strike.moment
    hold = None
    if moment.request is not None:
        hold = proxy.hold(moment.request, moment.side, moment.passes, moment.after)
    blow = Blow(place, strike, hold)
    place.start(code, last=last)
    blow.start()
    outcome = place.finish(Threat(strike.how == "kill", blow.over))
    blow.ended.set()
    blow.join()
    if blow.hit and strike.how == "kill":
        # The kill may have come just after the run's end.
        place.bury()
    proxy.release()
    return outcome, blow.hit


class Stage:
    """What the rounds of one speed play on.

    Its books are empty at the start of each; kernel and ledger are kept until a round leaves disorder.
    """

    def __init__(
        self, speed: float, parent: WarmParent, folder: Path, world: Mapping[str, Any] = WORLD
    ) -> None:
        self.speed = speed
        self._parent = parent
        self._folder = folder
        self._home = folder
        self._rounds = 0
        self._kernel: KernelPlace | None = None
        self._spare: KernelPlace | None = None
        self._plain: list[PlainProcess] = []
        self._before: frozenset[str] = frozenset()
        self.sandbox = SandboxHarness(speed=speed, world=world)
        self.proxy = HoldingProxy(self.sandbox.url)
        self._move()

    def close(self) -> None:
        """End its processes."""
        self._dismiss()
        self.proxy.close()
        self.sandbox.process.stop()

    # A round.

    def begin(self, kind: Kind, where: Where, how: How, seed: int, *, loads: bool) -> Scenario:
        """Empty the books, and return what the round orders."""
        self.proxy.release()
        self.sandbox.reset()
        self._rounds += 1
        self._before = frozenset(self._column("order_id"))
        picture = self._home / f"picture-{self._rounds}.png"
        # Each round has its own: an earlier one is uploaded already.
        shade = (self._rounds % 251, seed % 241, seed // 241 % 239)
        Image.new("RGB", (96, 64), shade).save(picture)
        if where == "kernel" and how == "kill" and self._spare is None:
            self._spare = KernelPlace(self._env)
        marker = self._home / "ended"
        return Scenario(kind, where, f"{seed} of round {self._rounds}", picture, marker, loads)

    def leave_behind(self, scenario: Scenario, rng: random.Random) -> str:
        """Order by a process that is killed while it does; return when it was."""
        side = rng.choice(SIDES)
        after = rng.randrange(LEFT_BEHIND)
        strike = Strike("kill", Moment("POST /v1/tasks", side, after=after))
        outcome, _ = struck_run(self.process(), scenario.code_before, strike, self.proxy)
        return f"left behind: {strike} -> {outcome.status}"

    def place(self, scenario: Scenario) -> Place:
        """Return the process in which the round begins."""
        if scenario.where == "process":
            return self.process()
        if self._kernel is not None and self._kernel.gone:
            self._kernel.close()
            self._kernel = None
        if self._kernel is None:
            kernel, self._spare = self._spare or KernelPlace(self._env), None
            self._kernel = kernel.ready(loaded=not scenario.loads)
        return self._kernel

    def process(self, **more: str) -> PlainProcess:
        """Return a new plain process, with more settings."""
        self._plain.append(PlainProcess(self._parent, {**self._env, **more}))
        return self._plain[-1]

    def next_place(self, place: Place, scenario: Scenario) -> Place:
        """Return the process of the next run: the same one while it lives."""
        return self.place(scenario) if place.gone else place

    def ended(self, scenario: Scenario, outcome: Outcome) -> bool:
        """Return whether a run has ended well, or with the refusal to buy again what nobody knows of."""
        match outcome.status:
            case "ok" | "dead" | "silent":
                # Where nothing could be shown any more, the file tells whether the code came to its end.
                return scenario.marker.exists()
            case "error":
                unknown = "unknown" in self._column("state", new=True)
                return unknown and "fresh" in outcome.text
            case _:
                return False

    def end_processes(self) -> bool:
        """End the round's plain processes as they end by themselves; false if one hangs."""
        ended = [process.close() for process in self._plain]
        self._plain.clear()
        return all(ended)

    def clear_up(self) -> None:
        """After a round that left disorder: the next has a new home and new processes."""
        for process in self._plain:
            process.kill()
        self.end_processes()
        self._dismiss()
        self._move()

    # The books.

    def keys(self, prompts: Collection[str | None] | None = None) -> frozenset[str]:
        """Return the keys of all orders in the ledger, or of those with the prompts."""
        rows = self._rows("key", "prompt")
        return frozenset(key for key, prompt in rows if prompts is None or prompt in prompts)

    def followed(self) -> int:
        """Return how many of the round's orders a live process follows, by the ledger; a download is not over
        when its task has ended."""
        if not self._ledger_path.exists():
            return 0
        with closing(Ledger(self._ledger_path)) as ledger:
            return sum(
                ledger.is_followed(ledger.get(order_id)) for order_id in self._column("order_id", new=True)
            )

    def settle(self, within: float) -> None:
        """Wait until nothing goes on any more that a live process follows."""
        deadline = time.monotonic() + within
        while self.followed() and time.monotonic() < deadline:
            time.sleep(0.05)

    def books(self) -> Books:
        """Return both books of the round."""
        server = self.sandbox.books()
        tasks = {task["taskId"]: task for task in server["tasks"]}
        orders: list[LedgerOrder] = []
        if self._ledger_path.exists():
            # As the processes left it, before it is opened as they open it.
            states = dict(self._rows("order_id", "state", new=True))
            with closing(Ledger(self._ledger_path)) as ledger:
                frame = ledger.frame()
                for order_id, state in states.items():
                    record = ledger.get(order_id)
                    spent = frame.spent[frame.order_id == order_id]
                    orders.append(
                        LedgerOrder(
                            order_id,
                            record.key,
                            state,
                            record.prompt,
                            described=record.target == "describe",
                            task_id=record.task_id,
                            followed=ledger.is_followed(record),
                            spent=None if spent.isna().any() else int(spent.sum()),
                            files=self._files(record),
                            outputs=len(tasks.get(record.task_id or "", {}).get("outputs", ())),
                        )
                    )
        return Books(
            tasks=tuple(
                Task(
                    task["taskId"],
                    task["idempotencyKey"],
                    str(task["params"].get("prompt")),
                    task["creditsCharged"],
                )
                for task in tasks.values()
            ),
            described=sum(each["credits"] for each in server["charges"] if each["taskId"] is None),
            left=BALANCE - server["wallets"][0]["balance"],
            orders=tuple(orders),
        )

    def _files(self, record: OrderRecord) -> tuple[File, ...]:
        if record.target == "describe" or record.state != "succeeded":
            return ()
        files = []
        for output in record.outputs:
            # The ledger's path is absolute, or relative to the media folder.
            path = self._media / output["path"] if output.get("path") else None
            held = hashlib.sha256(path.read_bytes()).hexdigest() if path and path.is_file() else None
            served = self.sandbox.sha256(output["url"])
            files.append(File(path.name if path else "a missing file", held, output.get("sha256"), served))
        return tuple(files)

    def _rows(self, *columns: str, new: bool = False) -> list[tuple[Any, ...]]:
        if not self._ledger_path.exists():
            return []
        with closing(sqlite3.connect(self._ledger_path, timeout=30)) as db:
            try:
                rows = db.execute(f"SELECT order_id, {', '.join(columns)} FROM orders").fetchall()
            except sqlite3.OperationalError:
                # Killed before it had its tables.
                return []
        return [row[1:] for row in rows if not new or row[0] not in self._before]

    def _column(self, name: str, *, new: bool = False) -> list[str]:
        return [row[0] for row in self._rows(name, new=new)]

    # Processes.

    @property
    def _ledger_path(self) -> Path:
        return self._home / "ledger.sqlite"

    @property
    def _media(self) -> Path:
        return self._home / "media"

    @property
    def _env(self) -> dict[str, str]:
        return {
            "ZOOOP_API_HOST": self.proxy.url,
            "ZOOOP_API_KEY": TOKEN,
            "ZOOOP_NB_HOME": str(self._home),
            "ZOOOP_NB_MEDIA": str(self._media),
            # A succeeded order is taken up by a new kernel only in a notebook that is known.
            "ZOOOP_NB_NOTEBOOK": str(self._home / "chaos.ipynb"),
        }

    def _move(self) -> None:
        self._home = self._folder / f"home-{self._rounds}"
        self._home.mkdir(parents=True)

    def _dismiss(self) -> None:
        for kernel in (self._kernel, self._spare):
            if kernel is not None:
                kernel.close()
        self._kernel = self._spare = None


class Stages:
    """The stages of several speeds, one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parent = WarmParent()
        self._stage: Stage | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        self._parent.close()

    def at(self, speed: float) -> Stage:
        """Return the stage of a speed; that of another is closed."""
        if self._stage is None or self._stage.speed != speed:
            self._close()
            self._stage = Stage(speed, self._parent, self._folder / f"speed-{speed:g}")
        return self._stage

    def _close(self) -> None:
        stage, self._stage = self._stage, None
        if stage is not None:
            stage.close()
