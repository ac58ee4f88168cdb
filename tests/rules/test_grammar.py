"""A `%zooop` line is parsed as people type it, and an ambiguous one is an error before anything is paid."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from zooop_nb.errors import InputError, UnknownName
from zooop_nb.notebook.grammar import Command, Options, Value, parse
from zooop_nb.notebook.tokens import EXPRESSION, OPTIONS, tokens
from zooop_nb.notebook.variables import expand_value
from zooop_nb.verbs import Verb

ORDER = frozenset(OPTIONS) - {"language"}
VERBS = {
    spec.name: spec
    for spec in (
        Verb("image", "", takes="words", options=ORDER),
        Verb("video", "", takes="words", options=ORDER),
        Verb("tool", "", takes="words", options=ORDER, leading=1),
        Verb("quote", "", takes="verb"),
        Verb("show", "", takes="arguments"),
        Verb("upload", "", takes="arguments"),
        Verb("config", "", takes="arguments"),
        Verb("describe", "", takes="arguments", options=frozenset({"language", "yes"})),
        Verb("help", "", takes="arguments"),
    )
}


def read(line: str, cell: str | None = None) -> Command:
    return parse(line, cell, VERBS)


def refused(line: str, cell: str | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        read(line, cell)
    return caught.value


@pytest.mark.parametrize(
    "prompt",
    [
        "a panda's dream",
        "the pandas' dream, at night",
        'a 5" disc and a 3" one',
        "'tis the season",
        'she said "no" and left',
        '"no", she said',
        "who is this panda?",
        "really???",
        "costing $5 # not a comment",
        "two  spaces   kept",
        "one; two; three",
        "a :) and a :( and ;)",
        "- a dash, -5 degrees, -.5, --- and — and black-and-white",
        "1+1=2, x²=4 and https://example.com/?a=b",
        "a happy panda =)",
        '{"style": "noir", "n": [1, 2]} and .a {color:red}',
        "back\\slash and \\'quotes\\'",
        "熊猫在竹林里吗\uff1f",
        "{animal} in {place[0].name}",
        '{row["first name"]} at work',
    ],
)
def test_a_prompt_comes_out_as_it_was_typed(prompt: str) -> None:
    command = read(f"image  {prompt} ")
    assert command == Command("image", words=prompt)


def test_params_and_options_are_taken_out_of_the_words_wherever_they_stand() -> None:
    command = read("image -m flux a red  duration=5 --best   panda  seed=7 --tag x  asleep --yes")
    assert command.words == "a red  panda  asleep"
    assert command.params == {"duration": Value("5"), "seed": Value("7")}
    assert list(command.params) == ["duration", "seed"]
    assert command.options == Options(model="flux", best=True, tags=["x"], yes=True)


def test_a_params_name_may_have_dots() -> None:
    assert read("image a aspect_ratio.ratio=16:9").params == {"aspect_ratio.ratio": Value("16:9")}


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("style=noir", Value("noir")),
        ('style="film noir"', Value("film noir", quoted=True)),
        ("style='film \"noir\" style'", Value('film "noir" style', quoted=True)),
        ("style='a panda's dream'", Value("a panda's dream", quoted=True)),
        ('style=""', Value("", quoted=True)),
        ('style=5"', Value('5"')),
        ('style="5"', Value("5", quoted=True)),
        ("style=a=b", Value("a=b")),
        ('style="C:\\new folder"', Value("C:\\new folder", quoted=True)),
        ('style={row["film noir"].name}', Value('{row["film noir"].name}')),
        ("style={ hero }", Value("{ hero }")),
        ("style=-x", Value("-x")),
    ],
)
def test_a_params_value_is_text_that_remembers_its_quotes(typed: str, value: Value) -> None:
    command = read(f"image a {typed} panda")
    assert command.params == {"style": value}
    assert command.words == "a panda"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ('"a = b"', "a = b"),
        ("'a=b --best'", "a=b --best"),
        ('"  kept  "', "  kept  "),
        ('"seed=1" seed=2', "seed=1"),
        ("'\"hello\"'", '"hello"'),
        ('""', ""),
        ('"a;"', "a;"),
        ('a sign "x=1 --best" on it', 'a sign "x=1 --best" on it'),
        ('"one" "two"', '"one" "two"'),
        ("-- 'a=b'", "a=b"),
    ],
)
def test_a_prompt_that_is_one_quoted_group_loses_its_quotes_and_others_keep_them(
    typed: str, words: str
) -> None:
    assert read(f"image {typed}").words == words


def test_two_dashes_end_params_and_options() -> None:
    command = read("image --best a panda -- --ar 16:9 x=1 -z -- y")
    assert command.words == "a panda --ar 16:9 x=1 -z -- y"
    assert command.params == {}
    assert command.options == Options(best=True)


@pytest.mark.parametrize("typed", ["-n3", "-n 3", "-n=3", "--count=3", "--count 3", '--count "3"', '-n="3"'])
def test_a_count_can_be_written_in_every_usual_way(typed: str) -> None:
    command = read(f"image a {typed} panda")
    assert command.options.count == 3
    assert command.words == "a panda"


def test_every_option_arrives_under_its_name() -> None:
    command = read(
        'image -m "Flux 2 Pro" -V v2 -n 2 --cheap --ask --budget 7.5 --background --fresh '
        "--tag one --tag='two three' --each rows --sweep seed=1,2 --sweep style='film noir,ink' a panda"
    )
    assert command.options == Options(
        model="Flux 2 Pro",
        version="v2",
        count=2,
        cheap=True,
        ask=True,
        budget=7.5,
        background=True,
        fresh=True,
        tags=["one", "two three"],
        each="rows",
        sweep={"seed": ["1", "2"], "style": ["film noir", "ink"]},
    )
    assert command.words == "a panda"
    assert read("describe a.png --language zh").options == Options(language="zh")
    assert read("image a --help").options == Options(help=True)


@pytest.mark.parametrize("typed", ['--sweep=style="a b,c"', '--sweep "style=a b,c"', '--sweep style="a b,c"'])
def test_a_sweep_takes_values_with_spaces(typed: str) -> None:
    assert read(f"image {typed} panda").options.sweep == {"style": ["a b", "c"]}


def test_options_are_filled_from_the_namespace_after_the_line_was_cut() -> None:
    namespace = {
        "model": "Flux 2 Pro --yes",
        "n": 3,
        "limit": 2.5,
        "styles": ["film noir", "a,b"],
        "seeds": range(2),
    }
    command = parse(
        "image -m {model} -n {n} --budget {limit} --tag {model} "
        "--sweep style=ink,{styles} --sweep seed={seeds} a {n}",
        None,
        VERBS,
        lambda text: expand_value(text, namespace),
    )
    assert command.options == Options(
        model="Flux 2 Pro --yes",
        count=3,
        budget=2.5,
        tags=["Flux 2 Pro --yes"],
        sweep={"style": ["ink", "film noir", "a,b"], "seed": [0, 1]},
    )
    assert command.words == "a {n}"


def test_arrays_and_series_are_swept_entry_by_entry() -> None:
    pandas = pytest.importorskip("pandas")
    namespace = {"seeds": pandas.Series([4, 5])}
    command = parse("image --sweep seed={seeds} a", None, VERBS, lambda text: expand_value(text, namespace))
    assert command.options.sweep == {"seed": [4, 5]}


@pytest.mark.parametrize(
    ("line", "words"),
    [("image a panda;", "a panda"), ("image a; b ; ", "a; b"), ("image 'a';", "a"), ("image -- a;", "a")],
)
def test_a_semicolon_at_the_end_silences_and_is_no_part_of_the_prompt(line: str, words: str) -> None:
    command = read(line)
    assert command.words == words
    assert command.silent


def test_a_semicolon_at_the_end_is_no_part_of_a_value_or_a_verb() -> None:
    assert read("image a seed=5;").params == {"seed": Value("5")}
    assert read('image a style="x y";').params == {"style": Value("x y", quoted=True)}
    assert read("help;") == Command("help", silent=True)
    assert not read("image 'a;'").silent


def test_arguments_are_tokens_without_their_quotes() -> None:
    assert read("show 3f0c-11").arguments == ["3f0c-11"]
    assert read('upload "my picture.png" b.png "a=b.png"').arguments == ["my picture.png", "b.png", "a=b.png"]
    assert read("config nested_loops=on") == Command("config", params={"nested_loops": Value("on")})
    assert read("upload -- -odd.png").arguments == ["-odd.png"]


def test_a_tools_slug_stands_before_its_words() -> None:
    command = read("tool image_url={hero} background-removal  a  panda --yes")
    assert command.arguments == ["background-removal"]
    assert command.words == "a  panda"
    assert command.params == {"image_url": Value("{hero}")}
    assert read("tool upscale 'a=b'").words == "a=b"
    assert read("tool https://zooop.ai/tools/x?a=b image_url=c").arguments == ["https://zooop.ai/tools/x?a=b"]


def test_quote_holds_the_line_of_the_verb_that_it_prices() -> None:
    command = read("quote tool upscale a panda factor=2 -n 3;")
    inner = Command("tool", ["upscale"], "a panda", {"factor": Value("2")}, Options(count=3), silent=True)
    assert command == Command("quote", options=inner.options, silent=True, inner=inner)
    assert read("quote image", "a panda\n").inner == Command("image", words="a panda")


def test_the_body_of_a_cell_is_the_prompt_but_for_the_blank_lines_around_it() -> None:
    body = '\n  \n  "A song" of x=1\n\n  --best; {name}?;  \n\n \n'
    command = read("image -n 2 seed=5;", body)
    assert command.words == '  "A song" of x=1\n\n  --best; {name}?;  '
    assert command.params == {"seed": Value("5")}
    assert command.options.count == 2
    assert command.silent
    assert not read("image", "a;\n").silent
    assert read("tool upscale", "soft\n") == Command("tool", ["upscale"], "soft")


def test_a_blank_body_counts_as_none() -> None:
    assert read("image a panda", " \n\n").words == "a panda"


def test_words_beside_a_body_are_an_error_that_names_them() -> None:
    error = refused("image a panda seed=5", "a cat\n")
    assert error.value == "a panda"
    assert "body" in error.message


@pytest.mark.parametrize("line", ["", "  ", ";", "?", "??", "--help", "-h"])
def test_a_line_that_says_nothing_asks_for_help(line: str) -> None:
    command = read(line)
    assert command.verb == "help"
    assert command.options.help


@pytest.mark.parametrize(
    "line", ["image?", "image??", "image? ", "image ?", "image ??", "image --help", "image -h a"]
)
def test_a_verb_with_a_question_mark_asks_for_its_help(line: str) -> None:
    command = read(line)
    assert command.verb == "image"
    assert command.options.help
    quoted = read(f"quote {line}")
    assert quoted.inner == command
    assert quoted.options.help


@pytest.mark.parametrize("line", ["quote?", "quote ?", "quote --help"])
def test_quote_has_help_of_its_own(line: str) -> None:
    assert read(line) == Command("quote", options=Options(help=True))


@pytest.mark.parametrize(
    ("line", "value", "near"),
    [
        ("imgae a panda", "imgae", "image"),
        ("quote imgae a panda", "imgae", "image"),
        ("image a --modle flux", "--modle", "--model"),
        ("image a --Best", "--Best", "--best"),
        ("image --swep a=b", "--swep", "--sweep"),
        ("--count 3 image a panda", "--count", None),
        ("image a -x", "-x", None),
        ("image -hello a", "-hello", None),
        ("image --bogus=5 a", "--bogus", None),
        ("show 1 --count 3", "--count", None),
        ("image a --language zh", "--language", None),
        ("quote", "quote", None),
        ("quote;", "quote", None),
        ("quote quote image a", "quote", None),
        ("image a seed=1 seed=2", "seed", None),
        ("image a seed= 5", "seed", None),
        ("image a seed=", "seed", None),
        ("image a panda seed = 5", "seed =", None),
        ("image a panda seed =5", "seed =5", None),
        ('image a panda style ="x"', 'style ="x"', None),
        ("image text='tis the season", "text='tis the season", None),
        ('image -m "Flux 2 a panda', '"Flux 2 a panda', None),
        ("image a panda --model", "--model", None),
        ("image a panda -m --best", "-m", None),
        ("image a panda -m -- x", "-m", None),
        ('image a -m ""', "-m", None),
        ("image -m a -m b c", "--model", None),
        ("image --best --cheap a", "--cheap", None),
        ("image --ask --yes a", "--yes", None),
        ("image --best=1 a", "--best=1", None),
        ("image -n 0 a", "0", None),
        ("image -n -3 a", "-3", None),
        ("image -n cats a", "cats", None),
        ("image -n 1.5 a", "1.5", None),
        ("image -n {count} a", "{count}", None),
        ("image --budget lots a", "lots", None),
        ("image --budget -1 a", "-1", None),
        ("image --budget nan a", "nan", None),
        ("image --budget inf a", "inf", None),
        ("image --sweep seed a", "seed", None),
        ("image --sweep 1,2=3 a", "1,2=3", None),
        ("image --sweep seed=1,,2 a", "seed=1,,2", None),
        ("image --sweep seed= a", "seed=", None),
        ("image --sweep seed=1 --sweep seed=2 a", "seed", None),
        ("image --sweep seed=1,2 seed=3 a", "seed", None),
    ],
)
def test_a_mistake_is_an_error_that_names_the_value_and_the_nearest_names(
    line: str, value: str, near: str | None
) -> None:
    error = refused(line)
    assert error.value == value
    assert value in error.message
    assert (near in error.nearest) if near else isinstance(error.nearest, tuple)
    assert str(error).startswith(error.message)


def test_a_body_where_none_is_taken_or_no_verb_is_named_is_an_error() -> None:
    assert refused("show", "3f0c\n").value == "show"
    assert "verb" in refused("", "a panda\n").message


def test_true_is_not_a_count_and_not_a_budget() -> None:
    for line in ("image -n {x} a", "image --budget {x} a"):
        with pytest.raises(InputError):
            parse(line, None, VERBS, lambda _: True)


def test_tokens_know_their_places() -> None:
    line = "image -m \"Flux 2\" a 'b c' style='d e' --count=3 -V2 -- -x;"
    assert [
        (token.kind, token.text, token.name, token.value, token.value_start) for token in tokens(line)
    ] == [
        ("verb", "image", "", "image", 0),
        ("option", "-m", "model", None, 8),
        ("value", '"Flux 2"', "model", "Flux 2", 10),
        ("word", "a", "", "a", 18),
        ("quoted", "'b c'", "", "b c", 21),
        ("param", "style='d e'", "style", "d e", 33),
        ("option", "--count=3", "count", "3", 46),
        ("option", "-V2", "version", "2", 50),
        ("ends", "--", "", "--", 52),
        ("word", "-x", "", "-x", 55),
        ("silent", ";", "", None, 57),
    ]


@pytest.mark.parametrize(
    ("line", "kind", "name", "value", "place"),
    [
        ('image -m "Flux 2 P', "value", "model", "Flux 2 P", 10),
        ("image --model=Fl", "option", "model", "Fl", 14),
        ("image --mo", "option", "--mo", None, 10),
        ('image a style="film n', "param", "style", "film n", 15),
        ("image a style=", "param", "style", "", 14),
        ("image --sweep style=a,", "value", "sweep", "style=a,", 14),
        ("image a --", "ends", "", "--", 8),
        ("im", "verb", "", "im", 0),
        ("image 'tis the sea", "word", "", "sea", 15),
    ],
)
def test_an_unfinished_line_tells_what_is_being_typed(
    line: str, kind: str, name: str, value: str | None, place: int
) -> None:
    last = tokens(line)[-1]
    assert (last.kind, last.name, last.value, last.value_start) == (kind, name, value, place)


LINES = st.text(
    alphabet=st.one_of(
        st.sampled_from("ab5'\"=-{}[]., ;?\\\t\u3000$n"), st.characters(exclude_categories=["Cs"])
    ),
    max_size=60,
)


@given(LINES)
@example("-")
@example('a="')
@example("image -n")
@example('image --sweep x="')
def test_tokens_never_raise_and_cover_all_but_whitespace(line: str) -> None:
    found = tokens(line)
    at = 0
    for token in found:
        assert line[at : token.start].strip() == ""
        assert line[token.start : token.end] == token.text != ""
        assert token.start <= token.value_start <= token.end
        at = token.end
    assert line[at:].strip() == ""


@given(st.sampled_from(["", *VERBS]), LINES, st.none() | LINES)
@example("image", "-n \u0661", None)
@example("image", "-n " + "9" * 5000, None)
@example("image", "--budget " + "9" * 5000, None)
def test_whatever_is_typed_is_read_or_refused(verb: str, rest: str, cell: str | None) -> None:
    try:
        command = read(f"{verb} {rest}", cell)
    except InputError:
        return
    assert command.verb in VERBS


@given(LINES)
def test_prose_comes_out_as_typed(text: str) -> None:
    assume("=" not in text and not re.search(r"[{}]", text) and not text.rstrip().endswith(";"))
    assume(not re.search(r"(?:^|\s)(?:['\"]|--?[A-Za-z]|--(?:\s|$))", text))
    assume(text.strip() not in ("?", "??"))
    assert read(f"image {text}") == Command("image", words=text.strip())


@given(LINES, st.sampled_from("'\""))
def test_any_prompt_can_be_quoted(text: str, quote: str) -> None:
    assume(not re.search(rf"{quote}(?:\s|$)", text) or not text)
    assert read(f"image {quote}{text}{quote} seed=5") == Command(
        "image", words=text, params={"seed": Value("5")}
    )


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])).filter(str.strip))
def test_any_prompt_can_be_a_body(text: str) -> None:
    words = read("image", text).words
    assert words in text
    assert words.strip() == text.strip()
    lines = words.split("\n")
    assert lines[0].strip()
    assert lines[-1].strip()


@given(
    st.lists(st.sampled_from(["panda", "who?", "it's", '5"', "a,b", "-5", "—", "x", "$5"]), min_size=2),
    st.data(),
)
def test_a_param_among_words_leaves_the_words_as_they_were(words: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(words)))
    line = " ".join(["image", *words[:place], "seed=5", *words[place:]])
    assert read(line) == Command("image", words=" ".join(words), params={"seed": Value("5")})


def test_an_expression_is_one_piece() -> None:
    for text in (
        "{a}",
        "{ a }",
        "{a.b[0].c}",
        '{a["x y"]}',
        "{a['x']}",
        "{a[-1]}",
        "{a[first-name]}",
        "{标题}",
    ):
        assert EXPRESSION.fullmatch(text), text
    for text in (
        "{}",
        "{1}",
        "{1,2}",
        "{a b}",
        "{a:b}",
        "{a!r}",
        "{a()}",
        '{"a"}',
        "{a[]}",
        "{a.}",
        "{a[b c]}",
    ):
        assert not EXPRESSION.fullmatch(text), text


def test_reading_a_line_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "import zooop_nb.notebook.grammar, zooop_nb.notebook.variables, zooop_nb.notebook.help_guard\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))\n"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    loaded = ran.stdout
    for heavy in ("rapidfuzz", "IPython", "pandas", "httpx", "msgspec"):
        assert heavy not in loaded


def test_an_unknown_verb_and_an_unknown_option_say_which_of_them_they_are() -> None:
    with pytest.raises(UnknownName) as verb:
        parse("imge a panda", None, VERBS)
    with pytest.raises(UnknownName) as option:
        parse("image a panda --tga x", None, VERBS)

    assert (verb.value.what, option.value.what) == ("verb", "option")
