"""Binding: from the user's input to a model's params."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zooop_nb.contract.shapes import Param
from zooop_nb.errors import Action, BadValue, InputError, MissingValue, UnknownName, ZooopError
from zooop_nb.orders.binding import BoundParams, MediaArgument, bind_params, read_value
from zooop_nb.orders.params import param_spec, param_specs, words_param

PROMPT = Param("prompt", "long_text", required=True, max_length=20)


def bound(schema: Sequence[Param], words: str, given: Mapping[str, object], **rules: Any) -> BoundParams:
    return bind_params(param_specs(schema), words, given, **rules)


def filled(*schema: Param, words: str = "", **given: object) -> BoundParams:
    return bound(schema, words, given, name="Flux")


def one(param: Param, value: object) -> Any:
    return bound([param], "", {param.id: value}, name="Flux").params[param.id]


# Which param the words are bound to.


@pytest.mark.parametrize(
    ("schema", "target"),
    [
        ([Param("text", "text", required=True), Param("prompt", "text")], "prompt"),
        ([Param("style", "text"), Param("text", "long_text", required=True)], "text"),
        ([Param("lyrics", "long_text")], "lyrics"),
        ([Param("a", "text"), Param("b", "text")], None),
        ([Param("image_url", "image_url", required=True)], None),
        ([Param("a", "text", required=True), Param("b", "text", required=True)], "a"),
    ],
)
def test_words_go_to_the_prompt_else_the_required_text_else_the_only_one(
    schema: list[Param], target: str | None
) -> None:
    found = words_param(param_specs(schema))
    assert (found and found.id) == target


def test_words_that_no_param_takes_are_an_error_and_not_lost() -> None:
    with pytest.raises(InputError, match="takes no words") as caught:
        filled(Param("image_url", "image_url"), words="a cat")
    assert "a cat" in str(caught.value)


def test_words_and_the_same_param_by_name_are_not_both_taken() -> None:
    with pytest.raises(InputError, match="given twice"):
        filled(PROMPT, words="a cat", prompt="a dog")


def test_words_are_sent_as_they_were_typed() -> None:
    text = "  it's 5\" — 熊猫? "
    assert filled(PROMPT, words=text).params == {"prompt": text}


# Param names.


def test_a_name_that_the_model_does_not_have_is_an_error_with_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        filled(PROMPT, Param("aspect_ratio", "aspect_ratio"), words="x", aspect_ration="1:1")
    assert caught.value.nearest == ("aspect_ratio",)
    assert [each.action for each in caught.value.remedies] == [
        Action.PICK_NEAREST,
        Action.SHOW_PARAMS,
        Action.QUOTE_TEXT,
    ]
    assert "prompt, aspect_ratio" in str(caught.value)


def test_dotted_ids_are_names_like_others() -> None:
    schema = [Param("aspect_ratio.ratio", "aspect_ratio", options=["1:1", "16:9"], required=True)]
    assert bound(schema, "", {"aspect_ratio.ratio": "16:9"}, name="x").params == {
        "aspect_ratio.ratio": "16:9"
    }
    with pytest.raises(UnknownName) as caught:
        bound(schema, "", {"aspect_ratio": "16:9"}, name="x")
    assert caught.value.nearest == ("aspect_ratio.ratio",)


# Choices.

WAYS = {
    "text": Param("p", "enum", options=["Low", "Medium"]),
    "pairs": Param("p", "enum", options=[{"value": "Low", "label": "l"}, {"value": "Medium", "label": "M"}]),
    "enum values": Param("p", "enum", enum_values=["Low", "Medium"]),
    "ratio": Param("p", "aspect_ratio", options=["Low", "Medium"]),
    "voice": Param(
        "p",
        "voice",
        options=[{"value": "Low", "label": "l", "previewUrl": "https://x/low.mp3"}, {"value": "Medium"}],
    ),
}


@pytest.mark.parametrize("param", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("value", ["medium", "MEDIUM", " Medium "])
def test_a_choice_is_matched_without_case_and_sent_in_the_listed_spelling(param: Param, value: str) -> None:
    assert one(param, value) == "Medium"


@pytest.mark.parametrize("param", WAYS.values(), ids=WAYS)
def test_a_choice_that_is_not_listed_is_named_with_what_there_is(param: Param) -> None:
    with pytest.raises(BadValue) as caught:
        one(param, "medum")
    assert "“medum”" in str(caught.value)
    assert "Low, Medium" in str(caught.value)
    assert "Did you mean Medium?" in str(caught.value)


def test_a_choice_may_be_named_by_its_label() -> None:
    param = Param("r", "resolution", options=[{"value": "1024", "label": "1024 × 1024"}])
    assert one(param, "1024 × 1024") == "1024"
    assert one(param, 1024) == "1024"
    assert one(param, 1024.0) == "1024"


@pytest.mark.parametrize("value", [5, 5.0, "5", "5s", "5 s", "5S"])
@pytest.mark.parametrize("listed", [[5, 10], ["5", "10"], [5.0, 10.0]])
def test_a_listed_duration_is_found_however_it_is_written(value: object, listed: list[Any]) -> None:
    sent = one(Param("duration", "duration", options=listed), value)
    assert sent == listed[0]
    assert type(sent) is type(listed[0])


def test_true_and_false_are_choices_too() -> None:
    param = Param("hd", "enum", options=["true", "false"])
    assert one(param, True) == "true"
    assert one(param, False) == "false"


# Numbers, switches and text.


@pytest.mark.parametrize("type", ["float", "duration", "integer", "number"])
@pytest.mark.parametrize(("value", "sent"), [("7", 7), (7.0, 7), ("7.5", 7.5), (" 7 ", 7), ("-0", 0)])
def test_numbers_are_sent_as_numbers(type: str, value: object, sent: float) -> None:
    found = one(Param("n", type), value)
    assert found == sent
    assert isinstance(found, int) == float(sent).is_integer()


def test_a_seed_with_many_digits_stays_exact() -> None:
    for seed in (9007199254740993, -9007199254740993, 10**30):
        assert one(Param("seed", "float"), seed) == seed
        assert one(Param("seed", "float"), str(seed)) == seed


@pytest.mark.parametrize("value", ["seven", "nan", "inf", "-Infinity", float("nan"), "1e999", True, [1], ""])
def test_what_is_no_number_is_named(value: object) -> None:
    with pytest.raises(BadValue) as caught:
        one(Param("steps", "float"), value)
    assert "steps" in str(caught.value)
    assert str(value) in str(caught.value)


LIMITS = [
    (Param("n", "float", constraints={"min": 1, "max": 4}), "1 to 4", [1, 4, 2.5], [0, 0.99, 4.01, "5"]),
    (Param("n", "float", min=1, max=4), "1 to 4", [1, 4], [0, 5]),
    (Param("n", "float", constraints={"min": 1}), "1 or more", [1, 1e9], [0.5]),
    (Param("n", "float", constraints={"max": 4}), "up to 4", [-5, 4], [4.5]),
    (Param("n", "duration", constraints={"min": 0, "max": 0}), "0 to 0", [0], [1]),
]


@pytest.mark.parametrize(("param", "span", "fine", "out"), LIMITS)
def test_a_number_out_of_range_is_named_with_the_range(
    param: Param, span: str, fine: list[float], out: list[object]
) -> None:
    for value in fine:
        assert one(param, value) == value
    for wrong in out:
        with pytest.raises(BadValue, match=f"n takes {span}, not {wrong}"):
            one(param, wrong)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (True, True),
        ("true", True),
        ("Yes", True),
        ("on", True),
        (1, True),
        ("1", True),
        (False, False),
        ("FALSE", False),
        ("no", False),
        ("off", False),
        (0, False),
    ],
)
def test_a_switch_is_on_or_off(value: object, sent: bool) -> None:
    assert one(Param("hd", "boolean"), value) is sent


@pytest.mark.parametrize("value", ["maybe", 2, "", 0.5])
def test_what_is_no_switch_is_named(value: object) -> None:
    with pytest.raises(BadValue, match=f"hd is on or off, not “{value}”"):
        one(Param("hd", "boolean"), value)


@pytest.mark.parametrize("type", ["text", "long_text"])
@pytest.mark.parametrize(
    "limits",
    [{"max_length": 5}, {"constraints": {"maxLength": 5}}, {"constraints": {"maxLength": 5, "a": 1}}],
)
def test_a_text_that_is_too_long_is_an_error_with_both_lengths(type: str, limits: dict[str, Any]) -> None:
    param = Param("slogan", type, **limits)
    assert one(param, "12345") == "12345"
    assert one(param, "熊猫熊猫熊") == "熊猫熊猫熊"
    with pytest.raises(BadValue, match="slogan has 6 characters; the model takes up to 5"):
        one(param, "123456")


def test_a_text_that_is_too_short_is_an_error() -> None:
    with pytest.raises(BadValue, match="needs 2 characters"):
        one(Param("place", "text", constraints={"minLength": 2}), "x")


def test_a_text_param_takes_what_reads_as_text() -> None:
    assert one(Param("t", "text"), 5) == "5"


def test_half_a_character_is_refused_before_it_breaks_the_body() -> None:
    with pytest.raises(BadValue, match="prompt"):
        filled(PROMPT, words="a \ud83d cat")


def test_the_models_prompt_length_holds_where_the_param_has_none() -> None:
    schema = [Param("prompt", "long_text", required=True)]
    with pytest.raises(BadValue, match="11 characters; the model takes up to 10"):
        bound(schema, "x" * 11, {}, name="x", prompt_max_length=10)
    assert bound(schema, "x" * 10, {}, name="x", prompt_max_length=10).params == {"prompt": "x" * 10}


# Missing params.


def test_a_required_param_without_a_default_is_asked_for_with_its_choices() -> None:
    voice = Param("voice", "voice", required=True, options=["rachel", "aria"])
    with pytest.raises(MissingValue) as caught:
        filled(Param("text", "text", required=True), voice, Param("image_url", "image_url", required=True))
    assert str(caught.value) == "Flux needs text (text), voice (rachel, aria), image_url (image)."


def test_a_required_param_with_a_default_gets_it_and_one_that_is_not_required_is_left_out() -> None:
    schema = [
        PROMPT,
        Param("resolution", "resolution", required=True, default="1024"),
        Param("seed", "float", default=7),
        Param("hd", "boolean", required=True, default=False),
    ]
    assert bound(schema, "x", {}, name="x").params == {
        "prompt": "x",
        "resolution": "1024",
        "hd": False,
    }


def test_none_is_as_good_as_not_given() -> None:
    assert filled(PROMPT, Param("seed", "float"), words="x", seed=None).params == {"prompt": "x"}


@pytest.mark.parametrize("words", ["", "   ", "\n\t"])
def test_a_prompt_that_is_missing_or_blank_is_asked_for(words: str) -> None:
    with pytest.raises(MissingValue, match="Flux needs a prompt"):
        filled(PROMPT, words=words)
    with pytest.raises(MissingValue, match="Flux needs a prompt"):
        bound([Param("prompt", "text")], words, {}, name="Flux", prompt_required=True)


def test_a_prompt_that_is_not_required_may_be_left_out() -> None:
    assert bound([Param("prompt", "text")], "", {}, name="x").params == {}


# Unknown types.


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("7", 7),
        ("true", True),
        ('{"a": [1]}', {"a": [1]}),
        ("plain words", "plain words"),
        ("NaN", "NaN"),
        ("1e999", "1e999"),
        ("[NaN]", "[NaN]"),
        ({"a": 1}, {"a": 1}),
        ([1, 2], [1, 2]),
    ],
)
def test_a_value_of_an_unknown_type_is_passed_through(value: object, sent: object) -> None:
    assert one(Param("x", "camera_path"), value) == sent
    assert one(Param("x", ""), value) == sent


def test_a_text_default_tells_that_text_is_meant() -> None:
    assert one(Param("code", "colour", default="00ff00"), "112233") == "112233"


@pytest.mark.parametrize("value", [{1, 2}, object(), float("nan"), b"x"])
def test_what_cannot_be_json_is_refused_where_the_type_is_unknown(value: object) -> None:
    with pytest.raises(BadValue, match="x cannot take a"):
        one(Param("x", "camera_path"), value)


# Media.

KINDS = {
    "image_url": ("image", False),
    "image_urls": ("image", True),
    "first_frame": ("image", False),
    "last_frame": ("image", False),
    "mask_url": ("image", False),
    "video_url": ("video", False),
    "audio_url": ("audio", False),
    "voice": ("audio", False),
    "model_3d_url": ("any", False),
    "model_3d_urls": ("any", True),
}


@pytest.mark.parametrize(("type", "kind", "several"), [(name, *each) for name, each in KINDS.items()])
def test_a_media_param_waits_for_its_file(type: str, kind: str, several: bool) -> None:
    param = Param("m", type, required=True)
    assert param_spec(param).media == kind
    found = bound([param], "", {"m": "a.bin"}, name="x")
    assert found == BoundParams({}, {"m": MediaArgument(kind, several, ("a.bin",))})
    assert param_spec(Param("m", "enum")).media is None


def urls(value: object) -> tuple[object, ...]:
    return bound([Param("m", "image_urls")], "", {"m": value}, name="x").media["m"].values


OURS = "https://storage.zooop.ai/cdn-cgi/image/format=png,quality=95/u/p/1.webp"


@pytest.mark.parametrize(
    ("value", "values"),
    [
        ("a.png", ("a.png",)),
        ("a.png,b.png", ("a.png", "b.png")),
        ("a.png, b.png,", ("a.png", "b.png")),
        (OURS, (OURS,)),
        (f"{OURS},{OURS}", (OURS, OURS)),
        (f"{OURS}, {OURS}", (OURS, OURS)),
        (f"a.png,b.png,{OURS}", ("a.png", "b.png", OURS)),
        (f"{OURS}, a.png", (OURS, "a.png")),
        (["a, b.png", "c.png"], ("a, b.png", "c.png")),
        (("a.png",), ("a.png",)),
        (Path("a, b.png"), (Path("a, b.png"),)),
    ],
)
def test_several_files_are_listed_with_commas_and_a_url_keeps_its_own(
    value: object, values: tuple[object, ...]
) -> None:
    assert urls(value) == values


def test_more_files_than_the_param_takes_are_refused() -> None:
    param = Param("image_urls", "image_urls", constraints={"maxCount": 2})
    assert len(bound([param], "", {"image_urls": ["a", "b"]}, name="x").media["image_urls"].values) == 2
    with pytest.raises(BadValue, match="image_urls takes up to 2, not 3"):
        bound([param], "", {"image_urls": ["a", "b", "c"]}, name="x")
    with pytest.raises(BadValue, match="takes one image, not 2"):
        bound([Param("image_url", "image_url")], "", {"image_url": ["a", "b"]}, name="x")


def test_a_voice_is_a_listed_one_or_a_sample() -> None:
    voice = Param("voice", "voice", options=["rachel", "aria"])
    assert one(voice, "Rachel") == "rachel"
    for sample in ("https://x/me.mp3", "/home/me.wav", "./me.wav", b"RIFF"):
        assert bound([voice], "", {"voice": sample}, name="x").media["voice"].values == (sample,)


# Arbitrary input.

PARAMS = st.builds(
    Param,
    st.sampled_from(["prompt", "text", "a.b", "n"]),
    st.sampled_from(
        [*KINDS, "text", "long_text", "float", "duration", "boolean", "enum", "resolution", "new"]
    ),
    required=st.booleans(),
    default=st.none() | st.integers() | st.text(max_size=3),
    options=st.none()
    | st.lists(st.text(max_size=3) | st.integers() | st.floats(allow_nan=False), max_size=3),
    constraints=st.none() | st.just({"min": 1, "max": 3, "maxLength": 4, "maxCount": 1, "new": "x"}),
)
VALUE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.lists(st.text(max_size=2))
)


@given(PARAMS, VALUE, st.text(max_size=6))
def test_whatever_is_written_becomes_json_or_an_error_of_ours(
    param: Param, value: object, words: str
) -> None:
    try:
        found = bound([param], words, {param.id: value}, name="x")
    except ZooopError as error:
        assert error.message.endswith((".", "!"))
        return
    json.dumps(dict(found.params), allow_nan=False, ensure_ascii=False).encode()


@given(PARAMS, VALUE)
def test_a_value_that_was_taken_is_taken_again_as_it_is(param: Param, value: object) -> None:
    try:
        taken = read_value(param_spec(param), value)
    except ZooopError:
        return
    assert read_value(param_spec(param), taken) == taken
