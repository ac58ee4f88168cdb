"""Carrying an order: submit it under its key, follow its task, keep its outputs.

Each step is in the ledger before the next begins, so that whatever dies, the next session goes on from
there. These coroutines return values and put progress down; they show nothing.
"""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from zooop_nb.contract.backend import Backend
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
from zooop_nb.ledger.store import TERMINAL
from zooop_nb.results.probe import measure
from zooop_nb.results.values import Output
from zooop_nb.tasks import polling as pace
from zooop_nb.tasks.progress import Progress, ProgressFeed

RESEND_WITHIN: Final = 23 * 3600.0
"""Seconds after the first sending within which an order may be sent again: the server remembers its key
for 24 hours. API documentation: "Idempotency"."""


class TaskRunner:
    """Carries orders over one backend."""

    def __init__(self, backend: Backend, ledger: Ledger, folder: Path) -> None:
        self._backend = backend
        self._ledger = ledger
        self._folder = folder
        # A submit goes on although nobody waits for it any more; the loop keeps no reference of its own.
        self._submits: set[asyncio.Task[OrderRecord]] = set()
        self._owed: set[str] = set()
        """Orders that nobody follows any more, where the ledger could not take that down."""

    def catch_up(self) -> None:
        """Take down what is owed to the ledger, so that abandoned orders are found. Raises `LedgerError`."""
        for order_id in tuple(self._owed):
            self._ledger.abandon(order_id)
            self._owed.discard(order_id)

    async def carry(
        self,
        entry: OrderRecord,
        track: ProgressFeed,
        submitted: "Future[OrderRecord]",
        *,
        resent: bool = False,
    ) -> OrderRecord:
        """From the intent (or wherever the order stands) to its end; the entry as it is then. `resent` says
        that it may have been sent before.

        Cancelled, or failing without an end, the order is left abandoned in the ledger.
        """
        began = time.monotonic() - min(_age(entry), 3600.0)
        try:
            if entry.task_id is None:
                # Sent now, perhaps again: the task may be as young as that.
                began = time.monotonic()
                track.put(_progress(entry, "sending", 0.0))
                submit = asyncio.ensure_future(self._submit(entry, resent))
                self._submits.add(submit)
                submit.add_done_callback(self._submit_ended)
                # Shielded: an interrupt stops the waiting, and the answer with the task's id is still read.
                entry = await asyncio.shield(submit)
            _settle(submitted, entry)
            if entry.state not in TERMINAL:
                entry = await self._follow(entry, track, began)
            if entry.state == "succeeded" and entry.fetched_at is None:
                entry = await self._keep(entry, track)
            return self._ledger.ended(entry.order_id)
        except BaseException as error:
            if isinstance(error, LedgerError):
                error.remedies = (*error.remedies, remedy(Action.RESUME, order=entry.order_id))
            self._let_go(entry.order_id, error)
            if isinstance(error, asyncio.CancelledError):
                submitted.cancel()
            elif not submitted.done():
                submitted.set_exception(error)
            raise
        finally:
            track.close()

    def _let_go(self, order_id: str, error: BaseException) -> None:
        try:
            if not self._ledger.get(order_id).ended:
                self._ledger.abandon(order_id, error.message if isinstance(error, ZooopError) else None)
        except LedgerError:
            self._owed.add(order_id)

    def _submit_ended(self, submit: "asyncio.Task[OrderRecord]") -> None:
        self._submits.discard(submit)
        if not submit.cancelled():
            # Asked for here, for after an interrupt nobody else does, and asyncio would print it.
            submit.exception()

    async def _submit(self, entry: OrderRecord, resent: bool) -> OrderRecord:
        try:
            answer = await self._backend.submit(entry.body, entry.key)
        except ZooopError as error:
            if not error.maybe_arrived and (not resent or _is_about_the_body(error)):
                self._ledger.refused(entry.order_id, error.message)
                raise
            raise OrderUnknown(
                f"Whether the order arrived is not known yet: {error.message}",
                order_id=entry.order_id,
                remedies=[remedy(Action.RESUME, order=entry.order_id)],
            ) from error
        self._ledger.submitted(entry.order_id, answer.task_id, answer.status)
        return self._ledger.get(entry.order_id)

    async def _follow(self, entry: OrderRecord, track: ProgressFeed, began: float) -> OrderRecord:
        assert entry.task_id is not None
        while True:
            try:
                state = await self._backend.task(entry.task_id)
            except ZooopError as error:
                if isinstance(error, APIError) and error.code == "unknown_task":
                    self._ledger.unknown(entry.order_id, error.message)
                raise PaidTaskError(
                    f"The task is paid and under way, but cannot be asked about: {error.message}",
                    order_id=entry.order_id,
                    task_id=entry.task_id,
                    remedies=[remedy(Action.FOLLOW_AGAIN, order=entry.order_id)],
                ) from error
            entry = self._ledger.seen(entry.order_id, **_said(state))
            gone = time.monotonic() - began
            track.put(_progress(entry, state.status, gone))
            if state.status in TERMINAL:
                return entry
            await asyncio.sleep(pace.poll_interval(gone, entry.eta_s))

    async def _keep(self, entry: OrderRecord, track: ProgressFeed) -> OrderRecord:
        track.put(_progress(entry, "fetching", _age(entry)))
        kept: list[Mapping[str, Any]] = []
        for number, output in enumerate(entry.outputs, 1):
            try:
                fetched = await self._backend.fetch(output["url"], self._folder / entry.order_id, f"{number}")
            except (ZooopError, OSError) as error:
                why = error.message if isinstance(error, ZooopError) else f"{error}."
                raise DownloadFailed(
                    f"The task succeeded and is paid, but output {number} could not be fetched: {why}",
                    order_id=entry.order_id,
                    task_id=entry.task_id,
                    remedies=[remedy(Action.RESUME, order=entry.order_id)],
                ) from error
            facts = await asyncio.to_thread(measure, fetched.path, fetched.content_type)
            whole = Output(
                url=output["url"],
                thumbnail_url=output.get("thumbnail_url"),
                path=fetched.path,
                content_type=fetched.content_type,
                sha256=fetched.sha256,
                size=fetched.size,
                width=facts.width,
                height=facts.height,
                duration=facts.duration,
            )
            kept.append(asdict(whole))
        return self._ledger.fetched(entry.order_id, kept)


