"""From a prompt to a result: what is quoted, charged and shown again."""

import asyncio
import gc
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.contract.conftest import CHEAP, MAIN, TEAM, cheap, prepare
from tests.support.memory_backend import CHEAP as MEMORY
from tests.support.memory_backend import MemoryBackend
from tests.support.sandbox_harness import SandboxHarness
from tests.support.waiting import until
from zooop_nb import Gallery, errors
from zooop_nb.ledger.dataframe import COLUMNS
from zooop_nb.settings import Settings
from zooop_nb.studio import Studio
from zooop_nb.verbs import GENERATION_VERBS, VERBS


def rows(studio: Studio, **only: object) -> list[dict[str, Any]]:
    """The ledger's rows, oldest first."""
    found: list[Any] = studio.ledger.frame().astype(object).to_dict("records")
    return [row for row in found if all(row[name] == value for name, value in only.items())]


def test_a_picture_costs_what_was_quoted_in_result_books_and_ledger(
    studio: Studio, books: SandboxHarness
) -> None:
    quote = studio.quote("image", "a red panda", resolution="1k")
    assert books.books()["charges"] == []
    result = studio.image("a red panda", resolution="1k")
    assert result.status == "succeeded"
    [charge], [task] = books.charges, books.tasks
    [row] = rows(studio, event="charge")
    assert (
        quote.credits
        == result.quote
        == result.credits
        == charge["credits"]
        == row["spent"]
        == row["credits"]
        == 3
    )
    assert quote.credits == task["debited"] == task["creditsCharged"]
    assert charge["taskId"] == task["taskId"] == result.task_id == row["task_id"]
    assert (row["pricing_key"], row["base"], row["min_price_applied"]) == ("low-1k", 3.0, False)
    assert (row["units"], row["outputs"], row["prompt"]) == (1.0, 1, "a red panda")
    assert (row["mode"], row["key"], row["project"], row["wallet"]) == (
        "sandbox",
        "laptop",
        "Demo",
        "personal",
    )


def test_the_guides_default_is_what_is_sent(studio: Studio, books: SandboxHarness) -> None:
    quoted = studio.quote("image", "highest quality, 4k, cinematic 电影级 poster of a red panda")
    assert (quoted.model, quoted.version, quoted.credits) == ("GPT Image 2.0", "standard", 4)
    assert {name: quoted.params[name] for name in ("quality", "resolution", "aspect_ratio")} == {
        "quality": "low",
        "resolution": "2k",
        "aspect_ratio": "1:1",
    }
    shown = quoted._repr_mimebundle_()["text/plain"]
    assert shown == "→ GPT Image 2.0 · low-2k · 4 credits · ETA unknown"
    result = studio.image("a red panda, best quality", resolution="1K")
    [task] = books.tasks
    assert task["params"] == {
        "prompt": "a red panda, best quality",
        "quality": "low",
        "resolution": "1k",
        "aspect_ratio": "1:1",
    }
    assert result.params == task["params"]


def test_the_picture_lies_on_this_machine_as_its_facts_say(studio: Studio) -> None:
    result = studio.image("a red panda", model=CHEAP, aspect_ratio="16:9")
    output = result.output
    assert output.path is not None
    with Image.open(output.path) as picture:
        assert picture.size == (output.width, output.height)
        assert picture.format == "JPEG"
    assert output.path.suffix == ".jpg"
    assert output.url.endswith(".webp")
    assert output.content_type == "image/jpeg"
    assert output.path.stat().st_size == output.size
    assert result.seconds is not None
    assert result.category == "image/default"
    assert output.path.is_relative_to(studio.settings.media_path)


def test_speech_says_the_words_which_go_to_text(studio: Studio, books: SandboxHarness) -> None:
    text = "It's a panda, isn't it?"
    result = studio.speech(text, voice="Aria")
    [task], [row] = books.tasks, rows(studio, event="charge")
    assert task["params"]["text"] == text
    assert task["params"]["voice"] == "aria"
    assert result.credits == books.spent() == row["spent"]
    assert row["unit"] == "1k_chars"
    assert row["units"] == len(text) / 1000
    assert result.output.content_type == "audio/mpeg"
    assert result.output.duration is not None
    assert result.output.duration > 0.5


