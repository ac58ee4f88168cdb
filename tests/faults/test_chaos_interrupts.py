"""Sixty interrupts at random moments: nothing is paid twice, and nothing paid is lost.

`CHAOS_SEED` draws others; a round that fails prints the options that draw it again.
"""

import pytest

from tests.faults.chaos import Round, play, rounds, seed
from tests.faults.stage import Stages

ROUNDS = sorted(
    rounds(60, seed(), hows=["interrupt"]),
    key=lambda each: each.speed,
)


@pytest.mark.parametrize("round", ROUNDS, ids=str)
def test_an_interrupt_at_a_random_moment(round: Round, stages: Stages) -> None:
    report = play(round, stages.at(round.speed))
    print(report)
    assert not report.violations, f"{report}"
