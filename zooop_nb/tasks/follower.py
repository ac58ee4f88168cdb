"""Follows a task that the API has accepted, to its end, and downloads its outputs.

An outage is waited for, with growing pauses: the task goes on meanwhile, and it is paid.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from zooop_nb.contract.backend import Backend
from zooop_nb.contract.credits import credits_text
from zooop_nb.contract.limits import TERMINAL_STATUSES
from zooop_nb.contract.shapes import TaskState
from zooop_nb.errors import (
    Action,
    APIError,
    DownloadFailed,
    InvalidResponse,
    LedgerError,
    PaidTaskError,
    ZooopError,
    remedy,
)
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.results.probe import probe
from zooop_nb.results.values import Output
from zooop_nb.tasks import loop
from zooop_nb.tasks.outage import Patience, is_outage, outage_pause
from zooop_nb.tasks.polling import poll_interval
from zooop_nb.tasks.progress import ProgressFeed
from zooop_nb.tasks.queue import STUCK_AFTER, queue_of

DOCUMENTED_STATUSES: Final = frozenset({"queued", "running"}) | TERMINAL_STATUSES
ODD_PATIENCE: Final = 30.0
"""Seconds for which a task is followed that is unknown, or of a status that is not documented."""
FIGURE_ASKS: Final = 3
"""How often the API is asked again for the figure of a task that has succeeded without one."""
DOWNLOAD_PATIENCE: Final = 600.0
"""Seconds for which a download is tried again: unlike a task, it does not go on by itself."""
GOES_ON: Final = "the task goes on"


class Follower:
    """Follows tasks over one backend. `folder` is where the outputs are kept.

    `clock` and `sleep` are the monotonic clock, in seconds, and how to wait by it.
    """

    def __init__(
        self,
        backend: Backend,
        ledger: Ledger,
        folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._backend = backend
        self._ledger = ledger
        self._folder = folder
        self._clock = clock
        self._sleep = sleep

    async def follow(self, record: OrderRecord, feed: ProgressFeed, started: float) -> OrderRecord:
        """Follow an accepted order to its end; return its last record.

        `started` is the moment of the submit by the monotonic clock. Raises `PaidTaskError` if the task
        cannot be followed any more; it goes on.
        """
        if record.state not in TERMINAL_STATUSES:
            record = await self._to_its_end(record, feed, started)
        if record.state == "succeeded" and record.credits is None:
            record = await self._figure(record)
        if record.state == "succeeded" and record.fetched_at is None:
            record = await self._download(record, feed, started)
        return record

    async def _to_its_end(self, record: OrderRecord, feed: ProgressFeed, started: float) -> OrderRecord:
        outage, odd = Patience(self._clock), Patience(self._clock)
        moved = self._clock()
        while True:
            try:
                state = await self._state(record)
            except ZooopError as error:
                if not is_outage(error) and odd.seconds() > _patience(error):
                    raise self._lost(record, error.message) from error
                feed.say(record, feed.state or "running", self._clock() - started, outage.note(GOES_ON))
                await self._sleep(outage_pause(outage.count()))
                record = await self._as_recorded(record)
                if record.state in TERMINAL_STATUSES:
                    return record
                continue
            outage = Patience(self._clock)
            if state.status != record.status:
                moved = self._clock()
            record = await self._recorded(record, state)
            if record.state in TERMINAL_STATUSES:
                feed.say(record, state.status, self._clock() - started)
                return record
            if state.status in DOCUMENTED_STATUSES:
                odd = Patience(self._clock)
            elif odd.seconds() > ODD_PATIENCE:
                raise self._lost(record, f"its status “{state.status}” is not documented.")
            elapsed = self._clock() - started
            feed.say(record, state.status, elapsed)
            if self._clock() - moved > STUCK_AFTER:
                queue_of(record.host, record.token).leave(record.order_id)
            await self._sleep(poll_interval(elapsed, record.eta_s))

    async def _figure(self, record: OrderRecord) -> OrderRecord:
        """Ask again what a task cost that has succeeded. Without an answer, the order stays open."""
        for count in range(FIGURE_ASKS):
            await self._sleep(outage_pause(count))
            try:
                state = await self._state(record)
            except ZooopError:
                continue
            record = await self._recorded(record, state)
            if record.credits is not None:
                break
        return record

    async def _state(self, record: OrderRecord) -> TaskState:
        assert record.task_id is not None
        return await self._backend.task(record.task_id)

    async def _recorded(self, record: OrderRecord, state: TaskState) -> OrderRecord:
        """Record what the API reports of the task, where it has changed."""
        reported = _reported(state)
        known = {
            "status": record.status,
            "credits": record.credits,
            "created_at": record.task_created_at,
            "completed_at": record.task_completed_at,
            "error": record.error,
            "outputs": [
                {"url": each["url"], "thumbnail_url": each.get("thumbnail_url")} for each in record.outputs
            ],
        }
        said = {name: value for name, value in reported.items() if value is not None}
        if all(known[name] == value for name, value in said.items()):
            return record
        try:
            return await loop.off_loop(self._ledger.record_status, record.order_id, **reported)
        except LedgerError:
            cost = "" if state.credits_charged is None else f", {credits_text(state.credits_charged)}"
            self._ledger.owe(
                lambda: self._ledger.record_status(record.order_id, **reported),
                f"task {record.task_id}: {state.status}{cost}",
            )
            return replace(
                record,
                state=state.status if state.status in TERMINAL_STATUSES else record.state,
                status=state.status,
                credits=record.credits if state.credits_charged is None else state.credits_charged,
                outputs=tuple(reported["outputs"]),
                error=reported["error"],
            )

    async def _as_recorded(self, record: OrderRecord) -> OrderRecord:
        """Return what the ledger has of the order now: another session may have followed it to its end."""
        try:
            return await loop.off_loop(self._ledger.get, record.order_id)
        except LedgerError:
            return record

    async def _download(self, record: OrderRecord, feed: ProgressFeed, started: float) -> OrderRecord:
        kept: list[Mapping[str, Any]] = []
        for number, output in enumerate(record.outputs, 1):
            fetched = await self._fetched(record, output["url"], number, feed, started)
            properties = await asyncio.to_thread(probe, fetched.path, fetched.content_type)
            whole = Output(
                url=output["url"],
                thumbnail_url=output.get("thumbnail_url"),
                path=fetched.path,
                content_type=fetched.content_type,
                sha256=fetched.sha256,
                size=fetched.size,
                width=properties.width,
                height=properties.height,
                duration=properties.duration,
            )
            # Relative to the folder, so that a home that is moved keeps its results.
            kept.append({**asdict(whole), "path": fetched.path.relative_to(self._folder).as_posix()})
        try:
            return await loop.off_loop(self._ledger.record_outputs, record.order_id, kept)
        except LedgerError:
            self._ledger.owe(
                lambda: self._ledger.record_outputs(record.order_id, kept),
                f"the files of order {record.order_id} are in {self._folder / record.order_id}",
            )
            return replace(record, outputs=tuple(kept), error=None)

    async def _fetched(
        self, record: OrderRecord, url: str, number: int, feed: ProgressFeed, started: float
    ) -> Any:
        patience = Patience(self._clock)
        while True:
            note = patience.note(GOES_ON) if patience.tried else None
            feed.say(record, "fetching", self._clock() - started, note)
            try:
                return await self._backend.fetch(url, self._folder / record.order_id, f"{number}")
            except (ZooopError, OSError) as error:
                if is_outage(error) and patience.seconds() < DOWNLOAD_PATIENCE:
                    await self._sleep(outage_pause(patience.count()))
                    continue
                why = error.message if isinstance(error, ZooopError) else f"{error}."
                raise DownloadFailed(
                    f"The task succeeded and is paid, but output {number} could not be downloaded: {why}",
                    order_id=record.order_id,
                    task_id=record.task_id,
                    remedies=[remedy(Action.RESUME, order=record.order_id)],
                ) from error

    def _lost(self, record: OrderRecord, why: str) -> PaidTaskError:
        return PaidTaskError(
            f"The task is paid and under way, but cannot be asked about: {why}",
            order_id=record.order_id,
            task_id=record.task_id,
            remedies=[remedy(Action.FOLLOW_AGAIN, order=record.order_id)],
        )


def _patience(error: ZooopError) -> float:
    """Return the seconds for which an error that is no outage is put up with.

    A task that is not known may be known a moment later, and a proxy's page goes away. A refused token stays
    refused.
    """
    odd = isinstance(error, InvalidResponse) or (isinstance(error, APIError) and error.status == 404)
    return ODD_PATIENCE if odd else -1.0


def _reported(state: TaskState) -> dict[str, Any]:
    """Return what the server reports of a task, as `Ledger.record_status` takes it."""
    error = state.error
    if isinstance(error, dict):
        error = error.get("message") or error.get("code") or str(error)
    return {
        "status": state.status,
        "credits": state.credits_charged,
        "created_at": state.created_at,
        "completed_at": state.completed_at,
        "outputs": [
            {"url": output.url, "thumbnail_url": output.thumbnail_url} for output in state.outputs or ()
        ],
        "error": None if error is None else str(error),
    }
