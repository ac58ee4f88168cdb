"""A model's param schema as one shape, however odd the schema is."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zooop_nb.contract.shapes import ModelList, Param
from zooop_nb.errors import BadValue, InputError
from zooop_nb.orders.binding import bind_params, read_value
from zooop_nb.orders.params import Choice, ParamSpec, param_lines, param_spec, param_specs, words_param

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [name for name in Param.__struct_fields__ if name != "id"]


def spec(**fields: Any) -> ParamSpec:
    return param_spec(Param("p", **fields))


@pytest.mark.parametrize(
    ("type_", "kind", "media", "several"),
    [
        ("long_text", "text", None, False),
        ("duration", "number", None, False),
        ("boolean", "boolean", None, False),
        ("first_frame", "media", "image", False),
        ("image_urls", "media", "image", True),
        ("voice", "media", "audio", False),
        ("hologram_urls", "media", "any", True),
        ("resolution", "other", None, False),
    ],
)
def test_a_type_has_its_kind(type_: str, kind: str, media: str | None, several: bool) -> None:
    found = spec(type=type_)
    assert (found.kind, found.media, found.several, found.type) == (kind, media, several, type_)


def test_a_param_says_what_it_takes_and_what_it_is_called() -> None:
    found = spec(
        type="duration",
        display_name="Length",
        description="How long the clip is.",
        constraints={"min": 3, "max": 15},
        default=5,
        required=True,
    )
    assert (found.label, found.help, found.unit) == ("Length", "How long the clip is.", "s")
    assert (found.minimum, found.maximum, found.default, found.required) == (3, 15, 5, True)
    assert param_spec(Param("aspect_ratio.ratio")).label == "Aspect ratio ratio"
    assert spec(type="float", constraints={"unit": "px"}).unit == "px"


@pytest.mark.parametrize(
    ("options", "choices"),
    [
        (["1:1", "16:9"], [("1:1", "1:1", "1:1"), ("16:9", "16:9", "16:9")]),
        ([{"value": "low", "label": "Low"}], [("low", "Low", "low")]),
        ([5, 10.0, 2.5], [(5, "5", "5"), (10.0, "10", "10"), (2.5, "2.5", "2.5")]),
        ([True, False], [(True, "true", "true"), (False, "false", "false")]),
        ({"low": "Low", "high": "Best"}, [("low", "Low", "low"), ("high", "Best", "high")]),
        ([{"value": "a", "label": 7}], [("a", "7", "a")]),
        (["a", None, {}, [], {"value": None}, float("nan")], [("a", "a", "a")]),
        (True, []),
        (5, []),
        ("low", []),
        (None, []),
    ],
)
def test_choices_are_read_from_whatever_the_schema_gives(options: Any, choices: list[Any]) -> None:
    found = spec(type="enum", options=options)
    assert [(each.value, each.label, each.text) for each in found.choices] == choices


def test_a_voice_keeps_its_sample() -> None:
    voice = {"value": "v1", "label": "Rachel", "previewUrl": "https://x/1.mp3"}
    assert spec(type="voice", options=[voice]).choices == (Choice("v1", "Rachel", "https://x/1.mp3"),)


@pytest.mark.parametrize(
    "wrong",
    [
        {"constraints": "none"},
        {"constraints": {"min": "3", "max": True}},
        {"constraints": {"min": float("nan"), "max": float("inf")}},
        {"constraints": {"min": 15, "max": 3}},
        {"min": "3", "max": [15]},
    ],
)
def test_a_limit_that_makes_no_sense_is_no_limit(wrong: dict[str, Any]) -> None:
    found = spec(type="float", **wrong)
    assert (found.minimum, found.maximum) == (None, None)
    assert read_value(found, "7") == 7


def test_a_limit_beyond_every_float_is_a_limit_and_breaks_nothing() -> None:
    beyond = "1" + "0" * 400
    entry = f'{{"id": "p", "type": "integer", "max": {beyond}, "options": [], "maxLength": {beyond}}}'
    models = f'{{"models": [{{"id": "m", "name": "M", "params": [{entry}]}}]}}'
    [found] = param_specs(msgspec.json.decode(models, type=ModelList).models[0].params)
    assert (found.maximum, found.max_length) == (10**400, 10**400)
    assert bind_params([found], "", {"p": 7}, name="M").params == {"p": 7}
    assert param_lines([found])[0].startswith("p  up to 1000")


def test_a_limit_that_makes_no_sense_does_not_hide_the_one_beside_it() -> None:
    wrong = {"min": "3", "max": None, "maxLength": "50"}
    found = spec(type="float", min=0, max=9, max_length=50, constraints=wrong)
    assert (found.minimum, found.maximum, found.max_length) == (0, 9, 50)


def test_lengths_that_are_reversed_are_no_limits() -> None:
    found = spec(type="text", constraints={"minLength": 9, "maxLength": 3})
    assert (found.min_length, found.max_length) == (None, None)
    assert read_value(found, "abcde") == "abcde"


@pytest.mark.parametrize("options", [["true", "false"], [0, 1], {"no": "Off", "yes": "On"}])
def test_a_boolean_that_lists_other_values_takes_yes_and_no_and_sends_a_listed_one(options: Any) -> None:
    found = spec(type="boolean", options=options)
    values = [each.value for each in found.choices]
    off, on = sorted(values, key=lambda value: str(value) in {"true", "1", "yes"})
    given = ("yes", "ON", True, "true", "no", "off", False, "0")
    assert [read_value(found, each) for each in given] == [on] * 4 + [off] * 4
    with pytest.raises(BadValue, match="It takes"):
        read_value(found, "maybe")


def test_a_boolean_that_lists_options_still_takes_yes_and_no() -> None:
    found = spec(type="boolean", options=[True, False])
    assert [read_value(found, each) for each in ("yes", "off", True, "1")] == [True, False, True, True]
    with pytest.raises(BadValue, match="on or off"):
        read_value(found, "maybe")


def test_a_boolean_that_lists_words_gets_one_of_them() -> None:
    found = spec(type="boolean", options=["false", "true"])
    assert [read_value(found, each) for each in (False, "TRUE")] == ["false", "true"]


def test_an_entry_without_an_id_is_left_out_and_the_first_of_two_counts() -> None:
    schema = [Param(), Param(7), Param(""), Param("a", "text"), Param("b", "text"), Param("a", "float")]
    found = param_specs(schema)
    assert [(each.id, each.type) for each in found] == [("a", "text"), ("b", "text")]


def test_one_odd_entry_does_not_hide_all_models() -> None:
    odd = {"type": 7, "required": "yes", "maxLength": "2000", "displayName": 3, "options": 5}
    models = [{"id": "m", "name": "M", "params": [odd, {"id": "prompt", "type": "long_text", **odd}]}]
    decoded = msgspec.json.decode(json.dumps({"models": models}).encode(), type=ModelList)
    [prompt] = param_specs(decoded.models[0].params)
    assert (prompt.required, prompt.max_length, prompt.label) == (False, None, "3")


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_schema_gives_a_param_that_can_be_bound_completed_and_listed(fields: dict[str, Any]) -> None:
    found = spec(**fields)
    assert isinstance(found.label, str)
    assert all(each.label for each in found.choices if each.value not in ("", " "))
    assert len(param_lines([found])) == 1
    assert words_param([found]) in (None, found)
    for value in ("yes", "7", 7, True):
        try:
            bind_params([found], "", {"p": value}, name="M")
        except InputError:
            continue


def test_a_help_line_says_what_a_param_takes() -> None:
    schema = [
        Param("prompt", "long_text", required=True, max_length=2000),
        Param("duration", "duration", constraints={"min": 3, "max": 15}, default=5),
        Param("aspect_ratio", "aspect_ratio", options=["1:1", "16:9"], default="1:1"),
        Param("image_urls", "image_urls", constraints={"maxCount": 4}),
        Param("hd", "boolean", default=False),
        Param("style", "enum", options=[f"s{number}" for number in range(12)]),
    ]
    assert param_lines(param_specs(schema)) == [
        "prompt        text, required, up to 2000 characters",
        "duration      3 to 15 s (default 5)",
        "aspect_ratio  1:1, 16:9 (default 1:1)",
        "image_urls    an image, or several, up to 4",
        "hd            true, false (default false)",
        "style         s0, s1, s2, s3, s4, s5, s6, s7, …",
    ]


def test_a_help_line_is_one_line_whatever_the_schema_holds() -> None:
    schema = [Param("a", "text", default="one\n two"), Param("b", "enum", options=["three\r\nfour"])]
    assert param_lines(param_specs(schema)) == ["a  text (default one two)", "b  three four"]
