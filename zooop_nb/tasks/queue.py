"""The queue: which order is sent next, and how many are under way at once.

One queue for each token of a host in this process, on the background loop. Orders are sent one by one, those
that somebody waits for first. What is queued was never sent, so it can be withdrawn.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from zooop_nb.errors import APIError, DailyCapReached, ZooopError
from zooop_nb.ledger import OrderRecord
from zooop_nb.tasks import loop
from zooop_nb.tasks.outage import Patience

STUCK_AFTER: Final = 1800.0
"""Seconds after which a task whose status does not change gives its place to another."""

REFUTED_AFTER: Final = 3
"""How often the API answers between submits that it does not answer before these are given up."""


@dataclass(order=True)
class _Waiting:
    background: bool
    number: int
    record: OrderRecord = field(compare=False)
    turn: "asyncio.Future[None]" = field(compare=False)


class SubmitQueue:
    """The orders of one token that wait for their turn, and those that are under way."""

    def __init__(self) -> None:
        self._places = 1
        self._numbers = itertools.count()
        self._waiting: list[_Waiting] = []
        self._under_way: set[str] = set()
        self._sending: str | None = None
        self.outage: Patience | None = None
        """Since when nothing that was sent was answered; None if the last was."""
        self._refuted = 0

    @property
    def places(self) -> int:
        """The number of tasks under way at once."""
        return self._places

    @places.setter
    def places(self, number: int) -> None:
        self._places = number
        self._next()

    async def turn(self, record: OrderRecord, *, background: bool) -> None:
        """Wait until the order may be sent; `sent` gives the turn on, `leave` gives the place back.

        Raises the error that `withdraw` was given.
        """
        if self._sending is None:
            # Nothing waits for the end of an outage, and this order was quoted just now.
            self.note_answer(True)
        turn = asyncio.get_running_loop().create_future()
        waiting = _Waiting(background, next(self._numbers), record, turn)
        self._waiting.append(waiting)
        self._next()
        try:
            await turn
        except BaseException:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            self.leave(record.order_id)
            raise

    def occupy(self, order_id: str) -> None:
        """Take a place for an order that is under way already."""
        self._under_way.add(order_id)

    def sent(self, order_id: str) -> None:
        """Give the turn to the next order."""
        if self._sending == order_id:
            self._sending = None
        self._next()

    def leave(self, order_id: str) -> None:
        """Give back the order's place, and its turn if it has it."""
        self._under_way.discard(order_id)
        self.sent(order_id)

    def note_answer(self, answered: bool) -> None:
        """Note whether the API answered what was sent."""
        if answered:
            self.outage, self._refuted = None, 0
        elif self.outage is None:
            self.outage = Patience(time.monotonic)

    def note_other_answer(self) -> None:
        """Note that the API answers something else while it does not answer what is sent."""
        self._refuted += 1

    @property
    def is_outage(self) -> bool:
        """Whether it is worth waiting: an API that answers all but what is sent is not out of order."""
        return self.outage is not None and self._refuted < REFUTED_AFTER

    def is_alone(self, order_id: str) -> bool:
        """Return whether no order but this one waits or is under way."""
        return not self._waiting and self._under_way <= {order_id}

    def waiting(self) -> list[OrderRecord]:
        """Return the orders that wait for their turn."""
        return [each.record for each in self._waiting]

    def withdraw(self, order_ids: Collection[str], error: ZooopError) -> None:
        """End the waiting of some of the orders with an error."""
        for waiting in [each for each in self._waiting if each.record.order_id in order_ids]:
            self._waiting.remove(waiting)
            if not waiting.turn.done():
                waiting.turn.set_exception(error)

    def foreground(self, order_id: str) -> None:
        """Somebody waits for the order now: it goes before those that nobody waits for."""
        for waiting in self._waiting:
            if waiting.record.order_id == order_id:
                waiting.background = False

    def _next(self) -> None:
        while self._sending is None and self._waiting and len(self._under_way) < self._places:
            first = min(self._waiting)
            self._waiting.remove(first)
            if not first.turn.done():
                self._sending = first.record.order_id
                self._under_way.add(self._sending)
                first.turn.set_result(None)


_queues: "WeakKeyDictionary[loop.BackgroundLoop, dict[tuple[str, str], SubmitQueue]]" = WeakKeyDictionary()


def queue_of(host: str, token: str) -> SubmitQueue:
    """Return the queue of a token in this process; a forked child has its own."""
    return _queues.setdefault(loop.shared(), {}).setdefault((host, token), SubmitQueue())


def concerned_by(refused: OrderRecord, error: ZooopError) -> Callable[[OrderRecord], bool] | None:
    """Return which other queued orders a refusal concerns as well; None if only the refused one.

    Cap, wallet, ban and token concern all of them, "no provider" those of the same model.
    """
    if not isinstance(error, APIError):
        return None
    if (
        error.status in {401, 402}
        or isinstance(error, DailyCapReached)
        or error.code in {"account_banned", "token_project_unbound"}
    ):
        return lambda record: True
    if error.status == 503 or error.code in {"unknown_model", "model_not_public"}:
        return lambda record: (record.target, record.model_id) == (refused.target, refused.model_id)
    return None
