"""TAB completion for verbs that take a file: paths quoted as needed, and option values."""

from collections.abc import Sequence

import pytest

from tests.rules.test_completion import World
from zooop_nb.notebook.completion.rules import complete
from zooop_nb.notebook.grammar import parse
from zooop_nb.notebook.help import of_verb, overview
from zooop_nb.verbs import ORDER_VERBS, VERBS


class Folder(World):
    """An imaginary folder with a few files."""

    def paths(self, begun: str) -> Sequence[str]:
        names = ["cat.png", "my cat.png", "it's.png", "old/"]
        return [name for name in names if name.startswith(begun)]


def offered(line: str) -> list[str]:
    """Return the whole lines that TAB at the end of this one offers."""
    found = complete(line, len(line), False, Folder(), {})
    return [line[: found.start] + each.text for each in found.candidates]


@pytest.mark.parametrize("verb", ["describe", "upload"])
def test_a_file_is_offered_as_it_must_be_written(verb: str) -> None:
    lines = offered(f"{verb} ")
    assert lines == [f"{verb} cat.png", f'{verb} "my cat.png"', f"{verb} it's.png", f"{verb} old/"]
    for line, name in zip(lines, Folder().paths(""), strict=True):
        assert parse(line, None, VERBS).arguments == [name]


def test_what_is_typed_of_a_file_narrows_it() -> None:
    assert offered("describe c") == ["describe cat.png"]
    assert offered("describe --language zh c") == ["describe --language zh cat.png"]
    assert offered("describe x") == []


def test_one_file_is_enough() -> None:
    assert offered("describe cat.png ") == []
    assert offered("upload cat.png c") == []


def test_a_language_is_offered_by_its_code() -> None:
    assert offered("describe cat.png --language z") == [
        "describe cat.png --language zh",
        "describe cat.png --language zh-TW",
    ]
    assert "describe cat.png --language" in offered("describe cat.png --l")
    assert offered("upload cat.png --l") == []


def test_only_what_has_a_quote_is_offered_after_quote() -> None:
    verbs = {line.removeprefix("quote ") for line in offered("quote ")}
    assert verbs == set(ORDER_VERBS)
    assert set(ORDER_VERBS).isdisjoint({"describe", "upload", "doctor", "quote"})


@pytest.mark.parametrize("verb", ["describe", "upload", "doctor"])
def test_help_has_them(verb: str) -> None:
    assert f"  {verb} " in overview()
    assert of_verb(verb).startswith(f"%zooop {verb}")


def test_the_help_of_describe_names_its_options_and_its_price() -> None:
    assert "--language" in of_verb("describe")
    assert "1 credit" in of_verb("describe")
