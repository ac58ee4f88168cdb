"""Run All: every cell is queued before the first one ends, as the front ends do it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.kernel import Cell, Kernel
from tests.support.sandbox_harness import SandboxHarness

NOTEBOOK = (
    "hero = %zooop image -m flash a red panda's portrait",
    "%zooop image -m flash who is this panda?",
    "%zooop image -m flash a price tag of $5",
    '%zooop image -m flash a label that says {"colour": "red", "n": 2} in {{braces}}',
    "%zooop image -m flux2pro the hero again image_urls={hero}",
    "%zooop tool background-removal image_url={hero}",
    "%%zooop speech -m gemini\nIt's a panda, isn't it?\nYes: {hero.model} drew it.",
    "pandas = []\nfor colour in ('red', 'blue'):\n    one = %zooop image -m flash a {colour} panda\n"
    "    pandas.append(one)\nlen(pandas)",
    "%zooop image -m flash -n 2 two pandas, please",
    "spent = %zooop ledger\nint(spent.spent.sum())",
)


@pytest.fixture(scope="module")
def kernel(
    quick_sandbox: SandboxHarness, start_kernel: Callable[..., Kernel], ipykernel: Path | None
) -> Kernel:
    quick_sandbox.reset()
    return start_kernel(quick_sandbox.url, ipykernel)


@pytest.fixture(scope="module")
def cells(kernel: Kernel) -> list[Cell]:
    """The ten cells, run."""
    cells = [kernel.send(code) for code in NOTEBOOK]
    for cell in cells:
        kernel.finish(cell)
    return cells


def test_the_kernel_is_the_one_that_is_meant(kernel: Kernel, ipykernel: Path | None) -> None:
    version = kernel.value("__import__('ipykernel').__version__")
    assert version.startswith("7." if ipykernel is None else "6.")


def test_ten_cells_sent_in_one_go_run_to_their_end(cells: list[Cell]) -> None:
    assert [(cell.status, cell.of("error")) for cell in cells] == [("ok", [])] * 10


def test_the_prompts_arrive_as_they_were_typed(cells: list[Cell], quick_sandbox: SandboxHarness) -> None:
    said = [task["params"].get("prompt") or task["params"].get("text") for task in quick_sandbox.tasks]
    assert said == [
        "a red panda's portrait",
        "who is this panda?",
        "a price tag of $5",
        'a label that says {"colour": "red", "n": 2} in {braces}',
        "the hero again",
        None,
        "It's a panda, isn't it?\nYes: Flux 2 Flash drew it.",
        "a red panda",
        "a blue panda",
        "two pandas, please",
        "two pandas, please",
    ]


def test_the_sum_that_the_last_cell_shows_is_the_books(
    cells: list[Cell], quick_sandbox: SandboxHarness
) -> None:
    assert cells[7].result["text/plain"] == "2"
    assert int(cells[9].result["text/plain"]) == quick_sandbox.spent() > 0


def test_the_hero_is_handed_over_as_what_the_server_made(
    cells: list[Cell], quick_sandbox: SandboxHarness
) -> None:
    hero, again, cut = (quick_sandbox.tasks[number] for number in (0, 4, 5))
    url = hero["outputs"][0]["url"]
    assert again["params"]["image_urls"] == [url]
    assert cut["params"]["image_url"] == url
