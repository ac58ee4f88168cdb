"""Describing a picture: its 1 credit is in the ledger, and the request is never repeated."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.contract.conftest import CHEAP
from tests.support.holding_proxy import HoldingProxy
from tests.support.sandbox_harness import SandboxHarness
from tests.support.scripted_frontend import ScriptedFrontend
from zooop_nb import errors
from zooop_nb.studio import Studio

PATH = "/v1/describe-image"


def rows(studio: Studio) -> list[dict[str, Any]]:
    """The ledger's rows, oldest first."""
    found: list[Any] = studio.ledger.frame().astype(object).to_dict("records")
    return found


def only_order(studio: Studio) -> Any:
    [(order_id,)] = studio.ledger._db.connection.execute(
        "SELECT order_id FROM orders WHERE target = 'describe'"
    ).fetchall()
    return studio.ledger.get(order_id)


@pytest.fixture
def calls(sandbox: SandboxHarness, faults: Callable[..., None]) -> Callable[[], int]:
    """Count the describe-image requests since the fixture was set up.

    A fault with a delay of 0 seconds changes nothing, but every request uses up one of its `times`.
    """
    faults({"path": PATH, "do": {"delay": 0}, "times": 100})
    return lambda: 100 - int(sandbox.pending_faults)


def test_a_picture_in_words_costs_the_credit_that_the_server_names(
    studio: Studio, books: SandboxHarness, picture: Path
) -> None:
    described = studio.describe(picture)
    assert described.credits == books.spent() == 1
    assert described.overall_description
    assert str(described) == described.overall_description
    [row] = rows(studio)
    assert (row["event"], row["spent"], row["credits"], row["status"]) == ("describe", 1, 1, "succeeded")
    assert (row["order_id"], row["unit"], row["mode"]) == (described.order_id, "call", "sandbox")
    assert (row["key"], row["project"], row["wallet"]) == ("laptop", "Demo", "personal")
    assert pd.isna(row["task_id"])
    assert json.loads(row["params"])["image_url"]["file"] == picture.name
    assert studio.tasks().empty


def test_the_words_are_what_the_server_said_and_stay_after_a_restart(
    studio: Studio, studio_of: Callable[..., Studio], books: SandboxHarness, picture: Path
) -> None:
    described = studio.describe(picture, tags="look")
    shown = described._repr_mimebundle_()
    for name in ("subject", "composition", "style", "lighting", "palette", "mood"):
        assert getattr(described, name)
        assert f"{name.capitalize()}: {getattr(described, name)}" in shown["text/plain"]
    assert described.overall_description in shown["text/plain"]
    assert "1 credit" in shown["text/plain"]
    assert "sandbox" in shown["text/html"]
    assert "127.0.0.1" not in str(shown)
    later = studio_of()
    assert later.described(described.order_id) == later.described(described.order_id[:8]) == described
    assert later.result(described.order_id).outputs == ()
    assert rows(later)[0]["tags"] == "look"
    assert books.spent() == 1


def test_the_language_is_sent_and_kept(studio: Studio, picture: Path) -> None:
    described = studio.describe(picture, "zh")
    assert any("\u4e00" <= sign <= "\u9fff" for sign in described.overall_description)
    assert described.language == "zh"
    assert json.loads(only_order(studio).body) == {
        "imageUrl": studio.upload(picture).url,
        "language": "zh",
    }


def test_an_earlier_result_an_upload_and_a_zooop_url_serve_as_well_and_are_not_uploaded_again(
    studio: Studio, books: SandboxHarness, picture: Path
) -> None:
    made = studio.image("a red panda", model=CHEAP)
    for value in (made, made.output, made.url):
        assert studio.describe(value).credits == 1
    assert books.uploads == []
    upload = studio.upload(picture)
    assert (
        studio.describe(upload).overall_description
        == studio.describe(picture.read_bytes()).overall_description
    )
    assert len(books.uploads) == 1
    assert books.spent() == 6


