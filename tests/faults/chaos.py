"""Random kills and interrupts, and both books after each: `python tests/faults/chaos.py --rounds 300`.

A round orders something, in a plain process or in a real kernel, and is killed (SIGKILL) or interrupted
(SIGINT, sometimes twice) at a random moment. The same cell is run again, or the script resumed, perhaps
struck again, until it ends well. Then the sandbox's book and the ledger must agree by the rules of
tests/faults/books.py. To draw a round again: `--rounds 1` and the options that it was printed with.
"""

import argparse
import itertools
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.faults.books import Case, Run, Violation, disagreements
from tests.faults.places import STOPPED, Outcome
from tests.faults.scenarios import HOW, KINDS, WHERE, How, Kind, Strike, Where, draw_strikes
from tests.faults.stage import Stage, Stages, struck_run

RUNS: Final = 12
"""The number of runs after which a cell that does not end well is given up."""
SETTLES: Final = 60.0
"""Seconds that what a live process follows has to come to its end."""


@dataclass(frozen=True)
class Round:
    """One round, all of it drawn from its seed."""

    seed: int
    kind: Kind
    where: Where
    how: How
    speed: float = 0.0

    def __str__(self) -> str:
        options = f"--seed {self.seed} --kind {self.kind} --where {self.where} --how {self.how}"
        return f"{options} --speed {self.speed:g}"


@dataclass(frozen=True)
class Report:
    """What came of a round."""

    round: Round
    told: tuple[str, ...]
    """Each run: how it was struck, and how it ended."""
    violations: tuple[Violation, ...]
    seconds: float
    struck: bool

    def __str__(self) -> str:
        told = "; ".join(self.told)
        verdict = "agree" if not self.violations else "WRONG " + "; ".join(map(str, self.violations))
        return f"{self.round} [{self.seconds:.1f} s] {told}: {verdict}"

    def count(self, rule: str) -> int:
        """Return how many orders broke a rule."""
        return sum(each.count for each in self.violations if each.rule == rule)


def play(round: Round, stage: Stage) -> Report:
    """Play a round on a stage of its speed."""
    begun = time.monotonic()
    rng = random.Random(round.seed)
    scenario = stage.begin(round.kind, round.where, round.how, round.seed, loads=rng.random() < 0.2)
    told = [stage.leave_behind(scenario, rng)] if round.kind == "resume" else []
    strikes = draw_strikes(round.kind, round.how, rng)
    catches = rng.random() < 0.5
    runs: list[Run] = []
    struck = False
    violations: list[Violation] = []
    place, code = stage.place(scenario), scenario.code
    while True:
        strike = strikes.pop(0) if strikes else None
        known = stage.keys()
        scenario.marker.unlink(missing_ok=True)
        last = strike is not None and not catches
        outcome, hit = struck_run(place, code, strike, stage.proxy, last=last)
        struck = struck or hit
        runs.append(Run(outcome.text, stage.keys(scenario.current_prompts(outcome.text)) - known))
        told.append(f"{_struck(strike, hit=hit)} -> {_told(outcome)}")
        if outcome.status == "hung" or len(runs) == RUNS:
            hung = "it hangs" if outcome.status == "hung" else f"{RUNS} runs, and none ends well"
            violations.append(Violation("end", hung))
            break
        if stage.ended(scenario, outcome):
            break
        if strike is None:
            # What refuses to go on now may wait for what still goes on.
            time.sleep(0.05 * len(runs))
        place, code = stage.next_place(place, scenario), scenario.code_after
    stage.settle(SETTLES)
    if not stage.end_processes():
        violations.append(Violation("end", "a process does not end"))
    violations += disagreements(Case(scenario.asked, stage.books(), tuple(runs)))
    if violations:
        stage.clear_up()
    return Report(round, tuple(told), tuple(violations), time.monotonic() - begun, struck)