def test_a_tool_takes_a_dotted_param_and_names_itself(
    studio: Studio, books: SandboxHarness, picture: Path
) -> None:
    result = studio.tool(
        "style-transfer",
        image_url=picture,
        target_style="CUBISM",
        params={"aspect_ratio.ratio": "1:1"},
    )
    [task], [row] = books.tasks, rows(studio, event="charge")
    assert task["recipe"] == "style-transfer"
    assert task["params"]["aspect_ratio.ratio"] == "1:1"
    assert task["params"]["target_style"] == "cubism"
    assert result.quote == result.credits == books.spent() == row["spent"] == 6
    assert (row["tool"], row["model"]) == ("style-transfer", "Nano Banana 2")
    assert result.params["image_url"]["file"] == picture.name


def test_a_template_is_run_by_its_pages_address(studio: Studio, books: SandboxHarness) -> None:
    page = "https://zooop.ai/templates/image/superhero-movie-poster?utm=x"
    quoted = studio.quote("template", slug=page, hero_name="PANDA")
    assert quoted.credits == 5
    assert quoted.params["aspect_ratio"] == "2:3"
    result = studio.template(page, hero_name="PANDA")
    assert books.tasks[0]["recipe"] == "superhero-movie-poster"
    assert result.credits == books.spent() == 5
    assert rows(studio, event="charge")[0]["template"] == "superhero-movie-poster"


def test_a_team_token_spends_the_teams_wallet(
    studio_of: Callable[..., Studio], books: SandboxHarness
) -> None:
    studio = studio_of(TEAM)
    studio.image("a red panda", model=CHEAP)
    assert {each["id"]: each["balance"] for each in books.books()["wallets"]}["t1"] == 4999
    assert rows(studio, event="charge")[0]["wallet"] == "team"


def test_variants_are_as_many_paid_tasks_under_as_many_keys(studio: Studio, books: SandboxHarness) -> None:
    gallery = studio.image("a red panda", model=CHEAP, count=3)
    assert isinstance(gallery, Gallery)
    assert len(gallery) == 3
    assert gallery.credits == books.spent() == 3
    assert len({each["idempotencyKey"] for each in books.tasks}) == 3
    assert len({each.output.sha256 for each in gallery}) == 3
    assert len({row["batch"] for row in rows(studio)}) == 1
    assert len({row["order_id"] for row in rows(studio, event="charge")}) == 3


def test_a_batch_makes_each_prompt_in_its_order(studio: Studio, books: SandboxHarness) -> None:
    prompts = ["a panda", "a fox", "a panda"]
    gallery = studio.batch("image", prompts, model=CHEAP, yes=True, tags="zoo")
    assert [each.prompt for each in gallery] == prompts
    assert gallery.credits == books.spent() == 3
    frame = gallery.frame()
    assert frame["prompt"].tolist() == prompts
    assert frame["credits"].tolist() == [1, 1, 1]
    assert "aspect_ratio" not in frame
    assert all(Path(each).is_file() for each in frame["path"])
    assert {row["tags"] for row in rows(studio)} == {"zoo"}


def test_one_prompt_is_not_taken_for_a_list_of_letters(studio: Studio, books: SandboxHarness) -> None:
    with pytest.raises(errors.InputError, match="list of prompts"):
        studio.batch("image", "a red panda", yes=True)
    with pytest.raises(errors.InputError, match="no prompts"):
        studio.batch("image", [], yes=True)
    assert books.tasks == []


def test_again_is_the_last_order_with_changes(studio: Studio, books: SandboxHarness) -> None:
    first = studio.image("a red panda", model=CHEAP, aspect_ratio="4:3", tags=["t"])
    second = studio.again(aspect_ratio="1:1")
    third = studio.again(prompt="a fox")
    assert [each["params"] for each in books.tasks] == [
        {"prompt": "a red panda", "aspect_ratio": "4:3"},
        {"prompt": "a red panda", "aspect_ratio": "1:1"},
        {"prompt": "a fox", "aspect_ratio": "1:1"},
    ]
    assert [first.prompt, second.prompt, third.prompt] == ["a red panda", "a red panda", "a fox"]
    assert [row["prompt"] for row in rows(studio, event="charge")] == ["a red panda", "a red panda", "a fox"]
    assert second.tags == ("t",)
    assert books.spent() == 3


def test_again_with_nothing_changed_has_the_same_fingerprint_and_is_paid_again(
    studio: Studio, books: SandboxHarness, picture: Path
) -> None:
    reference = studio.image("a red panda", model=CHEAP)
    studio.image("in winter", model="seedream", image_urls=[reference, picture])
    studio.again()
    entries = [studio.ledger.get(row["order_id"]) for row in rows(studio, event="charge")]
    assert entries[1].fingerprint == entries[2].fingerprint
    assert entries[1].body == entries[2].body
    assert entries[1].key != entries[2].key
    assert books.spent() == 9