def test_what_is_no_picture_is_refused_before_anything_is_paid(
    studio: Studio, books: SandboxHarness, tmp_path: Path
) -> None:
    speech = studio.speech("hello", voice="Aria")
    spent = books.spent()
    with pytest.raises(errors.BadMedia, match=r"describe takes an image; .* is audio/mpeg"):
        studio.describe(speech)
    with pytest.raises(errors.BadMedia, match="does not exist"):
        studio.describe(tmp_path / "none.png")
    assert books.spent() == spent
    assert "describe" not in {row["event"] for row in rows(studio)}


@pytest.mark.parametrize(
    ("mark", "kind", "code", "sent"),
    [
        ("policy_violation", errors.ModerationBlocked, "policy_violation", 1),
        ("upstream_rate_limited", errors.RateLimited, "upstream_rate_limited", 3),
        ("vision_unavailable", errors.ServerFailed, "vision_unavailable", 3),
    ],
)
def test_a_refusal_spends_nothing_and_is_recorded_as_refused(
    studio: Studio, books: SandboxHarness, picture: Path, mark: str, kind: type, code: str, sent: int
) -> None:
    picture.write_bytes(picture.read_bytes() + f"sandbox-vision:{mark};".encode())
    with pytest.raises(kind) as caught:
        studio.describe(picture)
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert "another model" not in str(caught.value)
    assert [charge["kind"] for charge in books.charges] == ["describe", "refund"] * sent
    assert books.spent() == 0
    assert only_order(studio).state == "refused"
    assert rows(studio) == []
    assert studio.tasks().empty
    assert len(studio.resume()) == 0


def test_an_empty_wallet_is_seen_before_the_server_is_asked(
    studio_of: Callable[..., Studio], books: SandboxHarness, picture: Path, calls: Callable[[], int]
) -> None:
    poor = studio_of("zpk_test_poor")
    poor.describe(picture)
    with pytest.raises(errors.OverBudget, match="1 credit"):
        poor.describe(picture)
    with pytest.raises(errors.OverBudget, match="daily cap"):
        studio_of("zpk_test_capped").describe(picture)
    assert calls() == books.spent() == 1


def test_the_wallet_that_was_emptied_meanwhile_is_a_refusal(
    studio: Studio, books: SandboxHarness, picture: Path, faults: Callable[..., None]
) -> None:
    faults({"path": PATH, "do": {"status": 402, "code": "insufficient_credits"}})
    with pytest.raises(errors.InsufficientCredits):
        studio.describe(picture)
    assert only_order(studio).state == "refused"
    assert books.spent() == 0


# Lost responses.


@pytest.mark.parametrize(
    "do", ["drop_after", "garbage", {"status": 502}, {"status": 500, "code": "oops"}], ids=str
)
def test_a_lost_answer_is_unknown_and_nothing_is_sent_twice(
    studio: Studio,
    studio_of: Callable[..., Studio],
    books: SandboxHarness,
    picture: Path,
    faults: Callable[..., None],
    sandbox: SandboxHarness,
    do: object,
) -> None:
    studio.upload(picture)
    faults({"path": PATH, "do": do, "times": 50})
    with pytest.raises(errors.OrderUnknown, match="not sent again") as caught:
        studio.describe(picture)
    paid = 1 if do == "drop_after" else 0
    assert books.spent() == paid

    record = only_order(studio)
    assert (record.order_id, record.state, record.credits) == (caught.value.order_id, "unknown", None)
    [row] = rows(studio)
    assert (row["event"], row["status"]) == ("describe", "unknown")
    assert pd.isna(row["spent"])
    assert pd.isna(row["credits"])
    assert row["error"] == caught.value.message
    assert studio.tasks()["model"].tolist() == ["describe"]

    for each in (studio, studio_of()):
        [result] = each.resume()
        assert (result.status, result.error) == ("unknown", caught.value.message)
        [same] = each.resume(record.order_id)
        assert same.status == "unknown"
    assert len(rows(studio)) == 1
    assert books.spent() == paid
    assert sandbox.pending_faults == 49


