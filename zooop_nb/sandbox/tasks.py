"""The life of a task: debited, queued per wallet, rendered off the event loop, refunded on failure.

API documentation: "POST /v1/tasks", "GET /v1/tasks/{id}", "Limits" (concurrency).
"""

import asyncio
import hashlib
import logging
import math
import statistics
import uuid
from collections import defaultdict, deque
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from zooop_nb.sandbox.accounts import Accounts, Charge, Key
from zooop_nb.sandbox.assets import Asset, Assets
from zooop_nb.sandbox.clock import Clock, stamp
from zooop_nb.sandbox.media import Piece, Unreadable, Work, measure, render
from zooop_nb.sandbox.orders import Order

logger = logging.getLogger(__name__)

KEY_LIFE = timedelta(hours=24)
"""How long a token's Idempotency-Key is remembered. API documentation: "POST /v1/tasks"."""

_RASTER = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
_ENDINGS = {"image/svg+xml": "svg", "video/mp4": "mp4", "audio/mpeg": "mp3", "audio/wav": "wav"}


@dataclass(frozen=True, slots=True)
class Output:
    """One file that a task produced, with its thumbnail if there is one."""

    asset: Asset
    thumbnail: Asset | None


@dataclass(slots=True)
class Task:
    """One task. `started` is in elapsed seconds of the sandbox clock."""

    id: str
    key: Key
    order: Order
    work: Work
    charge: Charge
    idempotency_key: str | None
    created_at: datetime
    status: str = "queued"
    started: float = 0.0
    seconds: float | None = None
    """Run time, set on success."""
    completed_at: datetime | None = None
    outputs: tuple[Output, ...] = ()
    error: str | None = None
    runner: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def finished(self) -> bool:
        return self.status in ("succeeded", "failed", "cancelled")

    @property
    def credits(self) -> int:
        """Cost to the wallet in credits: 0 once refunded."""
        return 0 if self.status in ("failed", "cancelled") else self.charge.credits

    def submitted(self) -> dict[str, object]:
        """Return the response body of `POST /v1/tasks`."""
        resolved = self.order.resolved
        return {
            "taskId": self.id,
            "status": "queued",
            "modelId": resolved.model.id,
            "versionId": resolved.version.id,
        }

    def public(self, base: str) -> dict[str, object]:
        """Return the response body of `GET /v1/tasks/{id}`. The first `"url"` is the first output's."""
        return {
            "taskId": self.id,
            "status": self.status,
            "outputs": [
                {"url": output.asset.url(base)}
                | ({"thumbnailUrl": output.thumbnail.url(base)} if output.thumbnail else {})
                for output in self.outputs
            ],
            "error": self.error,
            "creditsCharged": self.credits,
            "createdAt": stamp(self.created_at),
            "completedAt": stamp(self.completed_at) if self.completed_at else None,
        }


