"""Resuming: which unfinished orders a re-run of a cell takes up, which `resume` follows on, and why not."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from zooop_nb.contract.backend import Backend
from zooop_nb.errors import Action, OrderUnknown, remedy
from zooop_nb.ledger import Ledger, OrderQuery, OrderRecord, TakeUp
from zooop_nb.orders.order import Order, Origin
from zooop_nb.results.values import Result
from zooop_nb.tasks.holding import Holding
from zooop_nb.tasks.resending import may_follow, may_resend, stamp
from zooop_nb.tasks.runner import TaskRunner
from zooop_nb.tasks.sender import DESCRIPTION_LOST, requests

TAKES_UP_PAID_WITHIN: Final = timedelta(hours=12)
"""A re-run takes up a succeeded order only if it was sent within this time."""
NAMES_OPEN_WITHIN: Final = timedelta(hours=24)
"""An open order from another place is named, before an equal one is paid, if it was sent within this time."""


class Resumer:
    """Takes up and claims what is unfinished."""

    def __init__(self, backend: Backend, ledger: Ledger, runner: TaskRunner) -> None:
        self._backend = backend
        self._ledger = ledger
        self._runner = runner

    async def take_up(
        self, holding: Holding, orders: Sequence[Order], counts: Sequence[int], origin: Origin
    ) -> TakeUp:
        """Take up what earlier runs of the cell left. Raises `OrderUnknown` if an order may be paid and
        can be neither followed nor sent again."""
        now = self._backend.clock.now()
        queries = [
            OrderQuery(
                fingerprint=order.fingerprint,
                count=count,
                token=self._backend.token,
                host=self._backend.host,
                mode=self._backend.mode,
                paid_since=stamp(now - TAKES_UP_PAID_WITHIN),
                named_since=stamp(now - NAMES_OPEN_WITHIN),
            )
            for order, count in zip(orders, counts, strict=True)
        ]
        run = origin.run_of_cell()

        def take() -> TakeUp:
            found = self._ledger.take_up(run, queries, can_follow=self._can_follow)
            holding.taken += [record for each in found.found for record in each.orders]
            return found

        found = await holding.step(take)
        for there, count in zip(found.found, counts, strict=True):
            if there.lost and len(there.orders) < count:
                lost = there.lost[0]
                if lost.state != "unknown":
                    why = "It is not known whether it arrived, and it is too old to be sent again."
                    await holding.step(partial(self._ledger.record_unknown, lost.order_id, why))
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
        return (may_resend if record.task_id is None else may_follow)(record, self._backend)

    def claim(self, order_id: str | None, holding: Holding) -> tuple[list[OrderRecord], list[Result]]:
        """Claim what is unfinished, or one order, for `holding`; return it, and the others with the reason
        why they are not claimed. Called off the loop."""
        self._ledger.withdraw_of_the_dead()
        if order_id is None:
            records, left = self._ledger.unfinished(), self._ledger.left_over()
        else:
            records, left = [self._ledger.find(order_id)], []
        reasons = {record.order_id: self._reason(record) for record in records}
        claimed = self._ledger.claim([each for each in records if reasons[each.order_id] is None])
        holding.order_ids += [record.order_id for record in claimed]
        others = [
            reasons[record.order_id] or self._followed(record)
            for record in records
            if record.order_id not in holding.order_ids
        ]
        withdrawn = self._ledger.withdrawn_beside(records)
        self._ledger.record_shown([record.order_id for record in left])
        shown = [self._runner.result_of(each) for each in (*left, *withdrawn)]
        return claimed, [*shown, *others]

    def _reason(self, record: OrderRecord) -> Result | None:
        """Return the order as a result that says why it is not followed on; None if it can be."""
        result = self._runner.result_of(record)
        if record.state == "quoted":
            return replace(result, error="It was only quoted; nothing was sent.")
        if record.ended:
            return result
        if self._ledger.is_followed(record):
            return self._followed(record)
        if record.target == "describe":
            # Its request may still be on its way in this process.
            if record.order_id in requests():
                return None
            return self._unknown(record, f"{DESCRIPTION_LOST}: its session ended before the answer came.")
        if record.task_id is None and not may_resend(record, self._backend):
            why = (
                "its first sending is over 23 hours ago, or its time is impossible"
                if may_follow(record, self._backend)
                else f"it was sent with another token or to another host ({record.host})"
            )
            return self._unknown(record, f"It is not known whether it arrived; it is not sent again: {why}.")
        if record.task_id is not None and not may_follow(record, self._backend):
            return replace(result, error=f"Only the token that made it can see it, at {record.host}.")
        return None

    def _unknown(self, record: OrderRecord, why: str) -> Result:
        if record.target != "describe" or record.state != "unknown":
            self._ledger.record_unknown(record.order_id, why)
        return self._runner.result_of(self._ledger.get(record.order_id))

    def _followed(self, record: OrderRecord) -> Result:
        what = "will send it" if record.state == "queued" else "follows it"
        result = self._runner.result_of(self._ledger.get(record.order_id))
        return replace(result, error=f"a live session {what}")
