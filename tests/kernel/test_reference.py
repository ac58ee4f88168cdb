"""A picture in words, a file's URL, a template by its page, and the diagnosis, in a real kernel."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.support.kernel import Kernel
from tests.support.sandbox_harness import TOKEN, SandboxHarness

pytestmark = pytest.mark.xdist_group("kernel_magic")


@pytest.fixture(scope="module")
def shared(quick_sandbox: SandboxHarness, start_kernel: Callable[..., Kernel]) -> Kernel:
    return start_kernel(quick_sandbox.url)


@pytest.fixture
def kernel(shared: Kernel, quick_sandbox: SandboxHarness) -> Kernel:
    """The kernel, with books that are empty."""
    quick_sandbox.reset()
    return shared


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    # Another in each test: what was uploaded before the books were emptied is gone.
    path = tmp_path / "red panda.png"
    shade = sum(map(ord, str(tmp_path))) % 256
    Image.linear_gradient("L").point(lambda value: (value + shade) % 256).save(path)
    return path


def charges(sandbox: SandboxHarness) -> list[tuple[str, int]]:
    return [(each["kind"], each["credits"]) for each in sandbox.books()["charges"]]


def test_a_picture_in_words_is_shown_as_text_and_stands_in_a_prompt(
    kernel: Kernel, quick_sandbox: SandboxHarness, picture: Path
) -> None:
    cell = kernel.ok(f'%zooop describe "{picture}"')
    assert "→ describe · 1 credit" in cell.text
    assert "Palette: " in cell.result["text/plain"]
    assert "Palette: " in cell.result["text/html"]
    assert charges(quick_sandbox) == [("describe", 1)]
    kernel.ok(f'look = %zooop describe "{picture}" --language zh --tag mood')
    made = kernel.ok("made = %zooop image -m flash in this mood: {look.palette}; {look}")
    assert made.status == "ok"
    palette, whole = kernel.value("look.palette, look.overall_description")
    assert quick_sandbox.tasks[0]["params"]["prompt"] == f"in this mood: {palette}; {whole}"
    assert any("\u4e00" <= sign <= "\u9fff" for sign in whole)
    kernel.ok("f = %zooop ledger\nrow = f[f.order_id == look.order_id]")
    assert kernel.value("row.event.tolist(), row.spent.tolist(), row.tags.tolist()") == (
        ["describe"],
        [1],
        ["mood"],
    )
    shown = kernel.ok("%zooop show {look.order_id}")
    assert palette in shown.result["text/plain"]


def test_a_result_is_described_by_its_name(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    kernel.ok("hero = %zooop image -m flash a lighthouse")
    kernel.ok("words = %zooop describe {hero}")
    assert quick_sandbox.books()["uploads"] == []
    assert [kind for kind, _ in charges(quick_sandbox)] == ["charge", "describe"]


def test_a_path_with_spaces_wants_quotes_and_no_picture_costs_nothing(
    kernel: Kernel, quick_sandbox: SandboxHarness, picture: Path
) -> None:
    for line, said in (
        (f"describe {picture}", "quote a path with spaces"),
        ("describe", "not nothing"),
        ("describe a.png language=zh", "--language"),
        ("describe nothing-there.png", "does not exist"),
        ("quote describe a.png", "it costs 1 credit"),
        ("upload a.png b.png", "one file"),
        ("doctor now", "doctor takes no"),
    ):
        cell = kernel.run(f"%zooop {line}")
        assert said in "\n".join(cell.error["traceback"]), line
        assert "Traceback" not in "\n".join(cell.error["traceback"])
    assert charges(quick_sandbox) == []


def test_a_lost_answer_says_so_and_resume_sends_nothing(
    kernel: Kernel, quick_sandbox: SandboxHarness, picture: Path
) -> None:
    kernel.ok(f'up = %zooop upload "{picture}"')
    quick_sandbox.faults({"path": "/v1/describe-image", "do": "drop_after", "times": 5})
    cell = kernel.run("%zooop describe {up}")
    text = "\n".join(cell.error["traceback"])
    assert cell.error["ename"] == "OrderUnknown"
    assert "not sent again" in text
    assert "%zooop tasks" in text
    kernel.ok("left = %zooop resume")
    assert kernel.value("[each.status for each in left][-1]") == "unknown"
    assert charges(quick_sandbox) == [("describe", 1)]
    assert quick_sandbox.pending_faults == 4


def test_an_upload_is_a_value_whose_address_is_not_shown_on_the_sandbox(
    kernel: Kernel, quick_sandbox: SandboxHarness, picture: Path
) -> None:
    cell = kernel.ok(f'%zooop upload "{picture}"')
    assert "image/png" in cell.result["text/plain"]
    assert quick_sandbox.url not in cell.everything
    kernel.ok(f'up = %zooop upload "{picture}"')
    (upload,) = quick_sandbox.books()["uploads"]
    assert kernel.value("up.url, up.content_type, up.size") == (
        upload["url"],
        "image/png",
        picture.stat().st_size,
    )
    kernel.ok("from PIL import Image\nred = Image.new('RGB', (8, 8), 'red')")
    kernel.ok("%zooop upload {red}")
    assert len(quick_sandbox.books()["uploads"]) == 2


def test_a_template_is_run_by_its_pages_address(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    page = "https://zooop.ai/templates/image/superhero-movie-poster?utm_source=mail&x=1"
    cell = kernel.ok(f"poster = %zooop template {page} hero_name=PANDA")
    assert "5 credits" in cell.text
    (task,) = quick_sandbox.tasks
    assert task["recipe"] == "superhero-movie-poster"
    assert kernel.value("poster.credits, poster.model") == (5, "superhero-movie-poster")
    quote = kernel.ok(
        "%zooop quote template https://zooop.ai/templates/superhero-movie-poster/ hero_name=FOX"
    )
    assert "5 credits" in quote.result["text/plain"]
    wrong = kernel.run("%zooop template https://zooop.ai/templates/image/superhero-movie-postr")
    assert "superhero-movie-poster" in "\n".join(wrong.error["traceback"])


def test_the_diagnosis_is_a_list_of_lines_without_token_or_address(
    kernel: Kernel, quick_sandbox: SandboxHarness
) -> None:
    cell = kernel.ok("%zooop doctor")
    lines = cell.result["text/plain"].splitlines()
    assert lines[0] == "All well."
    assert re.search("ok +ledger", cell.result["text/plain"])
    assert TOKEN not in cell.everything
    assert quick_sandbox.url not in cell.everything