class Tasks:
    """All tasks, one first-in-first-out queue per wallet, and the idempotency keys of the submits."""

    def __init__(
        self,
        clock: Clock,
        accounts: Accounts,
        assets: Assets,
        pool: Executor,
        *,
        speed: float,
        failing: frozenset[str],
    ) -> None:
        self._clock = clock
        self._accounts = accounts
        self._assets = assets
        self._pool = pool
        self._speed = speed
        self._failing = failing
        self._tasks: dict[str, Task] = {}
        self._keys: dict[tuple[str, str], Task] = {}
        self._waiting: defaultdict[tuple[str, str], deque[Task]] = defaultdict(deque)
        self._running: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._equal: defaultdict[str, int] = defaultdict(int)
        self._durations: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=10))

    def all(self) -> list[Task]:
        return list(self._tasks.values())

    def get(self, task_id: str) -> Task | None:
        return self._tasks.get(task_id)

    def under_key(self, key: Key, idempotency_key: str) -> Task | None:
        """Return the task that this token submitted with this key in the last 24 hours, or None."""
        task = self._keys.get((key.token, idempotency_key))
        if task is None or self._clock.now() - task.created_at >= KEY_LIFE:
            return None
        return task

    def estimate(self, model_id: str) -> int | None:
        """Return the median seconds of the model's last ten successes at this speed; None if none."""
        durations = self._durations.get(model_id)
        return math.ceil(statistics.median(durations)) if durations else None

    def submit(self, key: Key, order: Order, idempotency_key: str | None) -> Task:
        """Debit the wallet and queue the task.

        The caller has made all checks. Nothing here awaits, so two submits with one key cannot both get
        this far.
        """
        fingerprint = order.fingerprint()
        task_id = str(uuid.uuid4())
        task = Task(
            id=task_id,
            key=key,
            order=order,
            work=order.work(self._equal[fingerprint]),
            charge=self._accounts.debit(key, order.price.credits, "charge", task_id),
            idempotency_key=idempotency_key,
            created_at=self._clock.now(),
        )
        self._equal[fingerprint] += 1
        self._tasks[task.id] = task
        if idempotency_key is not None:
            self._keys[key.token, idempotency_key] = task
        self._waiting[self._line(task)].append(task)
        self._start_next(self._line(task))
        return task

    def cancel(self, task: Task) -> bool:
        """Cancel a task, like the website's cancel button; return False if it has already ended."""
        if task.finished:
            return False
        if task.status == "queued":
            self._waiting[self._line(task)].remove(task)
            self._finish(task, "cancelled")
        else:
            assert task.runner is not None
            task.runner.cancel()
            self._leave(task, "cancelled")
        return True

    async def close(self) -> None:
        """Stop running tasks, without refunds, because the whole state is about to be discarded."""
        self._waiting.clear()
        runners = [task.runner for task in self._tasks.values() if task.runner and not task.runner.done()]
        for runner in runners:
            runner.cancel()
        await asyncio.gather(*runners, return_exceptions=True)

    def _line(self, task: Task) -> tuple[str, str]:
        return task.key.wallet.kind, task.key.wallet.id

    def _start_next(self, line: tuple[str, str]) -> None:
        waiting = self._waiting[line]
        while waiting and self._running[line] < waiting[0].key.wallet.max_concurrency:
            task = waiting.popleft()
            self._running[line] += 1
            task.status = "running"
            task.started = self._clock.elapsed()
            task.runner = asyncio.create_task(self._run(task))

    async def _run(self, task: Task) -> None:
        model = task.order.resolved.model
        due = task.started + (model.seconds / self._speed if self._speed else 0.0)
        if model.name in self._failing:
            await self._clock.wait_until(due)
            task.error = f"{model.name} failed to generate this output. The credits were refunded."
            self._leave(task, "failed")
            return
        making = asyncio.get_running_loop().run_in_executor(self._pool, _make, task, self._assets)
        try:
            await self._clock.wait_until(due)
            outputs = await making
        except asyncio.CancelledError:
            making.cancel()
            raise
        except Unreadable as error:
            task.error = f"An input cannot be read: {error}. The credits were refunded."
            self._leave(task, "failed")
            return
        except Exception:
            logger.exception("task %s could not be rendered", task.id)
            task.error = "The sandbox could not render this output. The credits were refunded."
            self._leave(task, "failed")
            return
        for output in outputs:
            self._assets.add(output.asset)
            if output.thumbnail is not None:
                self._assets.add(output.thumbnail)
        task.outputs = tuple(outputs)
        task.seconds = self._clock.elapsed() - task.started
        self._durations[model.id].append(task.seconds)
        self._leave(task, "succeeded")

    def _leave(self, task: Task, status: str) -> None:
        self._finish(task, status)
        self._running[self._line(task)] -= 1
        self._start_next(self._line(task))

    def _finish(self, task: Task, status: str) -> None:
        task.status = status
        task.completed_at = self._clock.now()
        if status != "succeeded":
            self._accounts.refund(task.charge)


def _make(task: Task, assets: Assets) -> list[Output]:
    """Render the outputs to disk; runs in a worker thread."""
    pieces = render(task.order.with_inputs(task.work))
    return [_keep(piece, task.key.folder, assets) for piece in pieces]


def _keep(piece: Piece, folder: str, assets: Assets) -> Output:
    name = str(uuid.uuid4())
    asset = _write(piece.data, piece.content_type, f"{folder}/{name}", assets)
    thumbnail = None
    if piece.thumbnail is not None and piece.thumbnail_type is not None:
        thumbnail = _write(piece.thumbnail, piece.thumbnail_type, f"{folder}/{name}-thumb", assets)
    return Output(asset, thumbnail)


def _write(data: bytes, content_type: str, stem: str, assets: Assets) -> Asset:
    raster = content_type in _RASTER
    key = f"{stem}.{'webp' if raster else _ENDINGS[content_type]}"
    file = assets.folder / str(uuid.uuid4())
    file.write_bytes(data)
    return Asset(
        key=key,
        file=file,
        content_type=content_type,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        facts=None if content_type == "image/svg+xml" else measure(data, content_type),
        transformed=raster,
    )
