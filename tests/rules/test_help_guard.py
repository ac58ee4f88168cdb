"""A prompt may end in `?`: the line still reaches the magic, and no other line of any cell changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import no_var_expand
from traitlets.config import Config

from zooop_nb.notebook.help_guard import keep_question_marks


def kept(cell: str) -> str:
    return "".join(keep_question_marks(cell.splitlines(keepends=True)))


@pytest.mark.parametrize(
    "cell",
    [
        "%zooop image who is this panda?",
        "    %zooop image who?",
        "r = %zooop image who?",
        "r=%zooop image who?",
        "r: object = %zooop image who?",
        "a, b = %zooop image who?",
        "with x: r = %zooop image who?",
        "r = %zooop image it's '''who?",
        "%zooop image who??",
        "%zooop image?",
        "%time %zooop image who?",
        "%time r = %zooop image who?",
        "x = '''a\nb'''; r = %zooop image who?",
        "%zooop image who \\\n is this?",
        "zooop image who?",
    ],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_line_of_ours_that_ends_in_a_question_mark_gets_a_space(cell: str, end: str) -> None:
    assert kept(cell + end) == f"{cell} {end}"


@pytest.mark.parametrize(
    "cell",
    [
        "%zooop?",
        "%zooop??",
        "r = %zooop?",
        "zooop?",
        "panda?",
        "%other image who?",
        "!echo %zooop image who?",
        "%zooop image who is this? a panda",
        "%%zooop image\nwho is this?\n%zooop image who?\n",
        "%%zooop image?",
        "%%writefile a.py\n%zooop image who?\n",
        "\n%%writefile a.py\n%zooop image who?\n",
        '"""\n%zooop image who?\n"""\n',
        "s = '''it's\nr = %zooop image who?\n'''\n",
        's = f"""{x}\n%zooop image who?\n"""',
        's = """a \\""" b\n%zooop image who?\n"""',
        "s = 'a \\\n%zooop image who?\\\n'\n",
        "# r = %zooop image who?",
        "x = 1  # it's = %zooop image who?",
        's = "r = %zooop image who?"',
        "s = 'it\\'s # '; t = '''\n%zooop image who?\n'''",
        "if x:\n    '''\n    %zooop image who?\n    '''\n",
        "x = 1\nzooop image who?\n",
        "",
        "\n",
    ],
)
def test_every_other_line_stays_as_it_is(cell: str) -> None:
    assert kept(cell) == cell


def test_lines_after_a_string_or_a_magic_with_odd_quotes_are_still_found() -> None:
    cell = (
        "s = '''\n%zooop image no?\n'''\n"
        "%zooop image a panda's '''dream?\n"
        "!echo it's '''\n"
        "x = !echo '''\n"
        'r = %zooop image """who?\n'
        "for x in y:\n    %zooop image (who?\n"
    )
    assert kept(cell) == (
        "s = '''\n%zooop image no?\n'''\n"
        "%zooop image a panda's '''dream? \n"
        "!echo it's '''\n"
        "x = !echo '''\n"
        'r = %zooop image """who? \n'
        "for x in y:\n    %zooop image (who? \n"
    )


PARTS = st.sampled_from(
    [
        "'''",
        '"""',
        "'",
        '"',
        "\\",
        "\n",
        "\r\n",
        "#",
        "%zooop ",
        "%zooop",
        "zooop ",
        "r = ",
        "=",
        "%%",
        "!",
        "image",
        "?",
        " ",
    ]
)


@given(st.lists(PARTS | st.text(max_size=3), max_size=30).map("".join))
def test_only_spaces_behind_question_marks_are_ever_added(cell: str) -> None:
    before = cell.splitlines(keepends=True)
    after = keep_question_marks(before)
    assert keep_question_marks(after) == after
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        bare = old.rstrip("\r\n")
        assert new == old or (bare.endswith("?") and new == f"{bare} {old[len(bare) :]}")


class Recorder:
    """A shell whose `%zooop` records each line it receives and returns it."""

    def __init__(self) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        self.shell: Any = InteractiveShell(config=config)  # type: ignore[no-untyped-call]
        self.seen: list[tuple[str, str | None]] = []

        def zooop(line: str, cell: str | None = None) -> str:
            """Pictures, clips and sounds."""
            self.seen.append((line.strip(), cell))
            return line.strip()

        magic: Any = no_var_expand  # typed as if for methods of a shell only
        self.shell.register_magic_function(magic(zooop), "line_cell", "zooop")
        self.shell.input_transformers_cleanup.append(keep_question_marks)

    def run(self, cell: str) -> list[tuple[str, str | None]]:
        self.seen.clear()
        self.shell.run_cell(cell).raise_error()
        return list(self.seen)


@pytest.fixture(scope="module")
def ipython() -> Recorder:
    return Recorder()


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("%zooop image who is this panda?", "image who is this panda?"),
        ("%zooop image really??", "image really??"),
        ("%zooop image a panda's {x} for $5, who's \"it\"?", "image a panda's {x} for $5, who's \"it\"?"),
        ("%zooop image?", "image?"),
        ("zooop image who is this panda?", "image who is this panda?"),
        ("%time %zooop image who?", "image who?"),
        ("if True:\n    %zooop image who?", "image who?"),
    ],
)
def test_the_line_reaches_the_magic(ipython: Recorder, cell: str, line: str) -> None:
    assert ipython.run(cell) == [(line, None)]


def test_an_assigned_line_reaches_the_magic_and_its_value_the_name(ipython: Recorder) -> None:
    assert ipython.run("r = %zooop image a?\nfor i in range(2):\n    s = %zooop image b's?\n") == [
        ("image a?", None),
        ("image b's?", None),
        ("image b's?", None),
    ]
    assert ipython.shell.user_ns["r"] == "image a?"
    assert ipython.shell.user_ns["s"] == "image b's?"


@pytest.mark.parametrize("cell", ["%zooop?", "%zooop??", "%%zooop?"])
def test_help_on_the_magic_itself_is_still_shown(
    ipython: Recorder, cell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ipython.run(cell) == []
    assert "Pictures, clips and sounds." in capsys.readouterr().out


def test_help_on_other_names_is_still_shown(ipython: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    assert ipython.run("%zooop image who?\nlen?") == [("image who?", None)]
    assert "number of items" in capsys.readouterr().out


def test_a_cells_body_and_the_strings_of_python_stay_untouched(ipython: Recorder) -> None:
    assert ipython.run("%%zooop image\nwho is this?\n%zooop image a?") == [
        ("image", "who is this?\n%zooop image a?\n")
    ]
    assert ipython.run("text = '''\n%zooop image a?\n'''\n%zooop image b?") == [("image b?", None)]
    assert ipython.shell.user_ns["text"] == "\n%zooop image a?\n"
