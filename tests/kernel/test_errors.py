"""An error in a real kernel: short, of its own type, and Run All stops at it."""

from collections.abc import Callable

import pytest

from tests.support.kernel import Kernel
from tests.support.sandbox_harness import SandboxHarness


@pytest.fixture(scope="module")
def shared(quick_sandbox: SandboxHarness, start_kernel: Callable[..., Kernel]) -> Kernel:
    return start_kernel(quick_sandbox.url)


@pytest.fixture
def kernel(shared: Kernel, quick_sandbox: SandboxHarness) -> Kernel:
    """The kernel, with books that are empty."""
    quick_sandbox.reset()
    return shared


@pytest.mark.parametrize(
    ("code", "kind", "named", "remedy"),
    [
        ("%zooop imge a panda", "UnknownName", "imge", "Did you mean image"),
        ("%zooop image -m flsh a panda", "UnknownName", "flsh", "Flux 2 Flash"),
        ("%zooop image -m flash -V ultra a panda", "UnknownName", "ultra", "standard"),
        ("%zooop image -m flash guidance=3 a panda", "UnknownName", "guidance", "guidance_scale"),
        ("%zooop image -m flash --cnt 2 a panda", "UnknownName", "--cnt", "--count"),
        ("%zooop image -m flash guidance_scale=99 a panda", "BadValue", "99", "20"),
        ("%zooop image -m flash aspect_ratio=5:4 a panda", "BadValue", "5:4", "4:3"),
        ("hero = 1\n%zooop image -m flash {heroo} again", "UnknownVariable", "heroo", "hero"),
        ("hero = 1\n%zooop image -m flash {hero.nme} again", "UnknownVariable", "hero.nme", ""),
        (
            "hero = 1\n%zooop image -m flash a panda guidance_scale={heroo}",
            "UnknownVariable",
            "heroo",
            "hero",
        ),
        ("hero = 1\n%zooop show {heroo}", "UnknownVariable", "heroo", "hero"),
        ("%zooop image -m flash", "MissingValue", "prompt", ""),
        ("%zooop tool background-removl", "UnknownName", "background-removl", "background-removal"),
        ("%zooop image image_urls=nowhere.png a panda", "BadMedia", "nowhere.png", ""),
        ("%zooop show nothing-like-it", "UnknownName", "nothing-like-it", ""),
        ("%zooop config colour=red", "UnknownName", "colour", ""),
    ],
)
def test_a_mistake_is_a_short_message_that_names_the_value_and_the_remedy(
    code: str, kind: str, named: str, remedy: str, kernel: Kernel, quick_sandbox: SandboxHarness
) -> None:
    error = kernel.run(code).error
    assert error["ename"] == kind
    assert named in error["traceback"][0]
    assert remedy in "\n".join(error["traceback"])
    assert "Traceback" not in "".join(error["traceback"])
    assert len(error["traceback"]) <= 4
    assert all(len(line) < 400 for line in error["traceback"])
    assert quick_sandbox.spent() == 0


def test_a_refusal_of_the_api_is_as_short(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    refused = {"status": 402, "code": "insufficient_credits", "message": "Your wallet holds 0 credits."}
    quick_sandbox.faults({"method": "POST", "path": "/v1/tasks", "do": refused})
    error = kernel.run("%zooop image -m flash a red panda").error
    assert error["ename"] == "InsufficientCredits"
    assert "Your wallet holds 0 credits" in error["traceback"][0]
    assert quick_sandbox.spent() == 0


def test_a_task_that_fails_says_what_it_cost(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    error = kernel.run("%zooop image -m ideogram a red panda").error
    assert error["ename"] == "TaskFailed"
    assert "0 credits were charged" in error["traceback"][0]
    assert quick_sandbox.spent() == 0


def test_run_all_stops_at_an_error(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    with kernel.waits_for_queued_cells():
        cells = [kernel.send(code) for code in ("%zooop image -m nothing a panda", "1 + 1", "%zooop me")]
        assert [kernel.finish(cell).status for cell in cells] == ["error", "aborted", "aborted"]
    assert kernel.ok("1 + 1").result["text/plain"] == "2"


def test_an_error_can_be_caught_by_its_type(kernel: Kernel) -> None:
    cell = kernel.ok(
        "from zooop_nb.errors import UnknownName\n"
        "try:\n    %zooop image -m nothing a panda\nexcept UnknownName as error:\n    print(error.value)"
    )
    assert cell.text == "nothing\n"


def test_without_a_key_the_first_verb_says_how_to_get_one(
    kernel: Kernel, quick_sandbox: SandboxHarness
) -> None:
    kernel.ok("import os; key = os.environ.pop('ZOOOP_API_KEY')")
    try:
        error = kernel.run("%zooop image -m flash a red panda").error
    finally:
        kernel.ok("os.environ['ZOOOP_API_KEY'] = key")
    text = "\n".join(error["traceback"])
    assert error["ename"] == "MissingKey"
    for said in ("https://zooop.ai/user#apiKeys", "ZOOOP_API_KEY", "%zooop sandbox"):
        assert said in text


def test_a_wrong_key_is_named_as_such_and_not_shown(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    wrong = "zpk_test_" + "wrong"
    kernel.ok(f"import os; key = os.environ['ZOOOP_API_KEY']; os.environ['ZOOOP_API_KEY'] = '{wrong}'")
    try:
        error = kernel.run("%zooop image -m flash a red panda").error
    finally:
        kernel.ok("os.environ['ZOOOP_API_KEY'] = key")
    assert error["ename"] == "AuthenticationFailed"
    assert wrong not in "\n".join(error["traceback"])


def test_a_server_that_is_down_is_named(kernel: Kernel, quick_sandbox: SandboxHarness) -> None:
    kernel.ok("%zooop config host=http://127.0.0.1:9")
    try:
        error = kernel.run("%zooop image -m flash a red panda").error
    finally:
        kernel.ok(f"%zooop config host={quick_sandbox.url}")
    assert error["ename"] == "Unreachable"
    assert "http://127.0.0.1:9" in "\n".join(error["traceback"])
