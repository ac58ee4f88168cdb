"""Sends orders: each queued one once, in its turn; one that may have arrived again, under its key.

A request outlives the call that waits for it: its response is read and recorded, and a call that takes the
order up meanwhile waits for that same request.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

from zooop_nb.contract.backend import Backend
from zooop_nb.contract.credits import credits_text
from zooop_nb.errors import (
    Action,
    APIError,
    LedgerError,
    OrderUnknown,
    RateLimited,
    Withdrawn,
    ZooopError,
    remedy,
)
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.orders.pricing import breakdown_of
from zooop_nb.results.values import ASPECTS
from zooop_nb.tasks import loop
from zooop_nb.tasks.outage import is_outage, outage_pause
from zooop_nb.tasks.progress import ProgressFeed
from zooop_nb.tasks.queue import concerned_by, queue_of
from zooop_nb.tasks.resending import send_before, stamp

QUOTE_LIFETIME: Final = 900.0
"""Seconds after which a quote is renewed before the order is sent."""

DESCRIPTION_LOST: Final = (
    "It is not known whether the picture was described, and its credit spent; it is not sent again"
)

_Request = Coroutine[Any, Any, OrderRecord]
_requests: "WeakKeyDictionary[loop.BackgroundLoop, dict[str, asyncio.Task[OrderRecord]]]" = (
    WeakKeyDictionary()
)


class _NotAccepted(Exception):
    """The API did not take the order now and may take it later; it is queued again."""


def requests() -> "dict[str, asyncio.Task[OrderRecord]]":
    """Return the requests of this process that are on their way, by order id."""
    return _requests.setdefault(loop.shared(), {})


class Sender:
    """Sends orders over one backend. `sleep` is how to wait, in seconds, during an outage."""

    def __init__(
        self,
        backend: Backend,
        ledger: Ledger,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._backend = backend
        self._ledger = ledger
        self._sleep = sleep

    async def send_in_turn(self, record: OrderRecord, feed: ProgressFeed, *, background: bool) -> OrderRecord:
        """Send a queued order when it is its turn; return it as submitted.

        Raises the API's refusal (nothing is charged), `Withdrawn` if it is not sent after all, and
        `OrderUnknown` if the response was lost.
        """
        queue = queue_of(record.host, record.token)
        feed.say(record, "waiting")
        await queue.turn(record, background=background)
        try:
            while True:
                await self._until_answering(record, feed)
                try:
                    sent = self._sent_again if record.state == "intended" else self._sent
                    return await sent(record, feed)
                except _NotAccepted:
                    # It keeps its turn: whoever came after it would be refused as well.
                    continue
                except OrderUnknown as unknown:
                    if not await self._waits_for_answer(record):
                        raise
                    record = await self._as_recorded(record, unknown)
                    if record.task_id is not None:
                        return record
        except BaseException as error:
            try:
                # Before the turn goes on, or the next one would be refused like this one.
                await self._withdraw_rest(record, error)
            finally:
                queue.leave(record.order_id)
            raise
        finally:
            queue.sent(record.order_id)

    async def send_again(self, record: OrderRecord, feed: ProgressFeed) -> OrderRecord:
        """Send an order that may have arrived once more under its key; return it as submitted.

        Raises `OrderUnknown`: a refusal decides nothing, for the first sending may have been accepted; and
        `Withdrawn` if the first sending has been refused meanwhile.
        """
        if record.order_id not in requests():
            # Its first sending may have ended since the order was read.
            record = await loop.off_loop(self._ledger.get, record.order_id)
        if record.state in {"intended", "unknown"}:
            feed.say(record, "sending")
            try:
                return await self._joined(record.order_id, partial(self._sending_again, record, feed))
            except _NotAccepted:
                # Its first sending was still on its way, and was not taken.
                record = await loop.off_loop(self._ledger.get, record.order_id)
            except RuntimeError:
                # It was another studio's request, and that was closed in the middle of it.
                return await self._joined(record.order_id, partial(self._sending_again, record, feed))
        if record.task_id is not None:
            return record
        queue_of(record.host, record.token).leave(record.order_id)
        if record.state != "queued":
            raise Withdrawn(record.error or "It was not sent, and costs nothing.")
        return await self.send_in_turn(record, feed, background=False)

    async def describe(self, record: OrderRecord, feed: ProgressFeed) -> OrderRecord:
        """Request a queued description; return its last record.

        Sent at most once: the endpoint takes no idempotency key, and a lost response raises `OrderUnknown`. A
        refusal costs nothing.
        """
        if record.state != "queued":
            # Taken up: its request is still on its way, or it has ended meanwhile.
            request = requests().get(record.order_id)
            if request is None:
                return await loop.off_loop(self._ledger.get, record.order_id)
            return await asyncio.shield(request)
        feed.say(record, "sending")
        return await self._joined(record.order_id, partial(self._description, record, feed))

    async def _joined(self, order_id: str, start: Callable[[], _Request]) -> OrderRecord:
        """Wait for the order's request, started unless it is on its way already."""
        under_way = requests()
        request = under_way.get(order_id)
        if request is None:
            request = under_way[order_id] = asyncio.ensure_future(start())
            request.add_done_callback(lambda done: _forget(under_way, order_id, done))
        # Shielded: an interrupt stops the waiting, and the response with the task's id is still read.
        return await asyncio.shield(request)

    async def _sent(self, record: OrderRecord, feed: ProgressFeed) -> OrderRecord:
        """Send a queued order as soon as the rate limit allows."""
        await self._backend.submit_allowed(feed.on_wait(record))
        # After the wait, which may be longer than a quote is good for.
        record = await self._renewed(record)
        feed.say(record, "sending")
        return await self._joined(record.order_id, partial(self._first_sending, record))

    async def _sent_again(self, record: OrderRecord, feed: ProgressFeed) -> OrderRecord:
        """Send an order that may have arrived once more under its key, at the price that was confirmed."""
        try:
            await self._renewed(record)
        except ZooopError as error:
            self._note_answer(record, error)
            raise _unknown(record, error) from error
        return await self._joined(record.order_id, partial(self._sending_again, record, feed))

    async def _until_answering(self, record: OrderRecord, feed: ProgressFeed) -> None:
        """After a submit without an answer, wait until the API answers again: what is sent into an outage is
        refused after three attempts, or is not known to have arrived."""
        queue = queue_of(record.host, record.token)
        outage = queue.outage
        if outage is None or not await self._waits_for_answer(record):
            return
        meanwhile = "not sent yet" if record.state == "queued" else "whether it arrived is not known yet"
        while True:
            feed.say(record, "waiting", note=outage.note(meanwhile))
            await self._sleep(outage_pause(outage.count()))
            try:
                await self._backend.me()
            except ZooopError as error:
                if is_outage(error):
                    continue
            queue.note_other_answer()
            return

    async def _waits_for_answer(self, record: OrderRecord) -> bool:
        """Return whether there is an outage, and an order that was not answered waits for its end.

        Alone it is given up after three attempts, and can be resumed if it may have arrived. A batch, and
        orders beside others, go on after the outage.
        """
        queue = queue_of(record.host, record.token)
        if not queue.is_outage:
            return False
        try:
            return not queue.is_alone(record.order_id) or await loop.off_loop(
                self._ledger.is_of_batch, record
            )
        except LedgerError:
            return False

    async def _as_recorded(self, record: OrderRecord, otherwise: Exception) -> OrderRecord:
        """Return the order as the ledger has it now. Raises `otherwise` if it cannot be read."""
        try:
            return await loop.off_loop(self._ledger.get, record.order_id)
        except LedgerError:
            raise otherwise from None

    def _note_answer(self, record: OrderRecord, error: ZooopError | None = None) -> None:
        queue_of(record.host, record.token).note_answer(error is None or not _is_unanswered(error))

    async def _first_sending(self, record: OrderRecord) -> OrderRecord:
        sent_at = stamp(self._backend.clock.now())
        if not await loop.off_loop(self._ledger.record_intent, record.order_id, sent_at):
            raise Withdrawn("The order was withdrawn before it was sent; it costs nothing.")
        record = replace(record, state="intended", sent_at=sent_at)
        try:
            answer = await self._backend.submit(record.intent(send_before(record, self._backend)))
        except ZooopError as error:
            self._note_answer(record, error)
            if error.maybe_arrived:
                raise _unknown(record, error) from error
            if _is_for_later(error) or await self._waits_for_answer(record):
                await loop.off_loop(self._ledger.record_not_accepted, record.order_id)
                raise _NotAccepted from error
            await loop.off_loop(self._ledger.record_refusal, record.order_id, error.message)
            raise
        return await self._accepted(record, answer.task_id, answer.status)

    async def _sending_again(self, record: OrderRecord, feed: ProgressFeed) -> OrderRecord:
        while True:
            await self._backend.submit_allowed(feed.on_wait(record))
            try:
                answer = await self._backend.submit(record.intent(send_before(record, self._backend)))
            except ZooopError as error:
                if _is_for_later(error):
                    continue
                self._note_answer(record, error)
                raise _unknown(record, error) from error
            return await self._accepted(record, answer.task_id, answer.status)

    async def _accepted(self, record: OrderRecord, task_id: str, status: str) -> OrderRecord:
        self._note_answer(record)
        return await self._fact(
            lambda: self._ledger.record_submission(record.order_id, task_id, status),
            replace(record, state="submitted", task_id=task_id, status=status, error=None),
            f"order {record.order_id} was accepted as task {task_id}",
        )

    async def _description(self, record: OrderRecord, feed: ProgressFeed) -> OrderRecord:
        order_id = record.order_id
        sent_at = stamp(self._backend.clock.now())
        if not await loop.off_loop(self._ledger.record_intent, order_id, sent_at):
            raise Withdrawn("The description was withdrawn before it was requested; it costs nothing.")
        try:
            answer = await self._backend.describe(record.intent(), feed.on_wait(record))
        except ZooopError as error:
            if not error.maybe_arrived:
                await loop.off_loop(self._ledger.record_refusal, order_id, error.message)
                raise
            why = f"{DESCRIPTION_LOST}: {error.message}"
            await self._fact(lambda: self._ledger.record_unknown(order_id, why), record, why)
            raise OrderUnknown(why, order_id=order_id, remedies=[remedy(Action.SEE_TASKS)]) from error
        except BaseException:
            why = f"{DESCRIPTION_LOST}: this session ended before the answer came."
            self._ledger.record_unknown(order_id, why)
            raise
        words = {name: getattr(answer, name) for name in ("overall_description", *ASPECTS)}
        ended = replace(
            record,
            state="succeeded",
            sent_at=sent_at,
            fetched_at=sent_at,
            credits=answer.credits,
            outputs=({"words": words},),
        )
        return await self._fact(
            lambda: self._ledger.record_description(order_id, answer.credits, words),
            ended,
            f"description {order_id} was made for {credits_text(answer.credits)}",
        )

    async def _fact(
        self, write: Callable[[], OrderRecord | None], known: OrderRecord, what: str
    ) -> OrderRecord:
        """Write what is true already. If the ledger cannot take it now, it is owed, and nothing is lost."""
        try:
            return await loop.off_loop(write) or known
        except LedgerError:
            self._ledger.owe(write, what)
            return known

    async def _renewed(self, record: OrderRecord) -> OrderRecord:
        """Return the order with a quote of the last 15 minutes. Raises `Withdrawn` if it is dearer now."""
        quoted_at = datetime.fromisoformat(record.created_at).timestamp()
        if record.target == "describe" or 0 <= time.time() - quoted_at < QUOTE_LIFETIME:
            return record
        try:
            quote = await self._backend.quote(record.intent())
        except ZooopError as error:
            self._note_answer(record, error)
            if await self._waits_for_answer(record):
                raise _NotAccepted from error
            raise
        if record.quoted is not None and quote.credits > record.quoted:
            raise Withdrawn(
                f"The price has risen from {credits_text(record.quoted)} to {credits_text(quote.credits)} "
                "since it was confirmed; nothing more was sent."
            )
        return await loop.off_loop(
            self._ledger.record_new_quote,
            record.order_id,
            quote.credits,
            breakdown=breakdown_of(quote),
            eta_s=quote.estimated_seconds,
        )

    async def _withdraw_rest(self, record: OrderRecord, error: BaseException) -> None:
        """Withdraw the queued orders that would be refused like this one, or cost more like it."""
        if not isinstance(error, ZooopError):
            return
        concerned: Callable[[OrderRecord], bool] | None
        if isinstance(error, Withdrawn):
            concerned, why = _of_batch(record.batch), error
        else:
            concerned = concerned_by(record, error)
            why = Withdrawn(f"Not sent, and not paid, after another order was refused: {error.message}")
        if concerned is None:
            return
        queue = queue_of(record.host, record.token)
        order_ids = [each.order_id for each in queue.waiting() if concerned(each)]
        if order_ids:
            queue.withdraw(set(order_ids), why)
            await loop.off_loop(self._ledger.withdraw, order_ids, why.message)


def _forget(
    under_way: "dict[str, asyncio.Task[OrderRecord]]", order_id: str, done: "asyncio.Task[OrderRecord]"
) -> None:
    under_way.pop(order_id, None)
    if not done.cancelled():
        # Retrieved here: after an interrupt nothing else does, and asyncio would print it.
        done.exception()


def _of_batch(batch: str) -> Callable[[OrderRecord], bool]:
    return lambda record: record.batch == batch


def _is_unanswered(error: ZooopError) -> bool:
    """Return whether the API did not answer. Its own 503 is an answer: no provider took the order."""
    return is_outage(error) and not (isinstance(error, APIError) and error.status in {429, 503})


def _is_for_later(error: ZooopError) -> bool:
    """Return whether the API takes the same request later: its rate limit, not a cap."""
    return isinstance(error, RateLimited) and error.code == "rate_limited"


def _unknown(record: OrderRecord, error: ZooopError) -> OrderUnknown:
    return OrderUnknown(
        f"Whether the order arrived is not known yet: {error.message}",
        order_id=record.order_id,
        remedies=[remedy(Action.RESUME, order=record.order_id)],
    )
