"""The checkout: where orders are priced, confirmed, placed and resumed.

`Checkout.order` is the one way for every order: prepare (resolve, take up, quote), announce, confirm, place.
It is called on the caller's thread; its steps run on the background loop.
"""

import asyncio
import getpass
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Final, TypeVar, Unpack

from zooop_nb import settings as settings_
from zooop_nb.contract.backend import Backend
from zooop_nb.contract.credits import Number
from zooop_nb.contract.limits import tasks_at_once
from zooop_nb.contract.shapes import Me
from zooop_nb.errors import Action, ConfirmationNeeded, Declined, LedgerError, remedy
from zooop_nb.ledger import Ledger, OrderRecord, Reservation, TakenUp, TakeUp
from zooop_nb.orders.approval import check_call_budget, check_session_budget, check_wallet, must_confirm
from zooop_nb.orders.catalogue import Catalogue
from zooop_nb.orders.inputs import MediaStore
from zooop_nb.orders.order import Origin
from zooop_nb.orders.pricing import PricedOrder, price, record_for, resolve
from zooop_nb.orders.request import OrderRequest, SpendingOptions
from zooop_nb.results.values import Quoted, Result
from zooop_nb.settings import Settings
from zooop_nb.tasks import executions, loop
from zooop_nb.tasks.batch import PricedBatch, quoted
from zooop_nb.tasks.frontend import Frontend
from zooop_nb.tasks.holding import Holding
from zooop_nb.tasks.progress import ProgressFeed
from zooop_nb.tasks.promise import Promise
from zooop_nb.tasks.queue import queue_of
from zooop_nb.tasks.resuming import Resumer
from zooop_nb.tasks.runner import TaskRunner
from zooop_nb.tasks.task import Task, Tasks, WaitingStopped

T = TypeVar("T")

QUOTES_AT_ONCE: Final = 8
"""Orders that are priced side by side."""


