"""Sixty kills at random moments: nothing is paid twice, and nothing paid is lost.

`CHAOS_SEED` draws others; a round that fails prints the options that draw it again.
"""

import pytest

from tests.faults.chaos import Round, play, rounds, seed
from tests.faults.stage import Stages

# A kill of a kernel costs the start of another; a plain process is forked.
ROUNDS = sorted(
    rounds(60, seed(), hows=["kill"], wheres=["process", "process", "kernel", "process"]),
    key=lambda each: each.speed,
)


@pytest.mark.parametrize("round", ROUNDS, ids=str)
def test_a_kill_at_a_random_moment(round: Round, stages: Stages) -> None:
    report = play(round, stages.at(round.speed))
    print(report)
    assert not report.violations, f"{report}"
