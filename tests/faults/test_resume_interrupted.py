"""`resume` of twenty open orders, stopped at any moment: it lets all go, and nothing more is paid."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.faults.books import Asked, Case, disagreements
from tests.faults.chaos import seed
from tests.faults.places import Outcome, Place, Threat, WarmParent
from tests.faults.scenarios import (
    RESUME_CELL,
    RESUME_SCRIPT,
    WHERE,
    How,
    Moment,
    Scenario,
    Strike,
    Where,
)
from tests.faults.stage import WORLD, Stage, struck_run
from tests.support.kernel import PATIENCE

NUMBER: Final = 20
FOLLOWED: Final = "a live session follows it"
WIDE: Final = {**WORLD, "users": [{**WORLD["users"][0], "maxConcurrency": NUMBER}]}
"""A world in which all of them are under way at once."""
COUNTED: Final = """
import sys
from zooop_nb import Studio
seen = 0
def profile(frame, event, argument):
    global seen
    if event in ("call", "c_return"):
        seen += 1
        if seen == {moment}:
            sys.setprofile(None)
            print("at", event, frame.f_code.co_filename, frame.f_code.co_qualname, frame.f_lineno)
            raise KeyboardInterrupt
studio = globals().get("studio") or Studio()
sys.setprofile(profile)
try:
    studio.resume()
finally:
    sys.setprofile(None)
    print("seen", seen)
"""
"""A script that is interrupted at one of the moments at which Python looks for signals; see
tests/support/interrupts.py."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    parent = WarmParent()
    stage = Stage(0.01, parent, tmp_path_factory.mktemp("resume"), WIDE)
    yield stage
    stage.close()
    parent.close()


@pytest.fixture
def stage(shared: Stage) -> Iterator[Stage]:
    """A stage on which no task ends before the sandbox's clock is moved, with a new home."""
    yield shared
    shared.clear_up()


@pytest.fixture(params=WHERE)
def where(request: pytest.FixtureRequest) -> Where:
    found: Where = request.param
    return found


def left_behind(stage: Stage, where: Where = "process") -> tuple[Scenario, Place]:
    """A dead process has left twenty open orders; return a place to resume them in."""
    scenario = stage.begin("resume", where, "interrupt", seed(), loads=False)
    victim = stage.process(ZOOOP_NB_CONCURRENCY=str(NUMBER))
    victim.start(
        "from zooop_nb import Studio\n"
        f"Studio().start_all('image', 'a panda {scenario.tag}', model='flash', count={NUMBER})[-1].result()"
    )
    wait(lambda: len(stage.sandbox.tasks) == NUMBER)
    victim.kill()
    over = threading.Event()
    over.set()
    assert victim.finish(Threat(kills=True, over=over)).status == "dead"
    return scenario, stage.place(scenario)


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def let_go(stage: Stage, outcome: Outcome) -> None:
    """After this outcome, nobody follows anything any more, and nothing more is paid."""
    stage.settle(60)
    assert stage.followed() == 0, outcome
    assert len(stage.sandbox.tasks) == NUMBER, outcome


def resume(where: Where) -> str:
    return RESUME_CELL if where == "kernel" else RESUME_SCRIPT


def resumed(stage: Stage, scenario: Scenario, place: Place) -> Outcome:
    """Resume to the end: all twenty have come, each paid once."""
    place.start(resume(scenario.where))
    wait(lambda: stage.followed() == NUMBER)
    stage.sandbox.advance()
    outcome = place.finish(None)
    assert outcome.status == "ok", outcome.text
    assert FOLLOWED not in outcome.text
    assert disagreements(Case(Asked({f"a panda {scenario.tag}": NUMBER}), stage.books())) == []
    return outcome


def test_an_interrupt_in_its_first_tenth_of_a_second(stage: Stage, where: Where) -> None:
    scenario, place = left_behind(stage, where)
    rng = random.Random(seed())
    for _ in range(5):
        again = rng.uniform(0, 0.03) if rng.random() < 0.4 else None
        strike = Strike("interrupt", Moment(None, delay=rng.uniform(0, 0.1)), again)
        outcome, hit = struck_run(place, resume(where), strike, stage.proxy)
        assert hit, outcome
        if outcome.status == "hung" and "Exception ignored in" in outcome.text:
            # Python drops an interrupt that falls into a weak reference's callback: one more is needed.
            place.interrupt()
            outcome = place.finish(None)
        assert outcome.status in {"interrupted", "silent"}, (strike, outcome)
        assert FOLLOWED not in outcome.text, strike
        let_go(stage, outcome)
    resumed(stage, scenario, place)


def test_an_interrupt_at_any_moment(stage: Stage) -> None:
    scenario, place = left_behind(stage)
    # It waits for the tasks by then: these are all moments there are.
    waiting = Strike("interrupt", Moment(None, delay=1.0))
    outcome, _ = struck_run(place, COUNTED.format(moment=-1), waiting, stage.proxy)
    assert outcome.status == "interrupted"
    moments = int(outcome.text.rpartition("seen ")[2].split()[0])
    let_go(stage, outcome)
    for moment in sorted(random.Random(seed()).sample(range(1, moments + 1), 5)):
        outcome, _ = struck_run(place, COUNTED.format(moment=moment), waiting, stage.proxy)
        assert outcome.status == "interrupted", (moment, outcome)
        let_go(stage, outcome)
    resumed(stage, scenario, place)


def test_an_interrupted_script_ends_and_lets_all_go(stage: Stage) -> None:
    scenario, place = left_behind(stage)
    rng = random.Random(seed())
    for _ in range(4):
        strike = Strike("interrupt", Moment(None, delay=rng.uniform(0, 0.3)), rng.uniform(0, 0.03))
        outcome, _ = struck_run(place, RESUME_SCRIPT, strike, stage.proxy, last=True)
        assert outcome.status in {"interrupted", "dead"}, outcome
        let_go(stage, outcome)
        place = stage.next_place(place, scenario)
    resumed(stage, scenario, place)


@pytest.mark.parametrize("how", ["kill", "interrupt"])
def test_only_a_live_session_is_said_to_follow(stage: Stage, how: How) -> None:
    scenario, place = left_behind(stage)
    other = stage.process()
    over = threading.Event()
    other.start(RESUME_SCRIPT)
    wait(lambda: stage.followed() == NUMBER)
    place.start(RESUME_SCRIPT)
    assert place.finish(None).text.count(FOLLOWED) == NUMBER
    if how == "kill":
        other.kill()
    else:
        other.interrupt()
    over.set()
    assert other.finish(Threat(how == "kill", over)).status == ("dead" if how == "kill" else "interrupted")
    resumed(stage, scenario, place)
