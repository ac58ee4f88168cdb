"""A kernel dies while an order is under way: `python tests/faults/crash.py` shows it.

A real kernel orders a picture from a real sandbox; the proxy between them (tests/support/holding_proxy.py)
stops the traffic at one byte, and there the kernel is killed with SIGKILL. A new kernel takes over what it
left. Then the sandbox's books are compared with the ledger: each task is paid once, and its picture is
complete.
"""

import hashlib
import os
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.holding_proxy import HoldingProxy
from tests.support.kernel import PATIENCE, Cell, Kernel
from tests.support.sandbox_harness import TOKEN, SandboxHarness
from zooop_nb.ledger import Ledger, OrderRecord

PICTURE = "r = %zooop image a red panda that survives resolution=4k aspect_ratio=16:9\nr"
"""The cell. At 4K its file is larger than one write."""


@dataclass(frozen=True)
class Point:
    """Where the kernel dies: at a request that is held, or after a number of bytes of a response."""

    when: str
    request: str
    side: Literal["request", "answer"]
    passes: int = 0
    tasks: int = 1
    """The number of tasks that the server has by then."""
    partials: int = 0
    """The number of downloads that have begun and are not complete."""


POINTS = {
    "intent": Point("after the intent and before the submit", "POST /v1/tasks", "request", tasks=0),
    "accepted": Point("after the server accepted, before the answer is read", "POST /v1/tasks", "answer"),
    "poll": Point("while the task is asked about", "GET /v1/tasks/", "request"),
    "download": Point("in the middle of the download", r"GET /\S+\.webp", "answer", 300_000, partials=1),
}


class Scene:
    """A sandbox, the proxy in front of it, and the home that the dead kernel and the next one share."""

    def __init__(self, sandbox: SandboxHarness, proxy: HoldingProxy, home: Path) -> None:
        self.sandbox = sandbox
        self.home = home
        self._proxy = proxy

    def kernel(self) -> Kernel:
        """Return a new kernel with this home and the extension loaded."""
        kernel = Kernel(
            {"ZOOOP_API_HOST": self._proxy.url, "ZOOOP_API_KEY": TOKEN, "ZOOOP_NB_HOME": str(self.home)}
        )
        kernel.ok("%load_ext zooop_nb")
        return kernel

    def die(self, point: Point) -> None:
        """Run the cell in a kernel, and kill the kernel at the point."""
        hold = self._proxy.hold(point.request, point.side, point.passes)
        with self.kernel() as kernel:
            kernel.send(PICTURE)
            if not hold.reached.wait(PATIENCE):
                raise AssertionError(f"the kernel never came to {point.request}")
            deadline = time.monotonic() + PATIENCE
            # What has passed is read and written a moment later.
            while point.partials and not any(each.stat().st_size for each in self.partials()):
                if time.monotonic() > deadline:
                    raise AssertionError("the download never began")
                time.sleep(0.01)
            kernel.kill()

    def entries(self) -> list[OrderRecord]:
        """Return all orders of the ledger that were sent, oldest first."""
        with closing(Ledger(self.home / "ledger.sqlite")) as ledger:
            frame = ledger.frame()
            return [
                record
                for record in map(ledger.get, frame.order_id[frame.event == "quote"])
                if record.sent_at is not None
            ]

    def disagreements(self) -> list[str]:
        """Return the differences between books and ledger in words; none if they agree."""
        with closing(Ledger(self.home / "ledger.sqlite")) as ledger:
            frame = ledger.frame()
        orders = {record.task_id: record for record in self.entries()}
        found = []
        for task in self.sandbox.tasks:
            record = orders.pop(task["taskId"], None)
            if record is None:
                found.append(f"task {task['taskId']} is not in the ledger")
                continue
            charged = frame.credits[(frame.task_id == record.task_id) & (frame.event == "charge")].tolist()
            if charged != [task["creditsCharged"]]:
                found.append(f"task {record.task_id} cost {task['creditsCharged']}; the ledger has {charged}")
            if record.credits != task["creditsCharged"] or not record.ended:
                found.append(f"order {record.order_id}: {record.state}, {record.credits} credits")
            for output in record.outputs:
                file = self.home / "media" / output["path"]
                if file.name.startswith(".") or not file.is_file():
                    found.append(f"{file} is no picture")
                    continue
                held = hashlib.sha256(file.read_bytes()).hexdigest()
                if not held == output["sha256"] == self.sandbox.sha256(output["url"]):
                    found.append(f"{file} is not what the server serves")
            if len(record.outputs) != len(task["outputs"]):
                found.append(
                    f"order {record.order_id} has {len(record.outputs)} of {len(task['outputs'])} files"
                )
        found += [f"order {record.order_id} is sent and has no task" for record in orders.values()]
        spent, paid = int(frame.spent.sum()), self.sandbox.spent()
        if spent != paid:
            found.append(f"the wallet paid {paid} credits; the ledger says {spent}")
        return found

    def partials(self) -> list[Path]:
        """Return the remains of interrupted downloads."""
        return [*self.home.rglob("*.part")]


def show(scene: Scene, name: str, point: Point) -> bool:
    """Kill, take over, and print the books beside the ledger; return whether they agree."""
    print(f"\n== {name}: killed {point.when}")
    scene.die(point)
    (left,) = scene.entries()
    known = len(scene.sandbox.tasks)
    print(f"   left behind: order {left.order_id[:8]}, {left.state}; the server has {known} tasks")
    with scene.kernel() as heir:
        cell: Cell = heir.ok("%zooop resume")
    print(f"   resumed:     {cell.result.get('text/plain', cell.text).strip().splitlines()[0]}")
    print("   the sandbox's books                              the ledger")
    orders = {record.task_id: record for record in scene.entries()}
    for task in scene.sandbox.tasks:
        record = orders[task["taskId"]]
        print(
            f"   task {task['taskId'][:8]} {task['status']:9} {task['creditsCharged']:3} credits"
            f"              order {record.order_id[:8]} {record.state:9} {record.credits:3} credits"
        )
        for output in record.outputs:
            print(
                f"   sha256 {scene.sandbox.sha256(output['url'])[:16]}"
                f"                          sha256 {output['sha256'][:16]}  {Path(output['path']).name}"
            )
    found = scene.disagreements()
    print("   They agree." if not found else "\n".join(f"   WRONG: {each}" for each in found))
    return not found


def main() -> int:
    """Run all kills, one after the other."""
    for name in [name for name in os.environ if name.startswith("ZOOOP_")]:
        del os.environ[name]
    agreed = True
    with (
        SandboxHarness(speed=0) as sandbox,
        HoldingProxy(sandbox.url) as proxy,
        tempfile.TemporaryDirectory() as folder,
    ):
        for name, point in POINTS.items():
            sandbox.reset()
            agreed &= show(Scene(sandbox, proxy, Path(folder, name)), name, point)
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
