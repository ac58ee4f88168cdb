"""The checkout: where orders are priced, confirmed, placed and resumed.

`Checkout.order` is the one way for every order: prepare (resolve, quote), announce, confirm, place. It runs
on the caller's thread; what needs the network runs on the background loop.
"""

import asyncio
import getpass
import uuid
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import Final, Unpack

from zooop_nb.contract.backend import Backend
from zooop_nb.contract.shapes import Me
from zooop_nb.errors import Action, ConfirmationNeeded, Declined, remedy
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.ledger.record import now
from zooop_nb.orders.approval import Budget, check_call_budget, check_wallet, must_confirm
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
from zooop_nb.tasks.progress import ProgressFeed
from zooop_nb.tasks.runner import DESCRIPTION_LOST, TaskRunner, may_follow, may_resend
from zooop_nb.tasks.task import Task, Tasks, WaitingStopped

QUOTES_AT_ONCE: Final = 8
"""Orders that are priced side by side: quotes have a rate limit of their own, 120 a minute."""


class Checkout:
    """The orders of one studio, over one backend."""

    def __init__(self, settings: Settings, backend: Backend, ledger: Ledger) -> None:
        self.backend = backend
        self.ledger = ledger
        self.catalogue = Catalogue(backend, settings.cache_path)
        self.media_store = MediaStore(backend, ledger, settings.cache_path / "params")
        self._settings = settings
        self._runner = TaskRunner(backend, ledger, settings.media_path)
        self._budget = Budget()
        self._since = now()
        self._me: Me | None = None
        self._followed: set[Task] = set()

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

    def order(
        self,
        requests: Sequence[OrderRequest],
        frontend: Frontend,
        origin: Origin,
        *,
        variants: bool = True,
        **spending: Unpack[SpendingOptions],
    ) -> Tasks:
        """Quote, announce, confirm and submit; return the tasks once the API has answered to each.

        `variants` says that the number of tasks was asked for (`count`). Raises `InputError`,
        `SpendingError`, `APIError` and the rest of the tree, and `WaitingStopped` on an interrupt: it names
        the orders that may be paid by then, or none.
        """
        records: list[OrderRecord] = []
        with self._abandon_on_error(records):
            batch = self.prepare(requests, origin, variants=variants, **spending)
            records += (*batch.attached, *batch.records)
            frontend.announce(batch)
            self.confirm(batch, frontend)
            return self.place(batch).accepted()

    def quote(self, request: OrderRequest, origin: Origin) -> Quoted:
        """Return the exact price of an order that is not placed; the ledger has it as a quote."""
        batch = loop.shared().run(self._priced([request], origin, paying=False, attach=False))
        return quoted(batch[0])

    # The steps of an order.

    def prepare(
        self,
        requests: Sequence[OrderRequest],
        origin: Origin,
        *,
        variants: bool = True,
        **spending: Unpack[SpendingOptions],
    ) -> PricedBatch:
        """Resolve and quote; attach to abandoned orders of this cell unless `fresh`. Nothing is paid yet."""
        attach = not spending.get("fresh", False)
        orders = loop.shared().run(self._priced(requests, origin, paying=True, attach=attach))
        batch = PricedBatch(tuple(orders), budget=spending.get("budget"))
        number = len(batch.records)
        must = number > 0 and must_confirm(
            tasks=number,
            total=batch.total,
            variants=variants,
            yes=spending.get("yes", False),
            ask=spending.get("ask", False),
            policy=self._settings.confirm,
        )
        return replace(batch, must_confirm=must)

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

    def place(self, batch: PricedBatch) -> Tasks:
        """Reserve the budget, record the intents (all of them or none), and submit. Raises `OverBudget`."""
        committed = partial(self.ledger.committed, since=self._since, mode=self.backend.mode)

        def record_intents() -> None:
            self.ledger.record_intents(each.order_id for each in batch.records if each.target != "describe")
            for record in batch.records:
                if record.target == "describe":
                    self.ledger.record_description_intent(record)

        self._budget.reserve(batch.total, record_intents, limit=self._settings.budget, committed=committed)
        tasks: list[Task] = []
        attached = {record.order_id for record in batch.attached}
        for known in (*batch.attached, *batch.records):
            record = self.ledger.get(known.order_id)
            feed, submitted = ProgressFeed(), Future[OrderRecord]()
            if record.target == "describe":
                coroutine = self._runner.describe(record, feed, submitted)
            else:
                resent = record.order_id in attached
                coroutine = self._runner.run(record, feed, submitted, resent=resent)
            task = Task(record, feed, submitted, loop.shared().start(coroutine), self.ledger)
            tasks.append(task)
            self._followed.add(task)
            task.when_done(partial(self._followed.discard, task))
        return Tasks(tasks)

    def resume(self, order_id: str | None = None) -> tuple[Tasks, tuple[Result, ...]]:
        """Pick up what is unfinished, or one order: the tasks that are followed now, and the other orders
        with the reason why they are not."""
        self._runner.catch_up()
        records = self.ledger.unfinished() if order_id is None else [self.ledger.find(order_id)]
        claimed: list[OrderRecord] = []
        others: list[Result] = []
        with self._abandon_on_error(claimed):
            for record in records:
                if (why := self._why_not_resumed(record)) is not None:
                    others.append(why)
                    continue
                # Listed first: an interrupt after the claim still releases it.
                claimed.append(record)
                if not self.ledger.claim(record):
                    claimed.pop()
            return self.place(PricedBatch(resumed=tuple(claimed))), tuple(others)

    def fresh_me(self) -> Me:
        """Return the token's own view of itself, requested now."""
        return loop.shared().run(self._fresh_me())

    def _why_not_resumed(self, record: OrderRecord) -> Result | None:
        """Return the order as a result that says why it is not followed on; None if it can be."""
        if record.state == "quoted":
            return replace(Result.of(record), error="It was only quoted; nothing was sent.")
        if record.ended:
            return Result.of(record)
        if self.ledger.is_followed(record):
            return replace(Result.of(record), error="a live session follows it")
        if record.target == "describe":
            if record.state != "unknown":
                why = f"{DESCRIPTION_LOST}: its session ended before the answer came."
                self.ledger.record_unknown(record.order_id, why)
            return Result.of(self.ledger.get(record.order_id))
        if record.task_id is None and not may_resend(record, self.backend):
            why = (
                "its first sending is over 23 hours ago"
                if may_follow(record, self.backend)
                else f"it was sent with another token or to another host ({record.host})"
            )
            why = f"Whether it arrived cannot be told, and it is not sent again: {why}."
            self.ledger.record_unknown(record.order_id, why)
            return Result.of(self.ledger.get(record.order_id))
        if record.task_id is not None and not may_follow(record, self.backend):
            why = f"Only the token that made it can see it, at {record.host}."
            return replace(Result.of(record), error=why)
        return None

    @contextmanager
    def _abandon_on_error(self, records: Collection[OrderRecord]) -> Iterator[None]:
        """On any exception, stop following the orders, so that a re-run can attach to what may be paid.

        An interrupt is raised as `WaitingStopped`. Which orders may have been sent, the ledger says: an
        interrupt can come between any two steps.
        """
        try:
            yield
        except WaitingStopped:
            raise
        except BaseException as error:
            order_ids = [record.order_id for record in records]
            # Started, not run: a second interrupt stops this waiting, and not the release.
            loop.shared().start(self._runner.stop(order_ids)).result()
            if not isinstance(error, KeyboardInterrupt):
                raise
            sent = self.ledger.sent(order_ids)
            raise WaitingStopped(
                [record.order_id for record in sent],
                ended=all(record.ended for record in sent),
                describing=any(record.target == "describe" for record in sent),
            ) from None

    async def _priced(
        self, requests: Sequence[OrderRequest], origin: Origin, *, paying: bool, attach: bool
    ) -> list[PricedOrder]:
        """Resolve and quote the requests, each fingerprint once; the new orders are in the ledger as quoted.

        With `paying`, the wallet is asked about anew if there is anything left to pay.
        """
        orders = [await resolve(request, self.catalogue, self.media_store, origin) for request in requests]
        if attach:
            self._runner.catch_up()
        wanted = [
            (order, request.count, self._attach(order, request.count) if attach else ())
            for order, request in zip(orders, requests, strict=True)
        ]
        missing = {order.fingerprint: order for order, count, found in wanted if len(found) < count}
        slots = asyncio.Semaphore(QUOTES_AT_ONCE)
        try:
            # The wallet is asked about beside the quotes.
            quotes = (price(order, self.backend, self.media_store, slots) for order in missing.values())
            me = self._fresh_me() if paying and missing else self._known_me()
            priced, _ = await asyncio.gather(asyncio.gather(*quotes), me)
        except BaseException:
            self.ledger.release_own(record.order_id for _, _, found in wanted for record in found)
            raise
        by_fingerprint = dict(zip(missing, priced, strict=True))
        batch = str(uuid.uuid4())
        return [
            self._recorded(by_fingerprint.get(order.fingerprint, PricedOrder(order)), count, found, batch)
            for order, count, found in wanted
        ]

    def _recorded(
        self, priced: PricedOrder, count: int, attached: tuple[OrderRecord, ...], batch: str
    ) -> PricedOrder:
        """Return the priced order with its records: the attached ones, and new ones up to `count`."""
        records = tuple(
            record_for(priced, batch=batch, backend=self.backend, me=self._me, who=self.who)
            for _ in range(count - len(attached))
        )
        for record in records:
            if record.target != "describe":
                self.ledger.record_quote(record)
        return replace(priced, attached=attached, records=records)

    def _attach(self, order: Order, count: int) -> tuple[OrderRecord, ...]:
        """Claim up to `count` abandoned orders of this cell that ask for the same."""
        origin = order.origin
        if origin.cell_hash is None or order.target.kind == "describe":
            return ()
        found: list[OrderRecord] = []
        for record in self.ledger.abandoned(order.fingerprint, origin.cell_hash, origin.notebook, origin.run):
            if len(found) == count:
                break
            follows = may_resend if record.task_id is None else may_follow
            if follows(record, self.backend) and self.ledger.claim(record):
                found.append(self.ledger.get(record.order_id))
        return tuple(found)

    async def _fresh_me(self) -> Me:
        self._me = await self.backend.me()
        return self._me

    async def _known_me(self) -> Me:
        return self._me or await self._fresh_me()