class Checkout:
    """The orders of one studio, over one backend."""

    def __init__(self, settings: Settings, backend: Backend, ledger: Ledger) -> None:
        self.backend = backend
        self.ledger = ledger
        self.catalogue = Catalogue(backend, settings.cache_path)
        self.media_store = MediaStore(backend, ledger, settings.cache_path / "params")
        self._settings = settings
        self._runner = TaskRunner(backend, ledger, settings.media_path)
        self._resumer = Resumer(backend, ledger, self._runner)
        self._me: Me | None = None
        self._followed: dict[Task, str | None] = {}
        """The tasks that are followed, each with the execution that waits for it, if any does."""
        self._stopped: set[str] = set()
        """The executions for which nothing more is placed."""
        self._holdings: set[Holding] = set()
        """Of the calls that have neither returned nor let go yet."""
        self._sets_budget = settings.sources.get("budget") in {"call", "config"}
        executions.enlist(self)

    @cached_property
    def who(self) -> str | None:
        """The user of this machine, for the ledger; None if the user id has no name, as in containers."""
        try:
            return getpass.getuser()
        except (OSError, KeyError, ImportError):
            return None

    @property
    def following(self) -> list[Task]:
        """The tasks that are followed."""
        return list(self._followed)

    def close(self) -> None:
        """Stop following every task."""
        Tasks(self.following).stop_waiting()
        executions.dismiss(self)

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
        holding = Holding(origin.execution, self._stopped)

        def place() -> Tasks:
            batch = loop.shared().run(self._prepared(holding, requests, origin, variants, spending))
            frontend.announce(batch)
            self.confirm(batch, frontend)
            return loop.shared().run(self._placed(holding, batch, background))

        return self._let_go_on_error(holding, place)

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
        holding = Holding(origin.execution)
        return self._let_go_on_error(
            holding,
            lambda: loop.shared().run(self._prepared(holding, requests, origin, variants, spending)),
        )

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
                f"{batch.question} No input is possible here; nothing was submitted.",
                value=str(batch.total),
                remedies=[remedy(Action.SAY_YES)],
            )
        if not answer:
            raise Declined("Not confirmed; nothing was submitted.", value=str(batch.total))

    def place(self, batch: PricedBatch, *, background: bool = False) -> Tasks:
        """Reserve the cost, queue the new orders (all of them or none), and follow. Raises `OverBudget`."""
        holding = Holding(batch.origin.execution)
        return self._let_go_on_error(
            holding, lambda: loop.shared().run(self._placed(holding, batch, background))
        )

    def resume(
        self, order_id: str | None = None, origin: Origin | None = None
    ) -> tuple[Tasks, tuple[Result, ...]]:
        """Pick up what is unfinished, or one order: the tasks that are followed now, and the other orders
        with the reason why they are not. `origin` is where that is asked for."""
        origin = origin or Origin()
        holding = Holding(origin.execution)
        return self._let_go_on_error(
            holding, lambda: loop.shared().run(self._resumed(holding, order_id, origin))
        )

    def last(self, origin: Origin, *, fresh: bool = False) -> OrderRecord | None:
        """Return the order that `again` starts from, for a run of a cell; see `Ledger.last`."""
        run = origin.run_of_cell()
        if run is not None and not fresh:
            executions.take_part(run.execution, self.ledger)
            self.ledger.continue_last(run)
        return self.ledger.last(mode=self.backend.mode, execution=origin.execution)

    def stop(self, execution: str) -> None:
        """Place no more orders of an execution, and let go of what it waits for, in its threads as well: run
        again, the cell asks for theirs anew."""
        if executions.takes_part(execution):
            # Started, not run: an interrupt stops this waiting, and not the letting go.
            loop.shared().start(self._stop(execution)).result()

    def fresh_me(self) -> Me:
        """Return the token's own view of itself, requested now."""
        return loop.shared().run(self._fresh_me())

    # This is not a context manager: an interrupt at the start of one leaves its generator behind, and
    # whichever thread collects that, even the loop's own, would run the release.

    def _let_go_on_error(self, holding: Holding, work: Callable[[], T]) -> T:
        """Do the work. On any exception, let go of what it holds, so that a re-run can take up what may be
        paid.

        An interrupt is raised as `WaitingStopped`. Which orders may have been sent, the ledger says: an
        interrupt can come between any two steps.
        """
        if holding.execution is not None:
            executions.take_part(holding.execution, self.ledger)
        self._holdings.add(holding)
        try:
            done = work()
        except BaseException as error:
            # Started, not run: a second interrupt stops this waiting, and not the letting go. One that comes
            # just before leaves it to the end of the execution.
            order_ids = loop.shared().start(holding.let_go(self._runner, self.ledger)).result()
            self._holdings.discard(holding)
            if not isinstance(error, KeyboardInterrupt):
                raise
            try:
                records = self.ledger.get_all(order_ids)
            except LedgerError:
                raise WaitingStopped(order_ids) from None
            raise WaitingStopped.of(records) from None
        self._holdings.discard(holding)
        return done

    # On the background loop.

    async def cancelled_are_let_go(self) -> None:
        """Wait until the ledger has what was cancelled so far as abandoned or withdrawn."""
        await self._runner.cancelled_are_let_go()

    async def _stop(self, execution: str) -> None:
        """Let no more orders of an execution be placed; let go of what it waits for and of what its calls
        hold."""
        self._stopped.add(execution)
        held = [each for each in list(self._holdings) if each.execution == execution and each.here]
        await asyncio.gather(*(each.let_go(self._runner, self.ledger) for each in held))
        self._holdings.difference_update(held)
        followed = list(self._followed.items())
        await Task.stop_all([task for task, waiting in followed if waiting == execution and task.here])

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
        orders = await loop.side_by_side(
            [resolve(request, self.catalogue, store, origin) for request in requests]
        )
        counts = [request.count for request in requests]
        found = TakeUp()
        if take_up:
            await executions.cancelled_are_let_go()
            found = await self._resumer.take_up(holding, orders, counts, origin)
        taken = found.found or (TakenUp(),) * len(orders)
        wanted = list(zip(orders, counts, taken, strict=True))
        missing = {order.fingerprint: order for order, count, there in wanted if len(there.orders) < count}
        slots = asyncio.Semaphore(QUOTES_AT_ONCE)
        # The wallet is asked about beside the quotes.
        quotes = [price(order, self.backend, store, slots) for order in missing.values()]
        me = self._fresh_me() if paying and missing else self._known_me()
        priced, _ = await loop.both(loop.side_by_side(quotes), me)
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

    def _with_records(self, priced: PricedOrder, count: int, taken: TakenUp, batch: str) -> PricedOrder:
        """Return the priced order with its records: those taken up, and new ones up to `count`."""
        records = tuple(
            record_for(priced, batch=batch, backend=self.backend, me=self._me, who=self.who)
            for _ in range(count - len(taken.orders))
        )
        return replace(priced, taken_up=taken.orders, records=records)

    async def _placed(self, holding: Holding, batch: PricedBatch, background: bool) -> Tasks:
        taken_up = batch.taken_up
        run = batch.origin.run_of_cell()
        resent = [each.order_id for each in taken_up if each.state == "intended"]
        order_ids = [each.order_id for each in (*taken_up, *batch.records)]
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
            resent=resent,
        )

        def reserve() -> list[OrderRecord]:
            if batch.records or resent:
                self.ledger.reserve(reservation)
                self._sets_budget = False
            holding.order_ids += [each.order_id for each in batch.records]
            return self.ledger.get_all(order_ids)

        records = await holding.step(reserve)
        queue_of(self.backend.host, self.backend.token).places = tasks_at_once(
            self._me, self._settings.concurrency
        )
        holding.check()
        # Followed from here on: let go of on error, not given back.
        holding.order_ids = order_ids
        holding.taken = []
        waiting = None if background else batch.origin.execution
        # What was taken up may be followed already.
        followed = executions.followed_here()
        for record in records:
            task = followed.get(record.order_id) or self._started(record, background)
            self._follow(task, waiting)
            holding.tasks.append(task)
        return Tasks(holding.tasks)

    def _started(self, record: OrderRecord, background: bool) -> Task:
        feed, submitted = ProgressFeed(), Promise[OrderRecord]()
        feed.say(record, record.status or "waiting")
        future = loop.shared().start(self._runner.run(record, feed, submitted, background=background))
        return Task(record, feed, submitted, future, self._runner, self.ledger)

    def _follow(self, task: Task, waiting: str | None) -> None:
        self._followed[task] = waiting
        task.when_done(partial(self._forget, task))

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
        await executions.cancelled_are_let_go()
        claimed, others = await holding.step(partial(self._resumer.claim, order_id, holding))
        batch = PricedBatch(resumed=tuple(claimed), origin=origin)
        return await self._placed(holding, batch, False), tuple(others)

    async def _fresh_me(self) -> Me:
        self._me = await self.backend.me()
        return self._me

    async def _known_me(self) -> Me:
        return self._me or await self._fresh_me()
