"""Runs an order: submits it under its key, follows its task, downloads its outputs.

Each step is in the ledger before the next begins, so that after a crash the next session continues from
there. These coroutines return values and report progress; they display nothing.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from zooop_nb.contract.backend import Backend
from zooop_nb.contract.limits import KEY_LIFETIME, TERMINAL_STATUSES
from zooop_nb.contract.shapes import TaskState
from zooop_nb.errors import (
    Action,
    APIError,
    DownloadFailed,
    LedgerError,
    OrderUnknown,
    PaidTaskError,
    ZooopError,
    remedy,
)
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.results.probe import probe
from zooop_nb.results.values import ASPECTS, Output
from zooop_nb.tasks.polling import poll_interval
from zooop_nb.tasks.progress import Progress, ProgressFeed

RESEND_WITHIN: Final = KEY_LIFETIME - 3600.0
"""Seconds after the first sending within which an order may be sent again. API documentation:
"Idempotency"."""

DESCRIPTION_LOST: Final = (
    "Whether the picture was described, and its credit spent, cannot be told; it is not sent again"
)


class TaskRunner:
    """Runs orders over one backend."""

    def __init__(self, backend: Backend, ledger: Ledger, folder: Path) -> None:
        self._backend = backend
        self._ledger = ledger
        self._folder = folder
        # A request goes on although nothing waits for it any more; the loop keeps no reference of its own.
        self._requests: set[asyncio.Task[OrderRecord]] = set()
        self._running: dict[str, asyncio.Task[Any]] = {}
        """What follows each order now, by its id."""
        self._unreleased: set[str] = set()
        """Orders that are not followed any more, but whose release the ledger could not record."""

    def catch_up(self) -> None:
        """Record the releases that the ledger could not take earlier, so that those orders can be found.

        Raises `LedgerError`.
        """
        unreleased = tuple(self._unreleased)
        if unreleased:
            self._ledger.release_own(unreleased)
            self._unreleased.difference_update(unreleased)

    async def run(
        self, record: OrderRecord, feed: ProgressFeed, submitted: "Future[OrderRecord]", *, resent: bool
    ) -> OrderRecord:
        """Run an order from its intent, or from wherever it stands, to its end; return its last record.

        `resent` says that it may have been sent before. If this is cancelled or fails before the end, the
        order is left abandoned in the ledger.
        """
        started = time.monotonic() - min(_age(record), 3600.0)
        try:
            self._register(record)
            if record.task_id is None:
                # It is sent now, perhaps again: the task may be as young as that.
                started = time.monotonic()
                feed.put(_progress(record, "sending", 0.0))
                # Shielded: an interrupt stops the waiting, and the response with the task's id is still read.
                record = await asyncio.shield(self._keep_request(self._submit(record, resent)))
            _settle(submitted, record)
            if record.state not in TERMINAL_STATUSES:
                record = await self._follow(record, feed, started)
            if record.state == "succeeded" and record.fetched_at is None:
                record = await self._download(record, feed)
            return self._ledger.release(record.order_id)
        except BaseException as error:
            if isinstance(error, LedgerError):
                error.remedies = (*error.remedies, remedy(Action.RESUME, order=record.order_id))
            self._abandon(record.order_id, error)
            _fail(submitted, error)
            raise
        finally:
            self._running.pop(record.order_id, None)
            feed.close()

    async def stop(self, order_ids: Iterable[str]) -> None:
        """Stop following the orders; when this returns, the ledger has them as abandoned.

        It also reaches an order whose `Task` was lost to an interrupt, or was never started. A description's
        request goes on.
        """
        order_ids = tuple(order_ids)
        running = [self._running[each] for each in order_ids if each in self._running]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        try:
            self._ledger.release_own(order_ids)
        except LedgerError:
            self._unreleased.update(order_ids)

    async def describe(
        self, record: OrderRecord, feed: ProgressFeed, submitted: "Future[OrderRecord]"
    ) -> OrderRecord:
        """Request a description whose intent is recorded; return its last record.

        Sent at most once: the endpoint takes no idempotency key, and a lost response raises `OrderUnknown`.
        Cancelled, the request goes on, and the ledger has the description in the end. A refusal costs
        nothing.
        """
        try:
            self._register(record)
            feed.put(_progress(record, "sending", 0.0))
            record = await asyncio.shield(self._keep_request(self._describe(record)))
            _settle(submitted, record)
            return record
        except BaseException as error:
            _fail(submitted, error)
            raise
        finally:
            self._running.pop(record.order_id, None)
            feed.close()

    def _register(self, record: OrderRecord) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running[record.order_id] = task

    def _keep_request(self, coroutine: Coroutine[Any, Any, OrderRecord]) -> "asyncio.Task[OrderRecord]":
        request = asyncio.ensure_future(coroutine)
        self._requests.add(request)
        request.add_done_callback(self._forget_request)
        return request

    def _forget_request(self, request: "asyncio.Task[OrderRecord]") -> None:
        self._requests.discard(request)
        if not request.cancelled():
            # Retrieved here: after an interrupt nothing else does, and asyncio would print it.
            request.exception()

    def _abandon(self, order_id: str, error: BaseException) -> None:
        try:
            if not self._ledger.get(order_id).ended:
                self._ledger.release(order_id, error.message if isinstance(error, ZooopError) else None)
        except LedgerError:
            self._unreleased.add(order_id)

    async def _submit(self, record: OrderRecord, resent: bool) -> OrderRecord:
        try:
            answer = await self._backend.submit(record.intent())
        except ZooopError as error:
            if not error.maybe_arrived and (not resent or _is_about_the_body(error)):
                self._ledger.record_refusal(record.order_id, error.message)
                raise
            raise OrderUnknown(
                f"Whether the order arrived is not known yet: {error.message}",
                order_id=record.order_id,
                remedies=[remedy(Action.RESUME, order=record.order_id)],
            ) from error
        self._ledger.record_submission(record.order_id, answer.task_id, answer.status)
        return self._ledger.get(record.order_id)

    async def _describe(self, record: OrderRecord) -> OrderRecord:
        try:
            answer = await self._backend.describe(record.intent())
        except ZooopError as error:
            if not error.maybe_arrived:
                self._ledger.record_refusal(record.order_id, error.message)
                raise
            why = f"{DESCRIPTION_LOST}: {error.message}"
            self._ledger.record_unknown(record.order_id, why)
            raise OrderUnknown(why, order_id=record.order_id, remedies=[remedy(Action.SEE_TASKS)]) from error
        except BaseException:
            why = f"{DESCRIPTION_LOST}: this session ended before the answer came."
            self._ledger.record_unknown(record.order_id, why)
            raise
        words = {name: getattr(answer, name) for name in ("overall_description", *ASPECTS)}
        return self._ledger.record_description(record.order_id, answer.credits, words)

    async def _follow(self, record: OrderRecord, feed: ProgressFeed, started: float) -> OrderRecord:
        assert record.task_id is not None
        while True:
            try:
                state = await self._backend.task(record.task_id)
            except ZooopError as error:
                if isinstance(error, APIError) and error.code == "unknown_task":
                    self._ledger.record_unknown(record.order_id, error.message)
                raise PaidTaskError(
                    f"The task is paid and under way, but cannot be asked about: {error.message}",
                    order_id=record.order_id,
                    task_id=record.task_id,
                    remedies=[remedy(Action.FOLLOW_AGAIN, order=record.order_id)],
                ) from error
            record = self._ledger.record_status(record.order_id, **_reported(state))
            elapsed = time.monotonic() - started
            feed.put(_progress(record, state.status, elapsed))
            if state.status in TERMINAL_STATUSES:
                return record
            await asyncio.sleep(poll_interval(elapsed, record.eta_s))

    async def _download(self, record: OrderRecord, feed: ProgressFeed) -> OrderRecord:
        feed.put(_progress(record, "fetching", _age(record)))
        kept: list[Mapping[str, Any]] = []
        for number, output in enumerate(record.outputs, 1):
            folder = self._folder / record.order_id
            try:
                fetched = await self._backend.fetch(output["url"], folder, f"{number}")
            except (ZooopError, OSError) as error:
                why = error.message if isinstance(error, ZooopError) else f"{error}."
                raise DownloadFailed(
                    f"The task succeeded and is paid, but output {number} could not be downloaded: {why}",
                    order_id=record.order_id,
                    task_id=record.task_id,
                    remedies=[remedy(Action.RESUME, order=record.order_id)],
                ) from error
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
            kept.append(asdict(whole))
        return self._ledger.record_outputs(record.order_id, kept)


def may_resend(record: OrderRecord, backend: Backend, now: datetime | None = None) -> bool:
    """Return whether an order whose task is not known may be sent again under its key.

    Only if the first sending is less than 23 hours old, and token and host are the same.
    """
    return (
        # The server knows no key of a description.
        record.target != "describe"
        and may_follow(record, backend)
        and record.sent_at is not None
        and _age(record, now) < RESEND_WITHIN
    )


def may_follow(record: OrderRecord, backend: Backend) -> bool:
    """Return whether this token can see the task."""
    return record.token == backend.token and record.host == backend.host


def _is_about_the_body(error: ZooopError) -> bool:
    """Return whether a refusal means that the same body was refused before as well.

    A limit, a cap, a wallet or a token is judged as it is now: an earlier sending may have been accepted,
    and is paid then.
    """
    return isinstance(error, APIError) and error.status in {400, 404, 422}


def _age(record: OrderRecord, now: datetime | None = None) -> float:
    if record.sent_at is None:
        return 0.0
    return max(0.0, ((now or datetime.now(UTC)) - datetime.fromisoformat(record.sent_at)).total_seconds())


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


def _progress(record: OrderRecord, state: str, elapsed: float) -> Progress:
    return Progress(state, elapsed, record.eta_s, record.model, record.order_id, record.task_id)


def _settle(submitted: "Future[OrderRecord]", record: OrderRecord) -> None:
    if not submitted.done():
        submitted.set_result(record)


def _fail(submitted: "Future[OrderRecord]", error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError):
        submitted.cancel()
    elif not submitted.done():
        submitted.set_exception(error)