def _is_about_the_body(error: ZooopError) -> bool:
    """Whether a refusal says that the same body was refused before as well. A limit, a cap, a wallet or a
    token is looked at as it is now: an earlier sending may have been accepted, and is paid then."""
    return isinstance(error, APIError) and error.status in {400, 404, 422}


def may_resend(entry: OrderRecord, backend: Backend, now: datetime | None = None) -> bool:
    """Whether an order whose task is not known may be sent again under its key: the first sending is
    less than 23 hours old, and token and host are the same."""
    return (
        # A description has no key that the server knows.
        entry.target != "describe"
        and entry.token == backend.token
        and entry.host == backend.host
        and entry.sent_at is not None
        and _age(entry, now) < RESEND_WITHIN
    )


def may_follow(entry: OrderRecord, backend: Backend) -> bool:
    """Whether this token can see the task."""
    return entry.token == backend.token and entry.host == backend.host


def _age(entry: OrderRecord, now: datetime | None = None) -> float:
    if entry.sent_at is None:
        return 0.0
    return max(0.0, ((now or datetime.now(UTC)) - datetime.fromisoformat(entry.sent_at)).total_seconds())


def _said(state: TaskState) -> dict[str, Any]:
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


def _progress(entry: OrderRecord, state: str, gone: float) -> Progress:
    return Progress(state, gone, entry.eta_s, entry.model, entry.order_id, entry.task_id)


def _settle(submitted: "Future[OrderRecord]", entry: OrderRecord) -> None:
    if not submitted.done():
        submitted.set_result(entry)
