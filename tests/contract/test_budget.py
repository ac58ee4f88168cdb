"""The session's budget: one for all that share the session, wherever they run, and nothing lifts it."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.contract.conftest import CHEAP, MAIN
from tests.support.rewriting_proxy import RewritingProxy
from tests.support.sandbox_harness import SandboxHarness
from zooop_nb import errors
from zooop_nb import settings as settings_
from zooop_nb.settings import SESSION_VARIABLE
from zooop_nb.studio import Studio

SUBMIT = {"method": "POST", "path": "/v1/tasks"}
TRY = f"""
    from zooop_nb import Studio, errors
    try:
        Studio().image("a fox", model="{CHEAP}")
    except errors.OverBudget as error:
        print("over", error.message)
    else:
        print("made")
"""


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A session of this test's own."""
    monkeypatch.setenv(SESSION_VARIABLE, request.node.name)
    return str(request.node.name)


@pytest.fixture
def used_up(studio_of: Callable[..., Studio], books: SandboxHarness) -> Studio:
    """A studio whose session has spent its budget."""
    studio = studio_of(budget=1)
    studio.image("a red panda", model=CHEAP)
    return studio


def refuses(studio: Studio) -> None:
    with pytest.raises(errors.OverBudget, match="the budget of 1 has 0 left"):
        studio.image("a fox", model=CHEAP)


def environment(studio: Studio, **more: str) -> dict[str, str]:
    home = str(studio.settings.ledger_path.parent)
    given = {"ZOOOP_API_HOST": studio.settings.host, "ZOOOP_API_KEY": MAIN, "ZOOOP_NB_HOME": home}
    return {**os.environ, **given, **more}


def run(program: str, studio: Studio, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=environment(studio, **more),
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    return done.stdout.strip()


def test_another_studio_and_changed_settings_share_it(
    used_up: Studio, studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    refuses(studio_of())
    refuses(studio_of(confirm="never", concurrency=7))
    refuses(used_up)
    assert books.spent() == 1


def test_threads_share_it(studio_of: Callable[..., Studio], books: SandboxHarness) -> None:
    def one(number: int) -> bool:
        try:
            return studio_of(budget=3).image(f"panda {number}", model=CHEAP).status == "succeeded"
        except errors.OverBudget:
            return False

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(one, range(6))) == books.spent() == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork here")
def test_a_fork_shares_it(used_up: Studio, books: SandboxHarness) -> None:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            used_up.image("a fox", model=CHEAP)
        except errors.OverBudget:
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert books.spent() == 1


def test_a_child_process_shares_it_and_another_session_does_not(
    used_up: Studio, books: SandboxHarness
) -> None:
    assert run(TRY, used_up).startswith("over")
    assert books.spent() == 1
    assert run(TRY, used_up, **{SESSION_VARIABLE: "another"}) == "made"
    assert books.spent() == 2


def test_a_spawned_process_shares_a_session_that_was_made_and_exported(
    used_up: Studio, books: SandboxHarness, tmp_path: Path
) -> None:
    program = tmp_path / "spawning.py"
    program.write_text(
        textwrap.dedent(f"""
        import multiprocessing, sys
        from zooop_nb import Studio, errors

        def order(_):
            try:
                Studio().image("a fox", model="{CHEAP}")
            except errors.OverBudget:
                return "over"
            return "made"

        if __name__ == "__main__":
            from zooop_nb import settings
            studio = Studio(settings=settings.load(call={{"budget": 1}}))
            studio.image("a red panda", model="{CHEAP}")
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(order, [0]))
        """)
    )
    done = subprocess.run(
        [sys.executable, str(program)],
        env=environment(used_up, **{SESSION_VARIABLE: "", "PYTHONPATH": str(Path.cwd())}),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "['over']"), done.stderr
    assert books.spent() == 2


def test_a_budget_in_the_call_becomes_the_sessions_limit(
    studio_of: Callable[..., Studio], used_up: Studio, books: SandboxHarness
) -> None:
    studio_of(budget=2).image("a fox", model=CHEAP)
    with pytest.raises(errors.OverBudget, match="the budget of 2 has 0 left"):
        used_up.image("a crane", model=CHEAP)
    assert books.spent() == 2


def test_re_sending_moves_the_cost_to_the_session_that_re_sends(
    studio: Studio, books: SandboxHarness, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.faults({**SUBMIT, "do": "drop_after", "times": 3})
    with pytest.raises(errors.OrderUnknown):
        studio.image("a red panda", model=CHEAP)
    books.faults()
    assert studio.ledger.spent(session, "sandbox") == 1
    monkeypatch.setenv(SESSION_VARIABLE, "another")
    assert settings_.session_id() == "another"
    studio.resume()
    assert studio.ledger.spent(session, "sandbox") == 0
    assert studio.ledger.spent("another", "sandbox") == 1
    assert books.spent() == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda quote: {name: value for name, value in quote.items() if name != "credits"},
        lambda quote: {**quote, "credits": None},
        lambda quote: {**quote, "credits": -3},
        lambda quote: {**quote, "credits": "1"},
    ],
    ids=["missing", "null", "negative", "text"],
)
def test_a_quote_without_a_figure_is_refused_and_nothing_is_ordered(
    studio_of: Callable[..., Studio], books: SandboxHarness, change: Any
) -> None:
    with RewritingProxy(books.url) as proxy:
        proxy.rewrite("POST /v1/quote", change)
        studio = studio_of(host=proxy.url)
        with pytest.raises(errors.InvalidResponse):
            studio.image("a red panda", model=CHEAP)
    assert books.tasks == []
    assert studio.tasks().empty


def test_a_success_without_a_figure_counts_its_quote_stays_open_and_is_asked_again(
    studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    asked: list[object] = []

    def silent(state: Any) -> Any:
        asked.append(state)
        return {name: value for name, value in state.items() if name != "creditsCharged"}

    with RewritingProxy(books.url) as proxy:
        proxy.rewrite("GET /v1/tasks/", silent)
        studio = studio_of(host=proxy.url, budget=1)
        made = studio.image("a red panda", model=CHEAP)
        assert (made.status, made.credits) == ("succeeded", None)
        assert len(asked) > 1
        with pytest.raises(errors.OverBudget):
            studio.image("a fox", model=CHEAP)
        assert studio.tasks()["order_id"].tolist() == [made.order_id]
        proxy.forget()
        [found] = studio.resume()
        assert (found.order_id, found.credits) == (made.order_id, 1)
        assert studio.tasks().empty
    assert books.spent() == 1


def test_a_negative_charge_never_lifts_the_budget(
    studio_of: Callable[..., Studio], books: SandboxHarness, session: str
) -> None:
    with RewritingProxy(books.url) as proxy:
        proxy.rewrite("GET /v1/tasks/", lambda state: {**state, "creditsCharged": -50})
        studio = studio_of(host=proxy.url, budget=1)
        studio.image("a red panda", model=CHEAP)
        assert studio.ledger.spent(session, "sandbox") >= 0
        with pytest.raises(errors.OverBudget):
            studio.start_all("image", "a fox", model=CHEAP, count=2)
    assert books.spent() == 1


def test_what_an_unknown_description_spent_is_null(
    studio: Studio, books: SandboxHarness, picture: Path
) -> None:
    books.faults({"path": "/v1/describe-image", "do": "drop_after"})
    with pytest.raises(errors.OrderUnknown):
        studio.describe(picture)
    rows = studio.ledger.frame().query("event == 'describe'")
    assert len(rows) == 1
    assert pd.isna(rows["spent"].iloc[0])
