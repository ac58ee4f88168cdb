"""The checkout: where orders are priced, confirmed, placed and resumed.

`Checkout.order` is the one way for every order: prepare (resolve, take up, quote), announce, confirm, place.
It is called on the caller's thread; its steps run on the background loop.
"""

import asyncio
import getpass
import uuid
from collections.abc import Collection, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cached_property, partial
from typing import Any, Final, TypeVar, Unpack
from weakref import WeakSet

from zooop_nb import settings as settings_
from zooop_nb.contract.backend import Backend
from zooop_nb.contract.credits import Number
from zooop_nb.contract.limits import tasks_at_once
from zooop_nb.contract.shapes import Me
from zooop_nb.errors import Action, ConfirmationNeeded, Declined, LedgerError, OrderUnknown, remedy
from zooop_nb.ledger import Ledger, OrderRecord, Outcome, Reservation, TakenUp, TakeUp, Wanted
from zooop_nb.orders.approval import check_call_budget, check_session_budget, check_wallet, must_confirm
from zooop_nb.orders.catalogue import Catalogue
from zooop_nb.orders.inputs import MediaStore
from zooop_nb.orders.order import Order, Origin
from zooop_nb.orders.pricing import PricedOrder, price, record_for, resolve
from zooop_nb.orders.request import OrderRequest, SpendingOptions
from zooop_nb.results.values import Quoted, Result
from zooop_nb.settings import Settings
from zooop_nb.tasks import loop
from zooop_nb.tasks.batch import PricedBatch, quoted
from zooop_nb.tasks.frontend import Frontend
from zooop_nb.tasks.holding import Holding
from zooop_nb.tasks.progress import ProgressFeed
from zooop_nb.tasks.queue import queue_of
from zooop_nb.tasks.resending import may_follow, may_resend, stamp
from zooop_nb.tasks.runner import TaskRunner
from zooop_nb.tasks.sender import DESCRIPTION_LOST, requests
from zooop_nb.tasks.task import Task, Tasks, WaitingStopped

T = TypeVar("T")

QUOTES_AT_ONCE: Final = 8
"""Orders that are priced side by side."""
TAKES_UP_PAID_WITHIN: Final = timedelta(hours=12)
"""How long ago an order that has succeeded may have been sent, for a re-run to take it up."""
NAMES_OPEN_WITHIN: Final = timedelta(hours=24)
"""How long ago an open order of another place may have been sent, to be named before an equal one is paid."""

_checkouts: "WeakSet[Checkout]" = WeakSet()


def end_execution(execution: str, outcome: Outcome) -> list[OrderRecord]:
    """End an execution in every checkout that has placed orders of it.

    Unless it ended well, what it waits for is let go. Returns the paid orders of the runs that it continues
    which it did not ask for.
    """
    left = [record for checkout in list(_checkouts) for record in checkout.end_execution(execution, outcome)]
    return list({record.order_id: record for record in left}.values())