def test_a_description_that_a_dead_session_left_is_unknown_and_never_sent(
    studio: Studio,
    studio_of: Callable[..., Studio],
    books: SandboxHarness,
    picture: Path,
    calls: Callable[[], int],
) -> None:
    studio.describe(picture)
    record = only_order(studio)
    # The state that a killed process leaves: the intent is recorded, but no response.
    for statement in (
        "DROP TRIGGER events_are_not_deleted",
        "DELETE FROM events",
        "UPDATE orders SET state = 'intended', follower = 'dead', credits = NULL, fetched_at = NULL",
    ):
        studio.ledger._db.connection.execute(statement)
    [result] = studio_of().resume()
    assert result.status == "unknown"
    assert "never" not in (result.error or "")
    assert "not sent again" in (result.error or "")
    assert only_order(studio).order_id == record.order_id
    [row] = rows(studio)
    assert row["event"] == "describe"
    assert pd.isna(row["spent"])
    assert calls() == books.spent() == 1


def test_nothing_that_reached_nobody_is_unknown(
    studio_of: Callable[..., Studio], books: SandboxHarness, picture: Path, sandbox: Any
) -> None:
    studio = studio_of()
    url = studio.upload(picture).url
    studio.me()

    class Away:
        """The backend, with the network gone from now on."""

        def __getattr__(self, name: str) -> Any:
            return getattr(studio.backend, name)

        async def describe(self, *_: object) -> Any:
            raise errors.Unreachable("POST /v1/describe-image got no answer: connection refused.")

    away = Studio(settings=studio.settings, backend=Away())
    with pytest.raises(errors.Unreachable):
        away.describe(url)
    assert only_order(studio).state == "refused"
    assert books.spent() == 0


def test_an_answer_that_comes_after_the_waiting_stopped_is_kept(
    studio_of: Callable[..., Studio], books: SandboxHarness, picture: Path
) -> None:
    with HoldingProxy(books.url) as proxy:
        studio = studio_of(host=proxy.url)
        studio.upload(picture)
        hold = proxy.hold(f"POST {PATH}", "answer")

        def interrupt() -> None:
            hold.reached.wait(60)
            # A real signal: it wakes the waiting main thread.
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt, match="goes on and is paid"):
            studio.describe(picture)
        hold.opened.set()
        assert hold.passed.wait(60)
        while studio.ledger.unfinished():
            time.sleep(0.02)
        record = only_order(studio)
        assert studio.described(record.order_id).credits == books.spent() == 1


# Money.


def test_its_credit_counts_against_the_budgets(
    studio_of: Callable[..., Studio], books: SandboxHarness, picture: Path, faults: Callable[..., None]
) -> None:
    studio = studio_of(budget="2")
    studio.describe(picture)
    faults({"path": PATH, "do": {"status": 502}})
    with pytest.raises(errors.OrderUnknown):
        studio.describe(picture)
    # A request that may have been paid counts as well.
    with pytest.raises(errors.OverBudget):
        studio.describe(picture)
    with pytest.raises(errors.OverBudget):
        studio_of().describe(picture, budget=0)
    assert books.spent() == 1


def test_it_asks_where_every_spending_asks(
    studio_of: Callable[..., Studio], books: SandboxHarness, picture: Path, front: ScriptedFrontend
) -> None:
    studio = studio_of(confirm="always")
    with pytest.raises(errors.ConfirmationNeeded):
        studio.describe(picture)
    front.answer = False
    with pytest.raises(errors.Declined):
        studio.describe(picture)
    assert books.spent() == 0
    assert rows(studio) == []
    front.answer = True
    studio.describe(picture)
    studio.describe(picture, yes=True)
    assert len(front.questions) == 3
    assert books.spent() == 2


def test_the_order_says_which_cell_it_was_written_in(
    studio: Studio, picture: Path, front: ScriptedFrontend
) -> None:
    front.run_cell("%zooop describe a.png", "r1")
    studio.describe(picture)
    [row] = rows(studio)
    assert (row["notebook"], row["cell"]) == ("a.ipynb", "%zooop describe a.png")


def test_an_order_that_is_no_description_has_none(studio: Studio) -> None:
    made = studio.image("a red panda", model=CHEAP)
    with pytest.raises(errors.InputError, match="holds no description"):
        studio.described(made.order_id)


def test_again_is_the_last_order_and_not_the_description_after_it(
    studio: Studio, books: SandboxHarness, picture: Path
) -> None:
    studio.image("a red panda", model=CHEAP)
    studio.describe(picture)
    assert studio.again().prompt == "a red panda"
    assert books.spent() == 3
