"""The magic in a real kernel: what it returns, what is shown and where, and when it asks."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.kernel import Kernel
from tests.support.sandbox_harness import TOKEN, SandboxHarness


@pytest.fixture(scope="module")
def shared(quick_sandbox: SandboxHarness, start_kernel: Callable[..., Kernel]) -> Kernel:
    return start_kernel(quick_sandbox.url)


@pytest.fixture
def kernel(shared: Kernel, quick_sandbox: SandboxHarness) -> Kernel:
    """The kernel, with books that are empty."""
    quick_sandbox.reset()
    return shared


def test_what_a_result_says_it_cost_is_what_the_books_and_the_ledger_say(
    kernel: Kernel, quick_sandbox: SandboxHarness
) -> None:
    kernel.ok("r = %zooop image a red panda")
    (task,) = quick_sandbox.tasks
    (charge,) = quick_sandbox.books()["charges"]
    kernel.ok("f = %zooop ledger\nrow = f[(f.event == 'charge') & (f.task_id == r.task_id)]")
    assert kernel.value("r.task_id, r.status") == (task["taskId"], "succeeded")
    assert kernel.value("r.credits, row.credits.tolist(), row.spent.tolist()") == (
        charge["credits"],
        [charge["credits"]],
        [charge["credits"]],
    )
    assert task["creditsCharged"] == charge["credits"] > 0


def test_the_last_line_is_shown_as_the_cells_result(kernel: Kernel) -> None:
    cell = kernel.ok("%zooop image -m flash a red panda")
    assert '<img src="data:image/' in re.sub(r"<img [^>]*?src=", "<img src=", cell.result["text/html"])
    assert "Flash" in cell.result["text/plain"]
    assert cell.shown == []


def test_nothing_that_is_shown_names_the_sandbox_or_the_token(
    kernel: Kernel, quick_sandbox: SandboxHarness
) -> None:
    port = quick_sandbox.url.rpartition(":")[2]
    codes = (
        "r = %zooop image -m flash a red panda\nr",
        "%zooop image -m flash -n 2 a red panda",
        "%zooop speech -m gemini hello",
        "r.outputs[0]",
        "%zooop models",
        "%zooop tasks",
        "%zooop show {r.order_id}",
        "%zooop me",
        "%zooop quote image a red panda",
        "%zooop image -m flash a red panda image_url=nothing",
    )
    for code in codes:
        everything = kernel.run(code).everything
        assert TOKEN not in everything, code
        assert f":{port}" not in everything, code
        assert "localhost" not in everything, code


def test_progress_updates_in_one_place_and_ends_empty(kernel: Kernel) -> None:
    cell = kernel.ok("%zooop image -m flash a red panda")
    first, *updates = cell.of("display_data", "update_display_data")
    ids = {each["transient"]["display_id"] for each in (first, *updates)}
    assert len(ids) == 1
    assert len(cell.of("display_data")) == 1
    assert updates[-1]["data"] == {"text/html": "", "text/plain": ""}
    assert all("Flux 2 Flash" in each["data"]["text/html"] for each in (first, *updates[:-1]))


def test_a_picture_amid_a_cell_is_shown_and_the_last_one_is_the_result(kernel: Kernel) -> None:
    cell = kernel.ok("%zooop image -m flash one panda\n%zooop image -m flash another panda")
    (amid,) = cell.shown
    assert "data:image/" in amid["data"]["text/html"]
    assert "one panda" in amid["data"]["text/html"]
    assert "another panda" in cell.result["text/html"]


@pytest.mark.parametrize(
    "code",
    [
        "import asyncio\nawait asyncio.sleep(0)\n%zooop image -m flash a red panda\nNone",
        "if True:\n    %zooop image -m flash a red panda",
        "try:\n    %zooop image -m flash a red panda\nfinally:\n    pass",
        "%%time\n%zooop image -m flash a red panda",
    ],
    ids=["beside an await", "in a branch", "in a try", "timed"],
)
def test_a_picture_is_shown_once_wherever_it_is_made(code: str, kernel: Kernel) -> None:
    assert kernel.ok(code).everything.count("data:image/") == 1


def test_each_picture_of_a_loop_is_shown_once(kernel: Kernel) -> None:
    cell = kernel.ok("for colour in ('red', 'blue'):\n    %zooop image -m flash a {colour} panda")
    assert ["a red panda" in each["data"]["text/html"] for each in cell.shown] == [True, False]
    assert cell.result == {}


@pytest.mark.parametrize(
    "code",
    [
        "r = %zooop image -m flash a red panda",
        "%zooop image -m flash a red panda;",
        "%zooop image -m flash amid a cell;\n1",
        "%%zooop image -m flash;\na red panda",
        "def f():\n    r = %zooop image -m flash a red panda\n    return r.credits\nassert f() == 1",
        "for n in range(1):\n    r = %zooop image -m flash a red panda",
    ],
)
def test_an_assignment_or_a_semicolon_shows_no_picture(
    code: str, kernel: Kernel, quick_sandbox: SandboxHarness
) -> None:
    cell = kernel.ok(code)
    assert cell.shown == []
    assert "text/html" not in cell.result
    assert [task["status"] for task in quick_sandbox.tasks] == ["succeeded"]
    assert not quick_sandbox.tasks[0]["params"]["prompt"].endswith(";")


def test_the_line_before_the_submit_names_model_credits_and_time(kernel: Kernel) -> None:
    cell = kernel.ok("%zooop image -m flash -n 2 a red panda")
    assert re.fullmatch(r"→ 2 × Flux 2 Flash · .*2 credits · ETA unknown\n", cell.text)


def test_a_value_keeps_its_type_and_a_local_of_a_function_is_found(
    kernel: Kernel, quick_sandbox: SandboxHarness
) -> None:
    kernel.ok(
        "def draw(guidance, what):\n"
        "    r = %zooop image -m flash a {what} guidance_scale={guidance}\n"
        "    return r\n"
        "draw(3.5, 'panda')"
    )
    assert quick_sandbox.tasks[0]["params"] == {"prompt": "a panda", "guidance_scale": 3.5}


def test_help_is_for_the_question_mark_alone(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    assert "%zooop image WORDS" in kernel.ok("%zooop image?").text
    reply = kernel.run("%zooop?").reply
    assert reply is not None
    pages = reply["content"]["payload"]
    assert "%zooop VERB" in pages[0]["data"]["text/plain"]
    assert quick_sandbox.tasks == []


def test_ask_asks_where_the_front_end_takes_input(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    said_yes = kernel.run("%zooop image -m flash --ask a red panda", answer="y")
    assert said_yes.status == "ok"
    assert said_yes.questions == ["Spend 1 credit on this task? [y/N] "]
    said_no = kernel.run("%zooop image -m flash --ask a red panda", answer="n")
    assert said_no.error["ename"] == "Declined"
    assert len(quick_sandbox.tasks) == 1


def test_where_nobody_can_answer_the_error_names_yes(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    error = kernel.run("%zooop image -m flash --ask a red panda").error
    assert error["ename"] == "ConfirmationNeeded"
    assert "--yes" in "\n".join(error["traceback"])
    assert quick_sandbox.tasks == []


def test_yes_answers_beforehand(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    kernel.ok("%zooop config confirm=always")
    try:
        assert kernel.run("%zooop image -m flash a red panda").error["ename"] == "ConfirmationNeeded"
        kernel.ok("%zooop image -m flash --yes a red panda")
    finally:
        kernel.ok("%zooop config confirm=auto")
    assert len(quick_sandbox.tasks) == 1


def test_variants_ask_nothing_until_they_cost_a_hundred_credits(
    kernel: Kernel, quick_sandbox: SandboxHarness
) -> None:
    kernel.ok("%zooop image -m flash -n 3 a red panda;")
    assert len(quick_sandbox.tasks) == 3
    error = kernel.run("%zooop image quality=high resolution=4k aspect_ratio=16:9 -n 12 a red panda").error
    assert error["ename"] == "ConfirmationNeeded"
    assert len(quick_sandbox.tasks) == 3


def test_a_budget_of_the_line_stops_it_before_the_submit(
    kernel: Kernel, quick_sandbox: SandboxHarness
) -> None:
    error = kernel.run("%zooop image --budget 1 a red panda").error
    assert error["ename"] == "OverBudget"
    assert error["traceback"][0] == "This costs 4 credits; the budget of this call is 1."
    assert quick_sandbox.tasks == []


def test_a_budget_of_the_session_counts_what_was_spent(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    # What this kernel has spent so far was another session's.
    kernel.ok("import os; os.environ['ZOOOP_NB_SESSION'] = 'a session of its own'")
    kernel.ok("%zooop config budget=2")
    try:
        kernel.ok("%zooop image -m flash -n 2 a red panda;")
        assert kernel.run("%zooop image -m flash a red panda").error["ename"] == "OverBudget"
    finally:
        kernel.ok("%zooop config budget=none")
    assert len(quick_sandbox.tasks) == 2


def test_where_nothing_is_unfinished_resume_says_so_and_shows_nothing(kernel: Kernel) -> None:
    cell = kernel.ok("%zooop resume")
    assert (cell.text, cell.result) == ("Nothing is unfinished.\n", {})


def test_a_line_works_in_a_thread(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    kernel.ok(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def make(words):\n"
        "    return get_ipython().run_line_magic('zooop', f'image -m flash {words}')\n"
        "with ThreadPoolExecutor(2) as pool:\n"
        "    made = list(pool.map(make, ['a red panda', 'a blue panda']))"
    )
    assert kernel.value("[(r.prompt, r.status) for r in made]") == [
        ("a red panda", "succeeded"),
        ("a blue panda", "succeeded"),
    ]
    assert len(quick_sandbox.tasks) == 2


def test_a_forked_child_has_a_studio_of_its_own(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    kernel.ok("%zooop image -m flash a panda of the parent;")
    kernel.ok(
        "import multiprocessing, warnings\n"
        "from zooop_nb import Studio\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        "def make(words):\n"
        "    result = Studio().image(words, model='flash')\n"
        "    return result.prompt, result.status, result.credits\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    made = pool.map(make, ['a red panda', 'a blue panda'])"
    )
    assert kernel.value("made") == [("a red panda", "succeeded", 1), ("a blue panda", "succeeded", 1)]
    kernel.ok("%zooop image -m flash a panda of the parent again;")
    assert len(quick_sandbox.tasks) == 4


def test_again_and_show_find_what_was_made(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    kernel.ok("r = %zooop image -m flash a red panda guidance_scale=3")
    again = kernel.ok("a = %zooop again guidance_scale=4\na")
    assert "data:image/" in again.result["text/html"]
    assert [task["params"]["guidance_scale"] for task in quick_sandbox.tasks] == [3, 4]
    shown = kernel.ok("%zooop show {r.task_id}")
    assert "data:image/" in shown.result["text/html"]
    assert len(quick_sandbox.tasks) == 2


def test_the_home_is_where_all_is_kept(kernel: Kernel, quick_sandbox: SandboxHarness, tmp_path: Path) -> None:
    kernel.ok("r = %zooop image -m flash a red panda")
    home = kernel.value("__import__('os').environ['ZOOOP_NB_HOME']")
    assert kernel.value("str(r.outputs[0].path)").startswith(home)
    assert Path(home, "ledger.sqlite").exists()