class Checkout:
    """The orders of one studio, over one backend."""

    def __init__(self, settings: Settings, backend: Backend, ledger: Ledger) -> None:
        self.backend = backend
        self.ledger = ledger
        self.catalogue = Catalogue(backend, settings.cache_path)
        self.media_store = MediaStore(backend, ledger, settings.cache_path / "params")
        self._settings = settings
        self._runner = TaskRunner(backend, ledger, settings.media_path)
        self._me: Me | None = None
        self._followed: dict[Task, str | None] = {}
        """The tasks that are followed, each with the execution that waits for it, if any does."""
        self._executions: set[str] = set()
        self._sets_budget = settings.sources.get("budget") in {"call", "config"}
        _checkouts.add(self)

    @cached_property
    def who(self) -> str | None:
        """The user of this machine, for the ledger; None if the user id has no name, as in containers."""
        try:
            return getpass.getuser()
        except (OSError, KeyError, ImportError):
            return None

    def close(self) -> None:
        """Stop following every task."""
        Tasks(tuple(self._followed)).stop_waiting()
        _checkouts.discard(self)

    def order(
        self,
        requests: Sequence[OrderRequest],
        frontend: Frontend,
        origin: Origin,
        *,
        variants: bool = True,
        background: bool = False,
        **spending: Unpack[SpendingOptions],
    ) -> Tasks:
        """Quote, announce, confirm and reserve; return the tasks, which are sent in their turn.

        `variants` says that the number of tasks was asked for (`count`), `background` that nobody waits for
        them. Raises `InputError`, `SpendingError`, `APIError` and the rest of the tree, and `WaitingStopped`
        on an interrupt: it names the orders that may be paid by then, or none.
        """
        holding = Holding()
        with self._let_go_on_error(holding):
            batch = loop.shared().run(self._prepared(holding, requests, origin, variants, spending))
            frontend.announce(batch)
            self.confirm(batch, frontend)
            return loop.shared().run(self._placed(holding, batch, background))

    def quote(self, request: OrderRequest, origin: Origin) -> Quoted:
        """Return the exact price of an order that is not placed; the ledger has it as a quote."""
        batch = loop.shared().run(self._priced(Holding(), [request], origin, paying=False, take_up=False))
        return quoted(batch.orders[0])

    # The steps of an order.

    def prepare(
        self,
        requests: Sequence[OrderRequest],
        origin: Origin,
        *,
        variants: bool = True,
        **spending: Unpack[SpendingOptions],
    ) -> PricedBatch:
        """Resolve, take up what earlier runs of this cell left unless `fresh`, and quote the rest.

        Nothing is paid yet.
        """
        holding = Holding()
        with self._let_go_on_error(holding):
            return loop.shared().run(self._prepared(holding, requests, origin, variants, spending))

    def confirm(self, batch: PricedBatch, frontend: Frontend) -> None:
        """Check the call's budget, the wallet and the daily cap, then ask where the guide says to ask.

        Raises `OverBudget`, `ConfirmationNeeded` if the front end takes no input, `Declined` on no.
        """
        check_call_budget(batch.total, batch.budget)
        if batch.records and self._me is not None:
            check_wallet(self._me, batch.total)
        if not batch.must_confirm:
            return
        answer = frontend.ask(batch.question)
        if answer is None:
            raise ConfirmationNeeded(
                f"{batch.question} Nobody is here to answer, so nothing was submitted.",
                value=str(batch.total),
                remedies=[remedy(Action.SAY_YES)],
            )
        if not answer:
            raise Declined("Not confirmed; nothing was submitted.", value=str(batch.total))

    def place(self, batch: PricedBatch, *, background: bool = False) -> Tasks:
        """Reserve the cost, queue the new orders (all of them or none), and follow. Raises `OverBudget`."""
        holding = Holding()
        with self._let_go_on_error(holding):
            return loop.shared().run(self._placed(holding, batch, background))

    def resume(
        self, order_id: str | None = None, origin: Origin | None = None
    ) -> tuple[Tasks, tuple[Result, ...]]:
        """Pick up what is unfinished, or one order: the tasks that are followed now, and the other orders
        with the reason why they are not. `origin` is where that is asked for."""
        holding = Holding()
        with self._let_go_on_error(holding):
            return loop.shared().run(self._resumed(holding, order_id, origin or Origin()))

    def last(self, origin: Origin, *, fresh: bool = False) -> OrderRecord | None:
        """Return the order that `again` starts from, for a run of a cell; see `Ledger.last`."""
        run = origin.run_of_cell()
        if run is not None and not fresh:
            self.ledger.continue_last(run)
        return self.ledger.last(mode=self.backend.mode, execution=origin.execution)

    def end_execution(self, execution: str, outcome: Outcome) -> list[OrderRecord]:
        """End an execution; see the function of this name."""
        if execution not in self._executions:
            return []
        if outcome != "well":
            waited_for = [task for task, waiting in list(self._followed.items()) if waiting == execution]
            Tasks(waited_for).stop_waiting()
        left = self.ledger.end_execution(execution, outcome)
        # Last, so that after an interrupt it can be ended once more.
        self._executions.discard(execution)
        return left

    def fresh_me(self) -> Me:
        """Return the token's own view of itself, requested now."""
        return loop.shared().run(self._fresh_me())

    @contextmanager
    def _let_go_on_error(self, holding: Holding) -> Iterator[None]:
        """On any exception, let go of what the call holds, so that a re-run can take up what may be paid.

        An interrupt is raised as `WaitingStopped`. Which orders may have been sent, the ledger says: an
        interrupt can come between any two steps.
        """
        try:
            yield
        except WaitingStopped:
            raise
        except BaseException as error:
            # Started, not run: a second interrupt stops this waiting, and not the letting go.
            order_ids = loop.shared().start(holding.let_go(self._runner, self.ledger)).result()
            if not isinstance(error, KeyboardInterrupt):
                raise
            try:
                records = self.ledger.get_all(order_ids)
            except LedgerError:
                raise WaitingStopped(order_ids) from None
            raise WaitingStopped.of(records) from None

    # On the background loop.

    async def _prepared(
        self,
        holding: Holding,
        requests: Sequence[OrderRequest],
        origin: Origin,
        variants: bool,
        spending: SpendingOptions,
    ) -> PricedBatch:
        take_up = not spending.get("fresh", False)
        batch = await self._priced(holding, requests, origin, paying=True, take_up=take_up)
        number = len(batch.records)
        must = number > 0 and must_confirm(
            tasks=number,
            total=batch.total,
            variants=variants,
            yes=spending.get("yes", False),
            ask=spending.get("ask", False),
            policy=self._settings.confirm,
        )
        return replace(batch, must_confirm=must, budget=spending.get("budget"))

    async def _priced(
        self,
        holding: Holding,
        requests: Sequence[OrderRequest],
        origin: Origin,
        *,
        paying: bool,
        take_up: bool,
    ) -> PricedBatch:
        """Resolve the requests, take up what there is, and quote the rest, each fingerprint once.

        The new orders are in the ledger as quoted. With `paying`, the wallet is asked about anew if there is
        anything left to pay.
        """
        store = self.media_store.for_call()
        orders = await _side_by_side(
            [resolve(request, self.catalogue, store, origin) for request in requests]
        )
        counts = [request.count for request in requests]
        found = await self._taken_up(holding, orders, counts, origin) if take_up else TakeUp()
        taken = found.found or (TakenUp(),) * len(orders)
        wanted = list(zip(orders, counts, taken, strict=True))
        missing = {order.fingerprint: order for order, count, there in wanted if len(there.orders) < count}
        slots = asyncio.Semaphore(QUOTES_AT_ONCE)
        # The wallet is asked about beside the quotes.
        quotes = [price(order, self.backend, store, slots) for order in missing.values()]
        me = self._fresh_me() if paying and missing else self._known_me()
        priced, _ = await _both(_side_by_side(quotes), me)
        by_fingerprint = dict(zip(missing, priced, strict=True))
        batch = str(uuid.uuid4())
        placed = [
            self._with_records(by_fingerprint.get(order.fingerprint, PricedOrder(order)), count, there, batch)
            for order, count, there in wanted
        ]
        new = [each for order in placed for each in order.records if each.target != "describe"]
        if new:
            await holding.step(lambda: self.ledger.record_quotes(new))
        elsewhere = {each.order_id: each for there in taken for each in there.elsewhere}
        return PricedBatch(
            tuple(placed),
            continued=found.continued,
            origin=origin,
            elsewhere=tuple(elsewhere.values()),
        )

    async def _taken_up(
        self, holding: Holding, orders: Sequence[Order], counts: Sequence[int], origin: Origin
    ) -> TakeUp:
        """Take up what earlier runs of the cell left. Raises `OrderUnknown` for what may be paid, and can
        neither be followed nor bought over."""
        now = self.backend.clock.now()
        wanted = [
            Wanted(
                fingerprint=order.fingerprint,
                count=count,
                token=self.backend.token,
                host=self.backend.host,
                mode=self.backend.mode,
                paid_since=stamp(now - TAKES_UP_PAID_WITHIN),
                named_since=stamp(now - NAMES_OPEN_WITHIN),
            )
            for order, count in zip(orders, counts, strict=True)
        ]
        run = origin.run_of_cell()

        def take() -> TakeUp:
            found = self.ledger.take_up(run, wanted, can_follow=self._can_follow)
            holding.taken += [record for each in found.found for record in each.orders]
            return found

        found = await holding.step(take)
        if run is not None:
            self._executions.add(run.execution)
        for there, count in zip(found.found, counts, strict=True):
            if there.lost and len(there.orders) < count:
                lost = there.lost[0]
                if lost.state != "unknown":
                    why = "Whether it arrived cannot be told, and it is too old to be sent again."
                    await holding.step(partial(self.ledger.record_unknown, lost.order_id, why))
                raise OrderUnknown(
                    f"An earlier run of this cell ordered the same, and it may be paid: order "
                    f"{lost.order_id}. It is not bought again.",
                    order_id=lost.order_id,
                    remedies=[remedy(Action.ORDER_FRESH, order=lost.order_id)],
                )
        return found

    def _can_follow(self, record: OrderRecord) -> bool:
        if record.state == "succeeded":
            return True
        if record.target == "describe":
            return record.order_id in requests()
        return (may_resend if record.task_id is None else may_follow)(record, self.backend)

    def _with_records(self, priced: PricedOrder, count: int, taken: TakenUp, batch: str) -> PricedOrder:
        """Return the priced order with its records: those taken up, and new ones up to `count`."""
        records = tuple(
            record_for(priced, batch=batch, backend=self.backend, me=self._me, who=self.who)
            for _ in range(count - len(taken.orders))
        )
        return replace(priced, attached=taken.orders, records=records)

    async def _placed(self, holding: Holding, batch: PricedBatch, background: bool) -> Tasks:
        attached = batch.attached
        run = batch.origin.run_of_cell()
        if batch.records or any(each.state == "intended" for each in attached):
            reservation = Reservation(
                session=settings_.session_id(),
                mode=self.backend.mode,
                token=self.backend.token,
                host=self.backend.host,
                records=batch.records,
                approve=partial(self._approve, batch.total),
                budget=self._settings.budget,
                sets_budget=self._sets_budget,
                run=run if batch.records else None,
                resent=[each.order_id for each in attached if each.state == "intended"],
            )

            def reserve() -> None:
                self.ledger.reserve(reservation)
                holding.order_ids += [each.order_id for each in batch.records]

            await holding.step(reserve)
            self._sets_budget = False
        if run is not None:
            self._executions.add(run.execution)
        order_ids = [each.order_id for each in (*attached, *batch.records)]
        records = await holding.step(partial(self.ledger.get_all, order_ids))
        queue_of(self.backend.host, self.backend.token).places = tasks_at_once(
            self._me, self._settings.concurrency
        )
        # From here on they are followed: nothing is given back, but let go.
        holding.order_ids = order_ids
        holding.taken = []
        for record in records:
            holding.tasks.append(
                self._started(record, None if background else batch.origin.execution, background)
            )
        return Tasks(holding.tasks)

    def _started(self, record: OrderRecord, execution: str | None, background: bool) -> Task:
        feed, submitted = ProgressFeed(), Future[OrderRecord]()
        future = loop.shared().start(self._runner.run(record, feed, submitted, background=background))
        task = Task(record, feed, submitted, future, self._runner, self.ledger)
        self._followed[task] = execution
        task.when_done(partial(self._forget, task))
        return task

    def _forget(self, task: Task) -> None:
        self._followed.pop(task, None)

    def _approve(self, total: Number, spent: Number, limit: Number | None, queued: Number) -> None:
        check_session_budget(total, spent, limit)
        if self._me is not None:
            check_wallet(self._me, total, queued)

    async def _resumed(
        self, holding: Holding, order_id: str | None, origin: Origin
    ) -> tuple[Tasks, tuple[Result, ...]]:
        if not self.backend.clock.heard:
            # Ages are reckoned by the server's clock.
            await self._fresh_me()

        def claim() -> tuple[list[OrderRecord], list[Result]]:
            self.ledger.withdraw_of_the_dead()
            if order_id is None:
                records = self.ledger.unfinished()
                left = self.ledger.left_over()
            else:
                records, left = [self.ledger.find(order_id)], []
            reasons = {each.order_id: self._why_not_resumed(each) for each in records}
            claimed = self.ledger.claim([each for each in records if reasons[each.order_id] is None])
            holding.order_ids += [each.order_id for each in claimed]
            known = {each.order_id for each in claimed}
            others = [
                reasons[each.order_id] or self._followed_by_another(each)
                for each in records
                if each.order_id not in known
            ]
            withdrawn = self.ledger.withdrawn_beside(records)
            self.ledger.record_shown([each.order_id for each in left])
            return claimed, [
                *map(self._runner.result_of, left),
                *others,
                *map(self._runner.result_of, withdrawn),
            ]

        claimed, others = await holding.step(claim)
        return await self._placed(holding, PricedBatch(resumed=tuple(claimed), origin=origin), False), tuple(
            others
        )

    def _why_not_resumed(self, record: OrderRecord) -> Result | None:
        """Return the order as a result that says why it is not followed on; None if it can be."""
        if record.state == "quoted":
            return replace(self._runner.result_of(record), error="It was only quoted; nothing was sent.")
        if record.ended:
            return self._runner.result_of(record)
        if self.ledger.is_followed(record):
            return self._followed_by_another(record)
        if record.target == "describe":
            if record.order_id in requests():
                return None
            if record.state != "unknown":
                why = f"{DESCRIPTION_LOST}: its session ended before the answer came."
                self.ledger.record_unknown(record.order_id, why)
            return self._runner.result_of(self.ledger.get(record.order_id))
        if record.task_id is None and not may_resend(record, self.backend):
            why = (
                "its first sending is over 23 hours ago, or its time is impossible"
                if may_follow(record, self.backend)
                else f"it was sent with another token or to another host ({record.host})"
            )
            why = f"Whether it arrived cannot be told, and it is not sent again: {why}."
            self.ledger.record_unknown(record.order_id, why)
            return self._runner.result_of(self.ledger.get(record.order_id))
        if record.task_id is not None and not may_follow(record, self.backend):
            why = f"Only the token that made it can see it, at {record.host}."
            return replace(self._runner.result_of(record), error=why)
        return None

    def _followed_by_another(self, record: OrderRecord) -> Result:
        what = "will send it" if record.state == "queued" else "follows it"
        return replace(
            self._runner.result_of(self.ledger.get(record.order_id)), error=f"a live session {what}"
        )

    async def _fresh_me(self) -> Me:
        self._me = await self.backend.me()
        return self._me

    async def _known_me(self) -> Me:
        return self._me or await self._fresh_me()


async def _side_by_side(work: Collection[Coroutine[Any, Any, T]]) -> list[T]:
    """Return the results in the given order. If one fails, the others are cancelled, and end first."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _both(one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, Any]) -> tuple[T, Any]:
    first, second = await _side_by_side([one, other])
    return first, second