def rounds(
    number: int,
    seed: int,
    *,
    kinds: Sequence[Kind] = KINDS,
    wheres: Sequence[Where] = WHERE,
    hows: Sequence[How] = HOW,
    speeds: Sequence[float] = (0.0, 0.0, 0.0, 50.0),
) -> Iterator[Round]:
    """Return `number` rounds of each of `hows`, over kinds and places, with the seeds from `seed` on."""
    places = itertools.cycle(itertools.product(wheres, kinds))
    for each in range(number):
        where, kind = next(places)
        # A place and kind comes again after one turn, and then at another speed.
        speed = speeds[(each + each // (len(wheres) * len(kinds))) % len(speeds)]
        for how in hows:
            yield Round(seed + each, kind, where, how, speed)


def seed() -> int:
    """Return the seed of the tests: `CHAOS_SEED`, else always the same."""
    return int(os.environ.get("CHAOS_SEED", "1"))


def play_all(every: Iterator[Round], folder: Path) -> Iterator[Report]:
    """Play rounds, those of one speed together."""
    ordered = sorted(every, key=lambda round: round.speed)
    with Stages(folder) as stages:
        for round in ordered:
            yield play(round, stages.at(round.speed))


def _struck(strike: Strike | None, *, hit: bool) -> str:
    if strike is None:
        return "run"
    return str(strike) if hit else f"run (no {strike.moment})"


def _told(outcome: Outcome) -> str:
    tells = outcome.status == "error" or outcome.text.endswith(STOPPED)
    last = outcome.text.strip().splitlines()[-1:] if tells else []
    return " ".join((outcome.status, *(f"({line[:160]})" for line in last)))


def main() -> int:
    """Play rounds, print each with its seed, then the totals."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=300, help="rounds of each of --how (300)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the first seed (the time)")
    parser.add_argument("--kind", action="append", choices=KINDS, help="one kind, or several (all)")
    parser.add_argument("--where", action="append", choices=WHERE)
    parser.add_argument("--how", action="append", choices=HOW)
    parser.add_argument(
        "--speed", type=float, action="append", help="of the sandbox (0, and 50 in each fourth)"
    )
    parser.add_argument("--failed", action="store_true", help="print only the rounds that break a rule")
    chosen = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("ZOOOP_")]:
        del os.environ[name]
    every = rounds(
        chosen.rounds,
        chosen.seed,
        kinds=chosen.kind or KINDS,
        wheres=chosen.where or WHERE,
        hows=chosen.how or HOW,
        speeds=chosen.speed or (0.0, 0.0, 0.0, 50.0),
    )
    begun = time.monotonic()
    reports: list[Report] = []
    with tempfile.TemporaryDirectory(prefix="zooop-chaos-") as folder:
        for report in play_all(every, Path(folder)):
            reports.append(report)
            if report.violations or not chosen.failed:
                print(report, flush=True)
    print(totals(reports, time.monotonic() - begun))
    return 1 if any(report.violations for report in reports) else 0


def totals(reports: Sequence[Report], seconds: float) -> str:
    """Return the rounds played, and how many orders or rounds broke each rule."""
    played = Counter(report.round.how for report in reports)
    struck = sum(report.struck for report in reports)
    wrong = [report for report in reports if report.violations]
    rules = Counter(rule for report in reports for rule in {each.rule for each in report.violations})
    doubles, lost = (sum(report.count(rule) for report in reports) for rule in ("doubles", "lost"))
    by_rule = ", ".join(f"{rule} in {number}" for rule, number in sorted(rules.items()))
    by_kind = Counter(f"{report.round.kind}/{report.round.where}/{report.round.how}" for report in wrong)
    return "\n".join(
        (
            f"{played['kill']} rounds of kills, {played['interrupt']} of interrupts, {struck} of them hit,"
            f" in {seconds:.0f} s: doubles {doubles}, lost {lost}; rounds with violations: {len(wrong)}"
            + (f" ({by_rule})" if by_rule else ""),
            *(f"  {name}: {number}" for name, number in sorted(by_kind.items())),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
