"""Which model and version are used: the rules of the guide."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zooop_nb.contract.categories import CATEGORIES, Category
from zooop_nb.contract.shapes import Brand, Model, Param, TypicalPrice, Version
from zooop_nb.errors import Action, InputError, UnknownName
from zooop_nb.orders.binding import bind_params
from zooop_nb.orders.models import match_model, match_version, select_model
from zooop_nb.orders.params import param_spec, param_specs

IMAGE = next(each for each in CATEGORIES if str(each) == "image/default")
VIDEO = next(each for each in CATEGORIES if str(each) == "video/text-ref")
MUSIC = next(each for each in CATEGORIES if str(each) == "audio/music")


def model(name: str, brand: str = "", id: str = "", *credits: float, **more: Any) -> Model:
    prices = [TypicalPrice(each, "image") for each in credits]
    versions = [Version(f"v{number}", typical_price=price) for number, price in enumerate(prices)]
    return Model(
        id or f"id-{name}", name, brand=Brand(id=brand.lower(), name=brand), versions=versions, **more
    )


MODELS = [
    model("Kling O3", "Kuaishou"),
    model("Kling V3", "Kuaishou"),
    model("Kling V3 Turbo", "Kuaishou"),
    model("Veo 3.1", "Google"),
    model("GPT Image 2.0", "OpenAI"),
    model("Flux 2 Pro", "Black Forest Labs"),
]


@pytest.mark.parametrize(
    ("hint", "name"),
    [
        ("kling v3", "Kling V3"),
        ("KLING-V3", "Kling V3"),
        ("klingv3turbo", "Kling V3 Turbo"),
        ("kling", "Kling O3"),
        ("v3", "Kling V3"),
        ("veo3.1", "Veo 3.1"),
        ("gpt image 2", "GPT Image 2.0"),
        ("google", "Veo 3.1"),
        ("black forest", "Flux 2 Pro"),
        ("id-Veo 3.1", "Veo 3.1"),
        ("kuaishou", "Kling O3"),
    ],
)
def test_a_hint_matches_name_or_brand_whatever_its_case_spaces_and_punctuation(hint: str, name: str) -> None:
    assert match_model(MODELS, hint, verb="video").name == name


def test_a_name_wins_over_a_brand_and_a_whole_name_over_a_part() -> None:
    models = [model("Other", "Veo"), model("Veo 3.1 Fast", "Google"), model("Veo", "Google")]
    assert match_model(models, "veo", verb="video").name == "Veo"
    assert match_model(models[:2], "veo", verb="video").name == "Veo 3.1 Fast"


@pytest.mark.parametrize("hint", ["Klnig", "!!", "", "nothing like it"])
def test_a_hint_that_names_nothing_is_an_error_that_tells_what_there_is(hint: str) -> None:
    with pytest.raises(UnknownName) as caught:
        match_model(MODELS, hint, verb="video")
    assert f"“{hint}”" in str(caught.value)
    assert Action.LIST_MODELS in [each.action for each in caught.value.remedies]
    assert (hint != "Klnig") or "Kling O3" in caught.value.nearest


@given(st.text(max_size=8))
def test_any_hint_either_names_a_listed_model_or_is_an_unknown_name(hint: str) -> None:
    try:
        assert match_model(MODELS, hint, verb="video") in MODELS
    except UnknownName as error:
        assert error.value == hint


def test_a_version_is_named_by_its_id_or_name_and_is_the_first_without_a_hint() -> None:
    kling = Model("k", "Kling", versions=[Version("standard", "Standard"), Version("pro", "Pro 4K")])
    assert match_version(kling, None).id == "standard"
    assert match_version(kling, "PRO").id == "pro"
    assert match_version(kling, "pro-4k").id == "pro"
    with pytest.raises(UnknownName) as caught:
        match_version(kling, "ultra")
    assert caught.value.nearest == ("standard", "pro")
    with pytest.raises(InputError, match="no version"):
        match_version(Model("k", "Kling"), None)


GPT = Model(
    "gpt",
    "GPT Image 2.0",
    params=[
        Param("prompt", "long_text", required=True),
        Param("quality", "enum", options=["Low", "Medium", "High"]),
        Param("resolution", "resolution", options=[{"value": "1K", "label": "1k"}, {"value": "2K"}]),
        Param("aspect_ratio", "aspect_ratio", enum_values=["1:1", "16:9"]),
    ],
    versions=[Version("standard")],
)


def test_the_guides_picture_is_low_2k_and_square_in_the_listed_spelling() -> None:
    found, params = select_model(IMAGE, [model("Other"), GPT])
    assert found is GPT
    filled = bind_params(param_specs(GPT.params), "a cat", {}, name=GPT.name, defaults=params)
    assert filled.params == {"prompt": "a cat", "quality": "Low", "resolution": "2K", "aspect_ratio": "1:1"}


@pytest.mark.parametrize(
    "words", ["highest quality", "最高质量", "4k", "ultra-realistic", "cinematic", "电影级", "quality high"]
)
def test_quality_words_in_the_prompt_change_nothing(words: str) -> None:
    found, params = select_model(IMAGE, [GPT])
    filled = bind_params(param_specs(found.params), f"a cat, {words}", {}, name=found.name, defaults=params)
    assert filled.params == {
        "prompt": f"a cat, {words}",
        "quality": "Low",
        "resolution": "2K",
        "aspect_ratio": "1:1",
    }


def test_a_param_that_is_given_wins_over_the_guides() -> None:
    _, params = select_model(IMAGE, [GPT])
    filled = bind_params(param_specs(GPT.params), "x", {"quality": "HIGH"}, name="GPT", defaults=params)
    assert filled.params["quality"] == "High"


def test_a_param_or_choice_that_the_model_no_longer_has_is_not_sent() -> None:
    changed = Model(
        "gpt", "GPT Image 2.0", params=[Param("prompt", "text"), Param("quality", "enum", options=["fast"])]
    )
    assert select_model(IMAGE, [changed])[1] == {}


def named(*names: str) -> list[Model]:
    return [model(name) for name in names]


@pytest.mark.parametrize(
    ("names", "best", "cheap", "chosen"),
    [
        (["Veo 3.1", "Kling V3", "Kling O3"], False, False, "Kling O3"),
        (["Veo 3.1", "Kling V3", "Happy Horse"], False, False, "Kling V3"),
        (["Veo 3.1", "Grok Imagine", "Happy Horse"], False, False, "Happy Horse"),
        (["Veo 3.1", "Grok Imagine"], False, False, "Grok Imagine"),
        (["Veo 3.1", "Wan 2.6"], False, False, "Veo 3.1"),
        (["Veo 3.1", "Seedance 2 Fast", "Kling O3"], True, False, "Seedance 2 Fast"),
        (["Kling O3", "Grok Imagine"], False, True, "Grok Imagine"),
        (["Veo 3.1", "kling o3 (new)"], False, False, "kling o3 (new)"),
    ],
)
def test_a_clip_takes_the_first_of_the_guides_models_that_there_is(
    names: list[str], best: bool, cheap: bool, chosen: str
) -> None:
    found, params = select_model(VIDEO, named(*names), best=best, cheap=cheap)
    assert (found.name, params) == (chosen, {})


def test_every_other_category_takes_the_first_model() -> None:
    for category in CATEGORIES:
        if category not in (IMAGE, VIDEO):
            assert select_model(category, MODELS) == (MODELS[0], {})
    assert select_model(IMAGE, MODELS[:2]) == (MODELS[0], {})


def test_cheap_is_the_model_with_the_lowest_ballpark() -> None:
    models = [model("a", "", "", 5, 9), model("b", "", "", 7, 2.5), model("c", "")]
    assert select_model(MUSIC, models, cheap=True)[0].name == "b"


def test_a_category_without_models_says_so() -> None:
    with pytest.raises(InputError, match="video/text-ref"):
        select_model(VIDEO, [])
    with pytest.raises(InputError, match="a/b"):
        select_model(Category("a", "b", "x"), [])


@pytest.mark.parametrize(
    ("options", "enum_values", "choices"),
    [
        (["a", "b"], None, [("a", "a"), ("b", "b")]),
        ([{"value": "a", "label": "A", "previewUrl": "https://x"}], None, [("a", "A")]),
        ([{"id": "a"}], None, [("a", "a")]),
        ([5, 10], None, [(5, "5"), (10, "10")]),
        (None, ["a"], [("a", "a")]),
        ([], ["a"], [("a", "a")]),
        (None, None, []),
    ],
)
def test_choices_are_read_from_all_the_ways_in_which_options_are_given(
    options: Any, enum_values: Any, choices: list[tuple[Any, str]]
) -> None:
    spec = param_spec(Param("x", "enum", options=options, enum_values=enum_values))
    assert [(choice.value, choice.label) for choice in spec.choices] == choices