def test_again_without_an_earlier_order_says_so(studio: Studio) -> None:
    with pytest.raises(errors.InputError, match="no earlier order"):
        studio.again()


def test_a_result_is_found_again_after_a_restart(studio: Studio, studio_of: Callable[..., Studio]) -> None:
    made = studio.image("a red panda", model=CHEAP)
    assert made.task_id is not None
    later = studio_of()
    for name in (made.order_id, made.task_id, made.order_id[:8], made.task_id[:6].upper()):
        assert later.result(name) == made
    for name in ("", "%", "____", "nothing-like-it", made.order_id[:2]):
        with pytest.raises(errors.UnknownName):
            later.result(name)


def test_a_model_that_fails_costs_nothing_and_the_ledger_sums_to_nothing(
    studio: Studio, books: SandboxHarness
) -> None:
    with pytest.raises(errors.TaskFailed) as caught:
        studio.image("a red panda", model="Ideogram")
    failure = caught.value
    assert failure.result.status == "failed"  # type: ignore[attr-defined]
    assert failure.result.credits == 0  # type: ignore[attr-defined]
    assert failure.task_id == books.tasks[0]["taskId"]
    assert "0 credits were charged" in str(failure)
    assert "try again" not in str(failure)
    events = rows(studio)
    assert sum(row["spent"] for row in events) == books.spent() == 0
    assert [row["event"] for row in events][:2] == ["quote", "submit"]
    assert all(
        (row["event"], row["spent"] > 0) in {("charge", True), ("refund", False)} for row in events[2:]
    )
    assert {row["status"] for row in events} == {"failed"}
    assert events[-1]["error"]
    assert studio.tasks().empty


def test_what_failed_stands_in_the_gallery_beside_what_did_not(studio: Studio, books: SandboxHarness) -> None:
    asks = [cheap(), cheap("a fox")]
    bad = prepare(studio, [*asks, _failing()], yes=True)
    gallery = studio.checkout.place(bad).accepted().result()
    assert [each.status for each in gallery] == ["succeeded", "succeeded", "failed"]
    assert len(gallery.failed) == 1
    assert gallery.credits == books.spent() == 2


def _failing() -> Any:
    from zooop_nb.orders.request import OrderRequest

    return OrderRequest("image", "a red panda", model="Ideogram")


def test_where_all_failed_the_first_error_is_raised(studio: Studio) -> None:
    with pytest.raises(errors.TaskFailed):
        studio.image("a red panda", model="Ideogram", count=2)


def test_a_task_that_cannot_be_asked_about_is_resumed_by_its_id(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], sandbox: SandboxHarness
) -> None:
    faults({"path": "/v1/tasks/*", "do": {"status": 401, "code": "invalid_token"}})
    task = studio.start("image", "a red panda", model="Ideogram")
    with pytest.raises(errors.PaidTaskError, match="cannot be asked about") as caught:
        task.result()
    assert f'studio.resume("{task.order_id}")' in str(caught.value)
    gallery = studio.resume(task.order_id)
    assert gallery[0].status == "failed"


def test_a_task_starts_in_the_background_and_tells_how_far_it_is(
    studio: Studio, books: SandboxHarness
) -> None:
    task = studio.start("image", "a red panda", model=CHEAP).accepted()
    assert task.task_id == books.tasks[0]["taskId"]
    assert task.quote == 1
    ended: list[bool] = []
    task.when_done(lambda: ended.append(True))
    result = task.result(timeout=60)
    assert task.done()
    assert ended == [True]
    assert task.result() == result
    assert task.progress is not None
    assert task.progress.state == "fetching"
    assert task.order_id in repr(task)


def test_a_wait_that_runs_out_of_time_does_not_stop_the_task(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None]
) -> None:
    faults({"path": "/v1/tasks/*", "do": {"delay": 0.3}})
    task = studio.start("image", "a red panda", model=CHEAP)
    with pytest.raises(TimeoutError):
        task.result(timeout=0.01)
    assert task.result(timeout=60).status == "succeeded"


def test_a_task_is_awaited_in_an_event_loop_of_ones_own(studio: Studio, books: SandboxHarness) -> None:
    async def main() -> Any:
        one = studio.start("image", "a red panda", model=CHEAP)
        several = studio.start_all("image", "a fox", model=CHEAP, count=2)
        return await asyncio.gather(one, several)

    result, gallery = asyncio.run(main())
    assert result.status == "succeeded"
    assert [each.prompt for each in gallery] == ["a fox", "a fox"]
    assert books.spent() == 3

    async def fails() -> None:
        await studio.start("image", "a red panda", model="Ideogram")

    with pytest.raises(errors.TaskFailed):
        asyncio.run(fails())


