"""TAB completion on a `%zooop` line: every candidate is read back by the magic as what it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.orders import an_order
from zooop_nb.contract.categories import Category
from zooop_nb.contract.shapes import Brand, Model, Param, Recipe, Version
from zooop_nb.ledger import OrderRecord
from zooop_nb.notebook.completion.candidates import Completion
from zooop_nb.notebook.completion.matcher import Place, locate
from zooop_nb.notebook.completion.rules import complete
from zooop_nb.notebook.grammar import parse
from zooop_nb.orders.models import match_model
from zooop_nb.verbs import ORDER_VERBS, VERBS

PROMPT = Param("prompt", "long_text", required=True)
RATIO = Param("aspect_ratio", "aspect_ratio", default="1:1", enum_values=["1:1", "16:9", "9:16"])


def model(name: str, *params: Param, brand: str = "", versions: Sequence[str] = ("standard",)) -> Model:
    return Model(
        id=f"id of {name}",
        name=name,
        brand=Brand(brand.lower(), brand),
        params=list(params),
        versions=[Version(version, version.title()) for version in versions],
    )


IMAGES = (
    model("Nano Banana", PROMPT, RATIO, brand="Google"),
    model(
        "GPT Image 2.0",
        PROMPT,
        Param(
            "quality", "enum", options=[{"value": "low", "label": "Low"}, {"value": "high", "label": "Best"}]
        ),
        RATIO,
        Param("image_urls", "image_urls"),
        Param("seed", "float", default=7),
        Param("count", "float"),
        Param("transparent", "boolean", default=False),
        Param("not a name", "text"),
        brand="OpenAI",
        versions=("standard", "hd 2"),
    ),
    model("Flux 2 Pro", PROMPT, Param("style", "enum", options=["oil paint", "it's", 'a "b" c'])),
    model('The "Best" 12" Model', PROMPT),
    model("Braces {x}", PROMPT),
)
SPEECH = (
    model(
        "Speaker",
        Param("text", "long_text", required=True),
        Param(
            "voice",
            "voice",
            options=[{"value": "v-81", "label": "Rachel"}, {"value": "v-82", "label": "Liam"}],
        ),
    ),
)
TOOLS = (
    Recipe("background-removal", "Background Removal", params=[Param("image_url", "image_url")]),
    Recipe(
        "style-transfer",
        "Style Transfer",
        params=[Param("aspect_ratio.ratio", "aspect_ratio", options=["1:1"])],
    ),
)
TEMPLATES = (Recipe("hero-shot", "Hero", params=[Param("hero_name", "text", default="Max")]),)


def record(order_id: str, **values: Any) -> OrderRecord:
    return an_order(order_id=order_id, **values)


@dataclass
class World:
    """Everything that completion knows, as a plain value."""

    models_by: Mapping[str, Sequence[Model]] = field(
        default_factory=lambda: {"image/default": IMAGES, "audio/text-to-speech": SPEECH}
    )
    sent: OrderRecord | None = None
    open: Sequence[OrderRecord] = ()

    def models(self, category: Category) -> Sequence[Model]:
        return self.models_by.get(str(category), ())

    def tools(self) -> Sequence[Recipe]:
        return TOOLS

    def templates(self) -> Sequence[Recipe]:
        return TEMPLATES

    def last(self) -> OrderRecord | None:
        return self.sent

    def unfinished(self) -> Sequence[OrderRecord]:
        return self.open

    def paths(self, begun: str) -> Sequence[str]:
        """List the files of an imaginary folder."""
        folder = {"": ["a.png", "my pics/"], "my pics/": ["my pics/b c.png"], "./": ["./voice.wav"]}
        return [each for each in folder.get(begun[: begun.rfind("/") + 1], []) if each.startswith(begun)]


def at(
    line: str, *, cell: bool = False, known: World | None = None, **namespace: object
) -> tuple[Completion, int]:
    """Return the completion at the `|` in the line, and the cursor position."""
    cursor = line.index("|")
    return complete(line.replace("|", "", 1), cursor, cell, known or World(), namespace), cursor


def texts(line: str, *, cell: bool = False, known: World | None = None, **namespace: object) -> list[str]:
    return [each.text for each in at(line, cell=cell, known=known, **namespace)[0].candidates]


def lines(line: str, **namespace: Any) -> list[str]:
    """Return the line up to the cursor as each candidate would complete it."""
    completion, _ = at(line, **namespace)
    return [line[: completion.start] + each.text for each in completion.candidates]


# Verbs.


def test_all_verbs_are_offered_where_none_is_typed() -> None:
    assert texts("|") == list(VERBS)


@pytest.mark.parametrize(
    ("line", "found"), [("im|", ["image"]), ("t|", ["tool", "template", "tools", "templates", "tasks"])]
)
def test_verbs_are_offered_by_their_beginning(line: str, found: list[str]) -> None:
    assert texts(line) == found


def test_quote_offers_the_verbs_that_have_a_price() -> None:
    offered = texts("quote |")
    assert {"image", "speech", "tool", "template", "again"} <= set(offered)
    assert not {"models", "quote", "config", "help"} & set(offered)
    assert lines("quote im|") == ["quote image"]


def test_below_a_quote_everything_is_offered_as_without_it() -> None:
    assert lines("quote image -m fl|") == ['quote image -m "Flux 2 Pro"']


def test_the_cell_form_offers_only_verbs_that_take_text() -> None:
    offered = texts("|", cell=True)
    assert "image" in offered
    assert "quote" in offered
    assert not {"models", "config", "again"} & set(offered)


def test_a_verb_that_does_not_exist_has_nothing_behind_it() -> None:
    assert texts("imagine |") == []


@pytest.mark.parametrize("verb", ["models", "help"])
def test_models_and_help_take_a_verb(verb: str) -> None:
    assert texts(f"{verb} im|") == ["image"]
    assert texts(f"{verb} image |") == []


# Options.


def test_a_dash_offers_the_options_of_the_verb_short_and_long() -> None:
    offered = texts("image a red panda -|")
    assert {"-m", "-V", "-n", "-h", "--model", "--yes", "--help"} <= set(offered)
    assert {each[2:] for each in offered if each.startswith("--")} == {*VERBS["image"].options, "help"}


def test_a_tool_offers_no_model_option() -> None:
    offered = texts("tool background-removal --|")
    assert "--yes" in offered
    assert "--model" not in offered


def test_an_option_that_is_given_is_offered_again_only_where_it_may_repeat() -> None:
    offered = texts("image --yes --tag a -m flux a --|")
    assert "--tag" in offered
    assert not {"--yes", "--model"} & set(offered)


def test_the_option_under_the_cursor_does_not_count_as_given() -> None:
    assert texts("image --mod|el flux") == ["--model"]


def test_nothing_is_an_option_behind_the_two_dashes_that_end_them() -> None:
    assert texts("image -- --m|") == []
    assert texts("image -- qua|") == []


# Models and versions.


def test_every_model_that_can_be_written_is_offered_for_m() -> None:
    assert texts("image -m |") == [
        '"Nano Banana"',
        '"GPT Image 2.0"',
        '"Flux 2 Pro"',
        '\'The "Best" 12" Model\'',
    ]


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("image -m fl|", ['image -m "Flux 2 Pro"']),
        ("image -m flux2|", ['image -m "Flux 2 Pro"']),
        ("image -m pro|", ['image -m "Flux 2 Pro"']),
        ("image -m google|", ['image -m "Nano Banana"']),
        ('image -m "gpt im|', ['image -m "GPT Image 2.0"']),
        ("image -m 'Fl|", ["image -m 'Flux 2 Pro'"]),
        ("image --model=fl|", ['image --model="Flux 2 Pro"']),
        ("image -m=fl|", ['image -m="Flux 2 Pro"']),
        ("speech -m sp|", ["speech -m Speaker"]),
        ("speech -msp|", ["speech -mSpeaker"]),
        ("image -m nothing|", []),
    ],
)
def test_a_model_is_offered_as_m_would_match_it_and_quoted_where_it_must_be(
    line: str, becomes: list[str]
) -> None:
    assert lines(line) == becomes


def test_a_name_that_cannot_be_written_where_the_cursor_stands_is_not_offered() -> None:
    assert texts("image -mfl|") == []


def test_every_offered_model_is_read_back_as_that_model() -> None:
    read = [parse(line, None, VERBS).options.model or "" for line in lines("image -m |")]
    assert [match_model(IMAGES, name, verb="image").name for name in read] == read
    assert read == [each.name for each in IMAGES if each.name != "Braces {x}"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("image -V |", ["standard", '"hd 2"']),
        ("image -V h|", ['"hd 2"']),
        ("image a panda -m flux -V |", ["standard"]),
        ("image -V | -m flux", ["standard"]),
        ("image -m nothing -V |", []),
        ("tool background-removal -V |", []),
    ],
)
def test_versions_are_those_of_the_model_named_anywhere_on_the_line_or_else_of_the_default(
    line: str, found: list[str]
) -> None:
    assert texts(line) == found


# Params and values.


def test_params_are_those_of_the_default_model() -> None:
    assert texts("image |") == [
        "prompt=", "quality=", "aspect_ratio=", "image_urls=", "seed=", "count=", "transparent="
    ]  # fmt: skip


def test_params_are_those_of_the_model_that_is_named() -> None:
    assert texts("image -m nano |") == ["prompt=", "aspect_ratio="]
    assert texts("image | -m nano") == ["prompt=", "aspect_ratio="]


def test_the_words_are_not_offered_by_name_where_they_are_said() -> None:
    assert "prompt=" not in texts("image a red panda |")
    assert "prompt=" not in texts("image |", cell=True)
    assert "prompt=" in texts("image pr|")


def test_a_param_that_is_set_is_not_offered_again() -> None:
    assert texts("image quality=low qu|") == []


@pytest.mark.parametrize("line", ["image a red pa|", 'image "a qua|', "image 'a qua|lity'", "image a; |"])
def test_words_of_a_prompt_complete_to_nothing(line: str) -> None:
    assert texts(line) == []


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        (
            "image aspect_ratio=|",
            ["image aspect_ratio=1:1", "image aspect_ratio=16:9", "image aspect_ratio=9:16"],
        ),
        ("image aspect_ratio=1|", ["image aspect_ratio=1:1", "image aspect_ratio=16:9"]),
        ('image aspect_ratio="9|', ['image aspect_ratio="9:16"']),
        ("image quality=|", ["image quality=low", "image quality=high"]),
        ("image quality=best|", ["image quality=high"]),
        ("image transparent=|", ["image transparent=true", "image transparent=false"]),
        ("image seed=|", ["image seed=7"]),
        ("image count=|", []),
        ("image prompt=|", []),
        ("image nothing=|", []),
        ("image -m flux style=oi|", ['image -m flux style="oil paint"']),
        ("image -m flux style=it|", ["image -m flux style=it's"]),
        ("image -m flux style=a|", ["image -m flux style='a \"b\" c'"]),
        ("speech voice=rach|", ["speech voice=v-81"]),
        ("quote image aspect_ratio=16|", ["quote image aspect_ratio=16:9"]),
    ],
)
def test_values_are_the_choices_of_the_param_as_they_must_be_written(line: str, becomes: list[str]) -> None:
    assert lines(line) == becomes


def test_a_choice_says_what_it_is_called() -> None:
    assert [each.label for each in at("speech voice=|")[0].candidates] == ["Rachel", "Liam"]


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("image image_urls=|", ["image image_urls=a.png", 'image image_urls="my pics/']),
        ("image image_urls=a|", ["image image_urls=a.png"]),
        ("image image_urls=a.png,a|", ["image image_urls=a.png,a.png"]),
        ("image image_urls='my|", ["image image_urls='my pics/"]),
        ('image image_urls="my pics/|', ['image image_urls="my pics/b c.png"']),
        ("speech voice=./v|", ["speech voice=./voice.wav"]),
    ],
)
def test_a_param_that_takes_media_offers_paths(line: str, becomes: list[str]) -> None:
    assert lines(line) == becomes


def test_listed_voices_come_without_the_folder() -> None:
    assert texts("speech voice=|") == ["v-81", "v-82"]


def test_tools_and_templates_are_offered_by_slug_and_then_their_params() -> None:
    assert texts("tool |") == ["background-removal", "style-transfer"]
    assert texts("tool st|") == ["style-transfer"]
    assert texts("tool style-transfer |") == ["aspect_ratio.ratio="]
    assert texts("tool style-transfer aspect_ratio.|") == ["aspect_ratio.ratio="]
    assert texts("tool style-transfer aspect_ratio.ratio=|") == ["1:1"]
    assert texts("template |") == ["hero-shot"]
    assert texts("template hero-shot hero_name=|") == ["Max"]


def test_a_template_is_known_by_its_page_too() -> None:
    assert texts("template https://zooop.ai/templates/image/hero-shot?a=1 |") == ["hero_name="]


# The other verbs.


def test_config_offers_settings() -> None:
    assert texts("config bud|") == ["budget="]
    assert texts("config confirm=never bud|") == ["budget="]


def test_orders_are_offered_where_one_is_asked_for() -> None:
    known = World(sent=record("c3"), open=[record("a1"), record("b2")])
    assert texts("show |", known=known) == ["c3", "b2", "a1"]
    assert texts("resume |", known=known) == ["b2", "a1"]
    assert texts("resume a|", known=known) == ["a1"]
    assert texts("resume a1 |", known=known) == []


def test_again_offers_the_params_and_versions_of_the_last_order() -> None:
    image = World(sent=record("a", type="image", subtype="default", model_id="id of GPT Image 2.0"))
    assert texts("again qu|", known=image) == ["quality="]
    assert texts("again -V h|", known=image) == ['"hd 2"']
    assert texts("again |", known=World(sent=record("a", target="tool", tool="style-transfer"))) == [
        "aspect_ratio.ratio="
    ]
    assert texts("again |") == []


# Expressions.


@pytest.mark.parametrize(
    "line",
    [
        "image a {he|",
        "image image_urls={he|",
        'image "a {he|',
        "image -m {he|",
        "image a { he|",
        "image {{{he|",
    ],
)
def test_a_brace_offers_the_users_variables(line: str) -> None:
    completion, cursor = at(line, hero=1, heroine=2, other=3, _hero=4)
    assert [each.text for each in completion.candidates] == ["hero", "heroine"]
    assert completion.start == cursor - 2


def test_a_doubled_brace_is_text() -> None:
    assert texts("image a {{he|", hero=1) == []


@pytest.mark.parametrize("line", ["image a {hero.cr|", "image a {hero[|"])
def test_attributes_and_indexes_are_left_to_ipython(line: str) -> None:
    assert at(line, hero=1)[0].python


# Arbitrary lines.


LINE = st.lists(
    st.sampled_from(
        [*"{}\"'=;-?. ", " -m ", "--model=", " -V ", "flux", "quote ", "again ", "image ", "tool ", "speech ",
         "style-transfer ",
         "aspect_ratio", "voice=", "style=", " -- ", "é🐼", "\u3000", "hero", "--best "]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(st.one_of(LINE, st.text(max_size=30)), st.data(), st.booleans())
def test_any_line_is_completed_without_an_error_and_up_to_the_cursor(
    line: str, data: st.DataObject, cell: bool
) -> None:
    cursor = data.draw(st.integers(0, len(line)))
    known = World(sent=record("a1", type="image", subtype="default", model_id="id of Flux 2 Pro"))
    completion = complete(line, cursor, cell, known, {"hero": 1})
    assert 0 <= completion.start <= cursor


@pytest.mark.parametrize("verb", [*VERBS, *(f"quote {verb}" for verb in ORDER_VERBS)])
@pytest.mark.parametrize(
    "rest", [" |", " -m |", " -V |", " -n |", " a |", " a=|", " --tag=|", ";|", "; |", " {|"]
)
def test_where_nothing_is_known_no_verb_stumbles(verb: str, rest: str) -> None:
    completion, cursor = at(verb + rest, known=World(models_by={}))
    assert completion.start <= cursor


# The position of the magic line in a cell.


@pytest.mark.parametrize(
    ("cell", "rest", "form"),
    [
        ("%zooop im|", "im", "line"),
        ("    %zooop im|", "im", "line"),
        ("r = %zooop im|", "im", "line"),
        ("r=%zooop im|", "im", "line"),
        ("r: object = %zooop im|", "im", "line"),
        ("a, b = %zooop im|", "im", "line"),
        ("d['%#='] = %zooop im|", "im", "line"),
        ("with x: r = %zooop im|", "im", "line"),
        ("%time %zooop im|", "im", "line"),
        ("%timeit -n1 -r1 r = %zooop im|", "im", "line"),
        ("x = 1\nfor y in z:\n    %zooop im|\nprint(x)", "im", "line"),
        ("%%time\n%zooop im|", "im", "line"),
        ("zooop im|", "im", "line"),
        ("%%zooop im|\na body", "im", "cell"),
        ("\n%%zooop im|", "im", "cell"),
        ("%%zooop image\na bo|dy", "a body", "body"),
        ("%%zooop image\n%zooop im|", "%zooop im", "body"),
    ],
)
def test_a_line_of_ours_is_found_under_the_cursor(cell: str, rest: str, form: str) -> None:
    row, column = (
        cell[: cell.index("|")].count("\n"),
        cell.index("|") - (cell[: cell.index("|")].rfind("\n") + 1),
    )
    place = locate(cell.replace("|", ""), row, column, automagic=True)
    assert isinstance(place, Place)
    assert (place.text, place.form) == (rest, form)
    assert cell.split("\n")[row].replace("|", "")[place.offset :] == rest


@pytest.mark.parametrize(
    "cell",
    [
        "|%zooop image", "%zoo|op image", "%zooop|", "%zoooper im|", "x = '%zooop im|'", "# r = %zooop im|",
        "print(im|)", "x = 1\nzooop im|", "zooop = im|", "%%zooops im|", "%zooop image\nim|",
    ],
)  # fmt: skip
def test_any_other_line_is_left_alone(cell: str) -> None:
    before = cell[: cell.index("|")]
    row, column = before.count("\n"), len(before) - (before.rfind("\n") + 1)
    assert locate(cell.replace("|", ""), row, column, automagic=True) is None


def test_without_automagic_a_line_without_a_percent_sign_is_python() -> None:
    assert locate("zooop im", 0, 8, automagic=False) is None
