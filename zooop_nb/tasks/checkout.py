"""The desk: where orders are priced, confirmed, placed and picked up again.

`prepare`, `confirm` and `place` are the steps of every order, one by one, so that whoever stands in front can
show the line between them. All of it runs on the caller's thread; what asks the network runs on the engine.
"""

import asyncio
import getpass
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Final

from zooop_nb import frontend as face
from zooop_nb.contract.backend import Backend
from zooop_nb.contract.shapes import Me, Number, Quote
from zooop_nb.errors import Action, ConfirmationNeeded, Declined, remedy
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.ledger.record import now
from zooop_nb.orders import approval as money
from zooop_nb.orders.catalogue import Catalogue
from zooop_nb.orders.inputs import MediaStore
from zooop_nb.orders.order import Order, Origin
from zooop_nb.orders.pricing import OrderRequest, PricedOrder, entry_for, price, resolve
from zooop_nb.results.values import Result
from zooop_nb.settings import Settings
from zooop_nb.tasks import description as describe
from zooop_nb.tasks import loop as engine
from zooop_nb.tasks.progress import ProgressFeed
from zooop_nb.tasks.runner import TaskRunner, may_follow, may_resend
from zooop_nb.tasks.task import Task, Tasks, result_of

AT_ONCE: Final = 8
"""Quotes that are asked for side by side: they have a limit of their own, 120 a minute."""


@dataclass(frozen=True)
class PricedBatch:
    """What one call will do: its plans, priced, and whether somebody must say yes first."""

    plans: tuple[PricedOrder, ...]
    total: Number
    """Credits that are left to pay."""
    tasks: int
    """Tasks that are left to pay for."""
    must_confirm: bool
    budget: Number | None = None
    """The budget of this call alone, in credits."""

    @property
    def question(self) -> str:
        """What to ask."""
        from zooop_nb.results.render import credits_text

        what = "this task" if self.tasks == 1 else f"these {self.tasks} tasks"
        return f"Spend {credits_text(self.total)} on {what}?"