def test_a_cancelled_await_leaves_the_order_to_be_resumed(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None]
) -> None:
    faults({"path": "/v1/tasks/*", "do": {"delay": 0.5}})
    task = studio.start("image", "a red panda", model=CHEAP)
    until(lambda: studio.ledger.get(task.order_id).state != "queued")

    async def impatient() -> None:
        await asyncio.wait_for(task, 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    with pytest.raises(errors.PaidTaskError, match="not followed any more"):
        task.result()
    task.stop_waiting()
    assert studio.resume()[0].status == "succeeded"
    assert books.spent() == 1


def test_every_verb_is_a_method_and_an_unknown_one_is_named(studio: Studio) -> None:
    for verb in GENERATION_VERBS:
        assert VERBS[verb].summary in (getattr(Studio, verb).__doc__ or "")
        assert callable(getattr(studio, verb))
    with pytest.raises(errors.UnknownName) as caught:
        studio.quote("imaeg", "a red panda")
    assert caught.value.nearest[0] == "image"


def test_the_frame_has_its_columns_and_dtypes_and_says_nothing_it_was_not_told(studio: Studio) -> None:
    assert tuple(studio.ledger.frame().columns) == COLUMNS
    studio.image("a red panda", model=CHEAP, tags=["a", "b"])
    frame = studio.ledger.frame()
    assert tuple(frame.columns) == COLUMNS
    assert "object" not in {str(dtype) for dtype in frame.dtypes}
    assert frame["at"].is_monotonic_increasing
    assert str(frame["at"].dtype.tz) == "UTC"  # type: ignore[union-attr]
    assert [
        str(frame[name].dtype) for name in ("spent", "outputs", "min_price_applied", "prompt", "model")
    ] == [
        "Int64",
        "Int64",
        "boolean",
        "string",
        "category",
    ]
    charge = frame[frame["event"] == "charge"].iloc[0]
    assert charge[["notebook", "cell", "tool", "template", "eta_s", "error"]].isna().all()
    assert charge["tags"] == "a, b"
    assert json.loads(charge["params"]) == {"prompt": "a red panda"}


# The token is not written anywhere.


def test_after_an_order_the_token_stands_in_no_file_and_in_no_text(
    studio: Studio, picture: Path, tmp_path: Path, faults: Callable[..., None]
) -> None:
    result = studio.image("a red panda", model="seedream", image_urls=picture)
    studio.models("image")
    studio.tools()
    faults({"path": "/v1/quote", "do": {"status": 401, "code": "invalid_token"}})
    with pytest.raises(errors.AuthenticationFailed) as caught:
        studio.image("a red panda")
    texts = [
        repr(each) for each in (studio, studio.settings, studio.backend, studio.ledger, result, caught.value)
    ]
    texts += [str(caught.value), repr(vars(caught.value)), str(result._repr_mimebundle_())]
    texts += [studio.ledger.frame().to_csv(), studio.me().__repr__()]
    for text in texts:
        assert MAIN not in text
    studio.close()
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert len(files) > 4
    assert {"ledger.sqlite"} <= {each.name for each in files}
    for each in files:
        assert MAIN.encode() not in each.read_bytes(), each
    with pytest.raises(TypeError):
        pickle.dumps(studio.settings)


def test_a_closed_studio_lets_its_tasks_go_so_that_another_can_pick_them_up(
    studio_of: Callable[..., Studio], books: SandboxHarness, faults: Callable[..., None]
) -> None:
    faults({"path": "/v1/tasks/*", "do": {"delay": 0.5}})
    first = studio_of()
    task = first.start("image", "a red panda", model=CHEAP)
    until(lambda: first.ledger.get(task.order_id).state != "queued")
    assert not task.done()
    first.close()
    later = studio_of()
    assert later.tasks()["followed"].tolist() == [False]
    assert later.resume()[0].status == "succeeded"
    assert books.spent() == 1


def test_studios_that_are_let_go_of_leave_no_file_open(settings_of: Callable[..., Settings]) -> None:
    def order() -> None:
        Studio(settings=settings_of(), backend=MemoryBackend()).image("a red panda", model=MEMORY)

    def open_files() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    order()
    before = open_files()
    for _ in range(8):
        order()
    # The loop's thread lets go of its last task a moment later.
    until(lambda: open_files() <= before + 2, "the end of the studios")
