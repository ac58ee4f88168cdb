"""The public surface as a type checker sees it. Only mypy reads this file.

A line that must be refused carries a `type: ignore`; mypy reports an unused one, so each refusal is checked.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import assert_type

import pandas as pd

from zooop_nb import Described, Estimate, Gallery, Output, Quoted, Result, Studio, Task, Tasks, Upload
from zooop_nb.contract.backend import Backend
from zooop_nb.contract.shapes import Me


def verbs(studio: Studio, count: int) -> None:
    assert_type(studio.image("a red panda"), Result)
    assert_type(studio.image("a red panda", model="flux", version="pro", aspect_ratio="16:9", seed=7), Result)
    assert_type(studio.video("a red panda", duration=5, image_urls=[Path("a.png")], tags=["a", "b"]), Result)
    assert_type(studio.speech("Hello", yes=True, ask=False, budget=2.5, fresh=True, best=True), Result)
    assert_type(studio.image("a red panda", params={"aspect_ratio.ratio": "1:1"}), Result)
    assert_type(studio.image("a red panda", count=1), Result)
    assert_type(studio.image("a red panda", count=count), Result | Gallery)
    studio.image("a red panda", model=3)  # type: ignore[call-overload]
    studio.image("a red panda", count="3")  # type: ignore[call-overload]
    studio.image("a red panda", yes="no")  # type: ignore[call-overload]
    studio.image(["a red panda"])  # type: ignore[call-overload]


def others(studio: Studio) -> None:
    assert_type(studio.start("image", "a red panda", model="flux", seed=7), Task)
    assert_type(studio.start_all("image", "a red panda", count=3), Tasks)
    assert_type(studio.quote("tool", slug="background-removal", image_url="a.png"), Quoted)
    assert_type(studio.estimate("animate", "it waves", first_frame=b"..."), Estimate)
    assert_type(studio.batch("image", ["a panda", "a fox"], yes=True), Gallery)
    assert_type(studio.tool("background-removal", image_url="a.png"), Result)
    assert_type(studio.template("superhero-movie-poster", hero_name="NIGHTFALL", count=2), Result | Gallery)
    assert_type(studio.again(quality="medium"), Result)
    assert_type(studio.resume(), Gallery)
    assert_type(studio.describe("a.png", "zh", budget=1), Described)
    assert_type(studio.upload(b"..."), Upload)
    studio.start("image", "a red panda", budget="much")  # type: ignore[arg-type]
    studio.batch("image", 3)  # type: ignore[arg-type]
    studio.again("a fox")  # type: ignore[call-overload]
    studio.describe("a.png", model="flux")  # type: ignore[call-arg]


def queries(studio: Studio) -> None:
    assert_type(studio.me(), Me)
    assert_type(studio.models("video"), pd.DataFrame)
    assert_type(studio.ledger.frame(), pd.DataFrame)
    assert_type(studio.tasks(), pd.DataFrame)
    assert_type(studio.result("0198c0de"), Result)
    assert_type(studio.backend, Backend)


async def values(task: Task, tasks: Tasks) -> None:
    assert_type(task.result(), Result)
    assert_type(await task, Result)
    assert_type(await tasks, Gallery)
    result = await task
    assert_type(result.credits, int | float | None)
    assert_type(result.outputs, tuple[Output, ...])
    assert_type(result.path, Path | None)
    gallery: Sequence[Result] = await tasks
    assert_type(gallery[0], Result)
