"""SIGKILL while an order is on its way: nothing is paid twice, and nothing paid is lost."""

from collections.abc import Callable

import pytest

from tests.faults.crash import PICTURE, POINTS, Point, Scene
from tests.support.kernel import Cell, Kernel

pytestmark = pytest.mark.parametrize("point", POINTS.values(), ids=POINTS)


def resume(heir: Kernel) -> Cell:
    return heir.ok("%zooop resume")


def run_again(heir: Kernel) -> Cell:
    cell = heir.ok(PICTURE)
    assert "→ takes up 1 order " in cell.text
    return cell


@pytest.mark.parametrize("take_over", [resume, run_again])
def test_a_new_kernel_takes_over_what_a_dead_one_left(
    take_over: Callable[[Kernel], Cell], point: Point, scene: Scene
) -> None:
    scene.die(point)
    assert len(scene.sandbox.tasks) == point.tasks
    assert len(scene.partials()) == point.partials
    (left,) = scene.entries()
    with scene.kernel() as heir:
        cell = take_over(heir)
    assert "data:image/" in cell.result["text/html"]
    assert scene.disagreements() == []
    assert scene.partials() == []
    (task,) = scene.sandbox.tasks
    (taken,) = scene.entries()
    assert (taken.order_id, taken.task_id) == (left.order_id, task["taskId"])
    assert (taken.body, taken.key) == (left.body, left.key)
    assert taken.credits == task["debited"] == scene.sandbox.spent()
