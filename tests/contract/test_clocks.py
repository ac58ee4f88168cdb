"""Clocks: an impossible age is unknown, and a wrong or suspended machine never pays twice."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.conftest import CHEAP
from tests.support.memory_backend import CHEAP as MEMORY
from tests.support.memory_backend import Lost, MemoryBackend
from tests.support.sandbox_harness import SandboxHarness
from zooop_nb import errors
from zooop_nb.client import LiveBackend
from zooop_nb.contract.backend import Intent
from zooop_nb.contract.clock import ServerClock
from zooop_nb.contract.shapes import Submitted
from zooop_nb.settings import Settings
from zooop_nb.studio import Studio

SUBMIT = {"method": "POST", "path": "/v1/tasks"}
DAYS = 86400.0


def with_clock(settings: Settings, off: float) -> Studio:
    """Return a studio on a machine whose clock is wrong by so many seconds."""
    clock = ServerClock(wall=lambda: time.time() + off)
    return Studio(settings=settings, backend=LiveBackend(settings, clock=clock))


def lost(studio: Studio) -> str:
    with pytest.raises(errors.OrderUnknown) as caught:
        studio.image("a red panda", model=CHEAP)
    assert caught.value.order_id is not None
    return caught.value.order_id


@pytest.mark.parametrize("do", ["drop_before", "drop_after"])
@pytest.mark.parametrize("ahead", [120.0, 2 * DAYS, 400 * DAYS])
def test_an_order_that_was_sent_in_the_future_is_unknown_and_never_sent_again(
    studio: Studio, books: SandboxHarness, do: str, ahead: float
) -> None:
    books.faults({**SUBMIT, "do": do, "times": 3})
    order_id = lost(studio)
    books.faults()
    then = datetime.now(UTC) + timedelta(seconds=ahead)
    studio.ledger._db.connection.execute(
        "UPDATE orders SET sent_at = ?", (then.isoformat().replace("+00:00", "Z"),)
    )
    before = len(books.tasks)
    for _ in range(2):
        [result] = studio.resume()
        assert (result.order_id, result.status) == (order_id, "unknown")
    assert "impossible" in (result.error or "")
    assert len(books.tasks) == before


@pytest.mark.parametrize("off", [2 * DAYS, -2 * DAYS])
@pytest.mark.parametrize("where", ["at the sending", "at the resume"])
def test_the_age_is_reckoned_by_the_servers_clock(
    settings_of: Callable[..., Settings], books: SandboxHarness, off: float, where: str
) -> None:
    sender = with_clock(settings_of(), off if where == "at the sending" else 0)
    books.faults({**SUBMIT, "do": "drop_after", "times": 3})
    order_id = lost(sender)
    books.faults()
    sent_at = datetime.fromisoformat(sender.ledger.get(order_id).sent_at or "")
    sender.close()
    assert abs((sent_at - datetime.now(UTC)).total_seconds()) < 3600
    resumer = with_clock(settings_of(), off if where == "at the resume" else 0)
    [result] = resumer.resume()
    assert (result.order_id, result.status, result.credits) == (order_id, "succeeded", 1)
    resumer.close()
    assert books.spent() == len(books.tasks) == 1


@pytest.mark.parametrize("off", [2 * DAYS, -2 * DAYS, 0])
def test_an_order_that_is_too_old_for_the_server_is_not_sent_again_whatever_this_machine_says(
    settings_of: Callable[..., Settings], books: SandboxHarness, off: float
) -> None:
    sender = with_clock(settings_of(), off)
    books.faults({**SUBMIT, "do": "drop_after", "times": 3})
    order_id = lost(sender)
    books.faults()
    sender.close()
    books.advance(25 * 3600)
    resumer = with_clock(settings_of(), off)
    [result] = resumer.resume()
    assert (result.order_id, result.status) == (order_id, "unknown")
    resumer.close()
    assert len(books.tasks) == 1


class Suspended(LiveBackend):
    """A machine that is suspended for 25 hours after the first attempt of a submit."""

    def __init__(self, settings: Settings, sandbox: SandboxHarness) -> None:
        self.slept = 0.0
        self.attempts = 0
        self.sandbox = sandbox
        super().__init__(
            settings, clock=ServerClock(wall=lambda: time.time() + self.slept, boot=lambda: self.boot())
        )

    def boot(self) -> float:
        return time.monotonic() + self.slept

    async def _send(self, method: str, path: str, *args: object, **more: object) -> object:
        try:
            return await super()._send(method, path, *args, **more)  # type: ignore[arg-type]
        finally:
            if (method, path) == ("POST", "/v1/tasks"):
                self.attempts += 1
                if self.attempts == 1:
                    self.slept += 25 * 3600
                    self.sandbox.advance(25 * 3600)


@pytest.mark.parametrize("do", ["drop_before", "drop_after", {"status": 502}], ids=str)
def test_a_suspend_of_25_hours_between_two_attempts_of_a_submit_sends_nothing_more(
    settings_of: Callable[..., Settings], books: SandboxHarness, do: object
) -> None:
    settings = settings_of()
    backend = Suspended(settings, books)
    studio = Studio(settings=settings, backend=backend)
    books.faults({**SUBMIT, "do": do})
    order_id = lost(studio)
    assert backend.attempts == 1
    [result] = studio.resume()
    assert (result.order_id, result.status) == (order_id, "unknown")
    assert backend.attempts == 1
    assert len(books.tasks) == (1 if do == "drop_after" else 0)
    studio.close()


class Asleep(MemoryBackend):
    """The same, of another implementation: the answer is lost, and a day and an hour pass."""

    def __init__(self) -> None:
        self.slept = 0.0
        super().__init__(clock=ServerClock(wall=lambda: time.time() + self.slept))

    async def submit(self, intent: Intent) -> Submitted:
        try:
            return await super().submit(intent)
        finally:
            self.slept += 25 * 3600


def test_a_lost_answer_and_a_suspend_make_an_order_unknown(settings_of: Callable[..., Settings]) -> None:
    backend = Asleep()
    backend.fail("submit", Lost(errors.Unreachable("no answer", maybe_arrived=True)))
    studio = Studio(settings=settings_of(), backend=backend)
    with pytest.raises(errors.OrderUnknown):
        studio.image("a", model=MEMORY)
    [result] = studio.resume()
    assert result.status == "unknown"
    assert len(backend.submitted) == 1
    studio.close()
