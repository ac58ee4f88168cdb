"""`{expressions}` are filled once, keep their type if they stand alone, and a typo is never paid for."""

from __future__ import annotations

from collections import ChainMap
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zooop_nb.errors import UnknownVariable
from zooop_nb.notebook.variables import expand_text, expand_value


class Broken:
    @property
    def url(self) -> str:
        raise RuntimeError("it is not finished")


HERO = SimpleNamespace(url="https://storage.zooop.ai/a.png", outputs=[SimpleNamespace(width=64)], _secret=1)
NAMESPACE: dict[str, object] = {
    "hero": HERO,
    "animal": "red panda",
    "n": 3,
    "rows": [{"first name": "Ann", "x": {"y": "deep"}}, {"2024a": "old"}],
    "first-class": 1,
    "tricky": "{animal} and {{animal}} and {nothing}",
    "broken": Broken(),
    "标题": "竹",
    "_": "the last",
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("a {animal} at night", "a red panda at night"),
        ("a { animal } at night", "a red panda at night"),
        ("{animal}{n}{animal}", "red panda3red panda"),
        ("{hero.url}", "https://storage.zooop.ai/a.png"),
        ("{hero.outputs[0].width} wide", "64 wide"),
        ("{rows[0]['first name']} and {rows[0][\"first name\"]}", "Ann and Ann"),
        ("{rows[0][x][y]}", "deep"),
        ("{rows[-1][2024a]}", "old"),
        ("{标题}", "竹"),
        ("{_}, again", "the last, again"),
        ("'{animal}' and \"{animal}\"", "'red panda' and \"red panda\""),
        ("costing $5 or $n", "costing $5 or $n"),
    ],
)
def test_an_expression_is_filled(text: str, filled: str) -> None:
    assert expand_text(text, NAMESPACE) == filled


@pytest.mark.parametrize(
    "text",
    [
        '{"style": "noir", "light": {"kind": "soft", "n": [1, {}]}}',
        '{"a":{"b":{"c":1}}}',
        ".a { color: red; } .b{color:blue}",
        "{}",
        "{1,2}",
        "{1}",
        "{n:.2f} and {n!r}",
        "{n + 1} and {len(animal)}",
        "{two words}",
        "a { on its own and a } too",
        "{n.} {n[]} {n[1:2]} {n",
    ],
)
def test_a_brace_that_holds_anything_else_stays_as_typed(text: str) -> None:
    assert expand_text(text, NAMESPACE) == text
    assert expand_value(text, NAMESPACE) == text


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{animal}}", "{animal}"),
        ("{{nothing}} at all", "{nothing} at all"),
        ("{{{animal}}}", "{red panda}"),
        ("{{", "{"),
        ("{{animal", "{animal"),
        ("{{}}", "{}"),
        ('{{"a": {"b": 1}}}', '{"a": {"b": 1}}'),
        ('{{"a": {{"b": 1}}}}', '{"a": {"b": 1}}'),
        ('{"who": "{animal}", "of": {"n": {n}}}', '{"who": "red panda", "of": {"n": 3}}'),
    ],
)
def test_two_braces_are_one_that_is_text(text: str, filled: str) -> None:
    assert expand_text(text, NAMESPACE) == filled


def test_an_expression_that_is_the_whole_value_keeps_its_type() -> None:
    assert expand_value("{hero}", NAMESPACE) is HERO
    assert expand_value("{ hero }", NAMESPACE) is HERO
    assert expand_value("{n}", NAMESPACE) == 3
    assert expand_value("{rows[0]}", NAMESPACE) is NAMESPACE["rows"][0]  # type: ignore[index]
    assert expand_value("{n}{n}", NAMESPACE) == "33"
    assert expand_value("{n} ", NAMESPACE) == "3 "
    assert expand_value("{{n}}", NAMESPACE) == "{n}"


def test_what_was_filled_in_is_not_filled_again() -> None:
    assert expand_text("{tricky}!", NAMESPACE) == "{animal} and {{animal}} and {nothing}!"
    assert expand_value("{tricky}", NAMESPACE) == NAMESPACE["tricky"]


def test_a_rows_columns_may_lie_over_the_namespace() -> None:
    assert expand_text("{animal} of {n}", ChainMap({"animal": "cat"}, NAMESPACE)) == "cat of 3"


def test_columns_of_a_frames_row_are_filled() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"first name": ["Ann"], "age": [7]})
    assert expand_text('{row["first name"]}, {row.age}', {"row": frame.iloc[0]}) == "Ann, 7"
    assert expand_value("{frame[age]}", {"frame": frame}).tolist() == [7]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "value", "near"),
    [
        ("a {heroo}", "heroo", ("hero",)),
        ("a {heroo.url}", "heroo", ("hero",)),
        ("a {zzzzqqq}", "zzzzqqq", ()),
        ("a {None}", "None", ()),
        ("a {print}", "print", ()),
        ('{"a": "{heroo}"}', "heroo", ("hero",)),
        ("a {hero.outputz}", "outputz", ("outputs",)),
        ("a {broken.url}", "url", ("url",)),
        ("a {rows[7]}", "7", ()),
        ("a {rows[name]}", "name", ()),
        ("a {rows[0][first]}", "first", ("first name",)),
        ("a {n[0]}", "0", ()),
        ("a {hero.__class__}", "__class__", ()),
        ("a {__name__}", "__name__", ()),
    ],
)
def test_what_cannot_be_filled_is_an_error_that_names_it(
    text: str, value: str, near: tuple[str, ...]
) -> None:
    for expand in (expand_text, expand_value):
        with pytest.raises(UnknownVariable) as caught:
            expand(text, NAMESPACE)
        assert caught.value.value == value
        assert value in caught.value.message
        assert caught.value.nearest[: len(near)] == near


def test_an_error_tells_the_reason_that_python_gave() -> None:
    with pytest.raises(UnknownVariable, match="it is not finished") as caught:
        expand_text("{broken.url}", NAMESPACE)
    assert isinstance(caught.value.__cause__, RuntimeError)


PROSE = st.text(
    alphabet=st.one_of(st.sampled_from("{}{}an.[]\"' "), st.characters(exclude_categories=["Cs"]))
)


@given(PROSE)
def test_text_with_every_brace_doubled_comes_back(text: str) -> None:
    assert expand_text(text.replace("{", "{{").replace("}", "}}"), {}) == text


@given(PROSE.filter(lambda text: not any(brace in text for brace in "{}")))
def test_text_without_braces_is_untouched(text: str) -> None:
    assert expand_text(text, NAMESPACE) == text


@given(PROSE, PROSE.filter(lambda text: not any(brace in text for brace in "{}")))
def test_any_text_that_is_filled_in_stays_as_it_is(inner: str, around: str) -> None:
    assert expand_text(f"{around}{{x}}{around}", {"x": inner}) == around + inner + around
    assert expand_value("{x}", {"x": inner}) is inner


@given(PROSE)
def test_whatever_is_typed_is_filled_or_refused(text: str) -> None:
    try:
        filled = expand_text(text, NAMESPACE)
    except UnknownVariable:
        return
    assert isinstance(filled, str)