class Checkout:
    """The orders of one studio, over one backend."""

    def __init__(self, settings: Settings, backend: Backend, ledger: Ledger) -> None:
        self.settings = settings
        self.backend = backend
        self.ledger = ledger
        self.catalogue = Catalogue(backend, settings.cache_path)
        self.shelf = MediaStore(backend, ledger, settings.cache_path / "params")
        self._carrier = TaskRunner(backend, ledger, settings.media_path)
        self._budget = money.Budget()
        self._since = now()
        self._me: Me | None = None
        self._followed: set[Task] = set()

    @cached_property
    def who(self) -> str | None:
        """The user of this machine, for the ledger."""
        try:
            return getpass.getuser()
        except (OSError, KeyError, ImportError):
            # No name for this user id, as in some containers.
            return None

    def close(self) -> None:
        """Follow nothing any longer."""
        Tasks(tuple(self._followed)).stop_waiting()

    def prepare(
        self,
        asks: Sequence[OrderRequest],
        *,
        variants: bool = True,
        yes: bool = False,
        ask: bool = False,
        budget: Number | None = None,
        fresh: bool = False,
        paying: bool = True,
    ) -> PricedBatch:
        """Resolve and quote; attach to abandoned orders of this cell unless `fresh`. Nothing is paid yet.

        `variants` says that the number of tasks was asked for (`count`). With `paying=False` it is a quote
        only: the wallet is not asked, and nothing is attached to.
        """
        origin = face.current().origin()
        plans = engine.shared().run(self._plans(asks, origin, attach=paying and not fresh, paying=paying))
        total = sum(plan.total for plan in plans)
        tasks = sum(len(plan.entries) for plan in plans)
        must = tasks > 0 and money.must_confirm(
            tasks=tasks, total=total, variants=variants, yes=yes, ask=ask, policy=self.settings.confirm
        )
        return PricedBatch(tuple(plans), total, tasks, must, budget)

    def confirm(self, prepared: PricedBatch) -> None:
        """Check the call's budget, the wallet and the daily cap, then ask where the guide asks.

        Raises `OverBudget`, `ConfirmationNeeded` where nobody can answer, `Declined` on no.
        """
        money.check_call_budget(prepared.total, prepared.budget)
        if prepared.tasks and self._me is not None:
            money.check_wallet(self._me, prepared.total)
        if not prepared.must_confirm:
            return
        answer = face.current().ask(prepared.question)
        if answer is None:
            raise ConfirmationNeeded(
                f"{prepared.question} Nobody is here to answer, so nothing was submitted.",
                value=str(prepared.total),
                remedies=[remedy(Action.SAY_YES)],
            )
        if not answer:
            raise Declined("Not confirmed; nothing was submitted.", value=str(prepared.total))

    def place(self, prepared: PricedBatch) -> Tasks:
        """Hold the budget, write the intents, all of them or none, and submit. Raises `OverBudget`."""
        new = [entry.order_id for plan in prepared.plans for entry in plan.entries]
        tasks: list[Task] = []
        try:
            with self.promise(prepared.total):
                self.ledger.intend(new)
            for plan in prepared.plans:
                for entry in plan.attached:
                    tasks.append(self._carry(entry, resent=True))
                for entry in plan.entries:
                    tasks.append(self._carry(self.ledger.get(entry.order_id)))
        except BaseException as error:
            stopped = Tasks(tasks).interrupted()
            if tasks and isinstance(error, KeyboardInterrupt):
                raise stopped from None
            raise
        return Tasks(tasks)

    @contextmanager
    def release_on_error(self, prepared: PricedBatch) -> Iterator[None]:
        """Around all that stands between `prepare` and the end of `place`: where it breaks off, nobody
        follows these orders any more, and the next run of the cell can attach to what may be paid."""
        try:
            yield
        except BaseException:
            for entry in (each for plan in prepared.plans for each in (*plan.attached, *plan.entries)):
                if self.ledger.get(entry.order_id).follower is not None:
                    self.ledger.abandon(entry.order_id)
            raise

    def promise(self, total: Number) -> AbstractContextManager[None]:
        """Around the writing of intents of `total` credits: raises `OverBudget` where the session's budget
        does not allow them beside what is spent or may be."""
        committed = partial(self.ledger.committed, since=self._since, mode=self.backend.mode)
        return self._budget.promise(total, limit=self.settings.budget, committed=committed)

    def order(self, asks: Sequence[OrderRequest], *, variants: bool, **ours: Any) -> Tasks:
        """All the steps: the tasks, once the API has answered to each."""
        prepared = self.prepare(asks, variants=variants, **ours)
        with self.release_on_error(prepared):
            self.confirm(prepared)
            tasks = self.place(prepared)
        tasks.accepted()
        return tasks

    def resume(self, order_id: str | None = None) -> tuple[Tasks, tuple[Result, ...]]:
        """The tasks that `resume` follows, begun; and the orders that it can only report."""
        self._carrier.catch_up()
        entries = self.ledger.unfinished() if order_id is None else [self.ledger.find(order_id)]
        tasks: list[Task] = []
        final_result: list[Result] = []
        for entry in entries:
            if entry.state == "quoted":
                note = "It was only quoted; nothing was sent."
                final_result.append(replace(result_of(entry), error=note))
            elif entry.ended:
                final_result.append(result_of(entry))
            elif self.ledger.is_followed(entry):
                note = "a live session follows it"
                final_result.append(replace(result_of(entry), error=note))
            elif entry.target == "describe":
                if entry.state != "unknown":
                    self.ledger.unknown(
                        entry.order_id, f"{describe.LOST}: its session ended before the answer came."
                    )
                final_result.append(result_of(self.ledger.get(entry.order_id)))
            else:
                self._pick_up(entry, tasks, final_result)
        return Tasks(tasks), tuple(final_result)

    def _pick_up(self, entry: OrderRecord, tasks: list[Task], final_result: list[Result]) -> None:
        if entry.task_id is None and not may_resend(entry, self.backend):
            why = (
                "its first sending is over 23 hours ago"
                if may_follow(entry, self.backend)
                else f"it was sent with another token or to another host ({entry.host})"
            )
            why = f"Whether it arrived cannot be told, and it is not sent again: {why}."
            self.ledger.unknown(entry.order_id, why)
            final_result.append(result_of(self.ledger.get(entry.order_id)))
        elif entry.task_id is not None and not may_follow(entry, self.backend):
            why = f"Only the token that made it can see it, at {entry.host}."
            final_result.append(replace(result_of(entry), error=why))
        elif self.ledger.claim(entry):
            tasks.append(self._carry(self.ledger.get(entry.order_id), resent=True))

    def _carry(self, entry: OrderRecord, *, resent: bool = False) -> Task:
        track = ProgressFeed()
        submitted: Future[OrderRecord] = Future()
        future = engine.shared().start(self._carrier.carry(entry, track, submitted, resent=resent))
        task = Task(entry, track, submitted, future, self.ledger)
        self._followed.add(task)
        task.when_done(partial(self._followed.discard, task))
        return task

    async def _plans(
        self, asks: Sequence[OrderRequest], origin: Origin, *, attach: bool, paying: bool
    ) -> list[PricedOrder]:
        orders = [await resolve(ask, self.catalogue, self.shelf, origin) for ask in asks]
        if attach:
            self._carrier.catch_up()
        attached = [
            self._attach(order, ask.count) if attach else () for order, ask in zip(orders, asks, strict=True)
        ]
        batch = str(uuid.uuid4())
        # What is the same needs one quote only.
        missing = {
            order.fingerprint: order
            for order, ask, found in zip(orders, asks, attached, strict=True)
            if len(found) < ask.count
        }
        try:
            me = self.fresh_me() if paying and missing else self._known_me()
            room = asyncio.Semaphore(AT_ONCE)
            priced = asyncio.gather(*(self._priced(order, room) for order in missing.values()))
            _, prices = await asyncio.gather(me, priced)
        except BaseException:
            for entry in (entry for found in attached for entry in found):
                self.ledger.abandon(entry.order_id)
            raise
        quoted = dict(zip(missing, prices, strict=True))
        plans = []
        for order, ask, found in zip(orders, asks, attached, strict=True):
            if order.fingerprint not in quoted:
                plans.append(PricedOrder(order, ask.count, attached=found))
                continue
            ready, body, quote = quoted[order.fingerprint]
            entries = tuple(
                entry_for(ready, body, quote, batch=batch, backend=self.backend, me=self._me, who=self.who)
                for _ in range(ask.count - len(found))
            )
            for entry in entries:
                self.ledger.quote(entry)
            plans.append(PricedOrder(ready, ask.count, body, quote, found, entries))
        return plans

    async def _priced(self, order: Order, room: asyncio.Semaphore) -> tuple[Order, bytes, Quote]:
        async with room:
            return await price(order, self.backend, self.shelf)

    def _attach(self, order: Order, count: int) -> tuple[OrderRecord, ...]:
        """Up to `count` abandoned orders of this cell that ask for the same, each claimed for us."""
        origin = order.origin
        if origin.cell_hash is None:
            return ()
        found: list[OrderRecord] = []
        for entry in self.ledger.abandoned(order.fingerprint, origin.cell_hash, origin.notebook, origin.run):
            if len(found) == count:
                break
            follows = may_resend if entry.task_id is None else may_follow
            if follows(entry, self.backend) and self.ledger.claim(entry):
                found.append(self.ledger.get(entry.order_id))
        return tuple(found)

    async def fresh_me(self) -> Me:
        """The token about itself, asked now."""
        self._me = await self.backend.me()
        return self._me

    async def _known_me(self) -> Me:
        return self._me or await self.fresh_me()
