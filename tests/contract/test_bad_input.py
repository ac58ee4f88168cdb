"""Bad input: a short message names the value and the remedy, and no credits are spent."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import CHEAP
from tests.support.sandbox_harness import SandboxHarness
from zooop_nb import errors
from zooop_nb.errors import Action
from zooop_nb.settings import load
from zooop_nb.studio import Studio

LONG = "x" * 1501
INPUT: list[tuple[str, type, list[str], Callable[[Studio], object]]] = [
    (
        "an unknown verb",
        errors.UnknownName,
        ["“imgae”", "image"],
        lambda it: it.start("imgae", "a red panda"),
    ),
    (
        "an unknown model",
        errors.UnknownName,
        ["“Flix 2”", "Flux 2 Pro", 'studio.models("image")'],
        lambda it: it.image("a red panda", model="Flix 2"),
    ),
    (
        "a disabled model",
        errors.UnknownName,
        ["“Imagen 4”"],
        lambda it: it.image("a red panda", model="Imagen 4"),
    ),
    (
        "a hidden model",
        errors.UnknownName,
        ["“Old Model”"],
        lambda it: it.image("a red panda", model="Old Model"),
    ),
    (
        "an unknown version",
        errors.UnknownName,
        ["“ultra”", "Flux 2 Pro", "standard", "pro"],
        lambda it: it.image("a red panda", model="Flux 2 Pro", version="ultra"),
    ),
    (
        "an unknown param",
        errors.UnknownName,
        ["“aspect_ration”", "Did you mean aspect_ratio?", "prompt"],
        lambda it: it.image("a red panda", aspect_ration="1:1"),
    ),
    (
        "a misspelt word of ours",
        errors.UnknownName,
        ["“modle”"],
        lambda it: it.image("a red panda", modle="Flux"),
    ),
    (
        "an unknown choice",
        errors.BadValue,
        ["quality", "“ultra”", "low, medium, high"],
        lambda it: it.image("a red panda", quality="ultra"),
    ),
    (
        "a number out of range",
        errors.BadValue,
        ["steps", "1 to 20", "not 21"],
        lambda it: it.image("a red panda", model=CHEAP, steps=21),
    ),
    (
        "words for a number",
        errors.BadValue,
        ["steps", "“many”"],
        lambda it: it.image("a red panda", model=CHEAP, steps="many"),
    ),
    ("no prompt", errors.MissingValue, ["GPT Image 2.0", "a prompt"], lambda it: it.image()),
    ("a blank prompt", errors.MissingValue, ["a prompt"], lambda it: it.image(" \n ")),
    ("no text", errors.MissingValue, ["text"], lambda it: it.speech()),
    (
        "a prompt that is too long",
        errors.BadValue,
        ["prompt", "1501", "1500"],
        lambda it: it.image(LONG, model=CHEAP),
    ),
    (
        "a missing required param",
        errors.MissingValue,
        ["Qwen TTS", "voice", "Cherry"],
        lambda it: it.speech("hello", model="Qwen"),
    ),
    (
        "an unknown tool",
        errors.UnknownName,
        ["“background-remover”", "background-removal"],
        lambda it: it.tool("background-remover", image_url="a.png"),
    ),
    ("no tool at all", errors.UnknownName, ["tool"], lambda it: it.start("tool")),
    (
        "an unknown template",
        errors.UnknownName,
        ["“superhero-poster”", "superhero-movie-poster"],
        lambda it: it.template("https://zooop.ai/templates/image/superhero-poster?x=1"),
    ),
    (
        "a param that a template fixes",
        errors.UnknownName,
        ["“quality”", "hero_name"],
        lambda it: it.template("superhero-movie-poster", quality="high"),
    ),
    (
        "words for what takes none",
        errors.InputError,
        ["takes no words", "a red panda"],
        lambda it: it.tool("background-removal", "a red panda", image_url="a.png"),
    ),
    (
        "the prompt twice",
        errors.InputError,
        ["prompt", "twice"],
        lambda it: it.image("a red panda", prompt="a fox"),
    ),
    ("no picture at all", errors.InputError, ["1 or more", "0"], lambda it: it.image("x", count=0)),
    ("half a picture", errors.InputError, ["2.5"], lambda it: it.image("x", count=2.5)),  # type: ignore[call-overload]
    ("a count in words", errors.InputError, ["three"], lambda it: it.image("x", count="three")),  # type: ignore[call-overload]
    ("an order that is not there", errors.UnknownName, ["“nope”"], lambda it: it.result("nope")),
    ("an order to resume that is not there", errors.UnknownName, ["“nope”"], lambda it: it.resume("nope")),
    (
        "a server's refusal of a combination",
        errors.InvalidRequest,
        ["4k"],
        lambda it: it.image("x", resolution="4k"),
    ),
]


@pytest.mark.parametrize(
    ("kind", "said", "call"), [each[1:] for each in INPUT], ids=[each[0] for each in INPUT]
)
def test_a_mistake_is_named_with_the_way_out_and_costs_nothing(
    studio: Studio, books: SandboxHarness, kind: type, said: list[str], call: Callable[[Studio], object]
) -> None:
    with pytest.raises(kind) as caught:
        call(studio)
    text = str(caught.value)
    assert isinstance(caught.value, errors.ZooopError)
    for each in said:
        assert each in text
    assert len(text) < 400
    assert "\n" not in text
    assert "Traceback" not in text
    assert books.tasks == books.charges == books.uploads == []
    assert studio.tasks().empty


def test_no_key_says_how_to_get_one_before_anything_is_asked(tmp_path: Path) -> None:
    studio = Studio(settings=load(call={"home": tmp_path}, environ={}))
    for call in (studio.me, studio.models, lambda: studio.image("a red panda")):
        with pytest.raises(errors.MissingKey, match="ZOOOP_API_KEY") as caught:
            call()
        assert Action.TRY_SANDBOX in [each.action for each in caught.value.remedies]


@pytest.mark.parametrize("token", ["zpk_test_wrong", "zpk_test_revoked"])
def test_a_wrong_or_revoked_key_says_to_make_another(
    studio_of: Callable[..., Studio], books: SandboxHarness, token: str
) -> None:
    with pytest.raises(errors.AuthenticationFailed) as caught:
        studio_of(token).image("a red panda")
    assert [each.action for each in caught.value.remedies] == [Action.CREATE_TOKEN, Action.SET_KEY]
    assert token not in str(caught.value)
    assert books.charges == []


def test_a_server_that_is_down_is_named(studio_of: Callable[..., Studio]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(errors.Unreachable, match=host) as caught:
            studio_of(host=host).image("a red panda")
    assert f"Check ZOOOP_API_HOST ({host})" in str(caught.value)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/quote", "/v1/me"])
@pytest.mark.parametrize("do", ["garbage", {"status": 502}, {"status": 404}, {"status": 200}], ids=str)
def test_a_server_that_answers_nonsense_is_told_so(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], path: str, do: Any
) -> None:
    faults({"path": path, "do": do, "times": None})
    with pytest.raises(errors.InvalidResponse) as caught:
        studio.image("a red panda", model=CHEAP)
    assert path in str(caught.value)
    assert len(str(caught.value)) < 400
    assert books.charges == books.tasks == []


def test_a_ledger_that_cannot_be_written_stops_the_order(
    studio_of: Callable[..., Studio], books: SandboxHarness, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "broken.sqlite").write_bytes(b"this is no database" * 100)
    (tmp_path / "folder.sqlite").mkdir()
    for name in ("file/ledger.sqlite", "broken.sqlite", "folder.sqlite"):
        path = tmp_path / name
        with pytest.raises(errors.LedgerError) as caught:
            studio_of(ledger=path).image("a red panda", model=CHEAP)
        assert str(path) in str(caught.value)
    assert books.tasks == books.charges == []
