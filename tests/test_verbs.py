"""One table of verbs: faces and documents say the same, and adding one is what CONTRIBUTING says."""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from zooop_nb import Studio
from zooop_nb.notebook import info_commands, order_commands
from zooop_nb.notebook.help import of_verb, overview
from zooop_nb.notebook.tokens import OPTIONS
from zooop_nb.signatures import VerbMethod
from zooop_nb.verbs import GENERATION_VERBS, ORDER_VERBS, VERBS


def test_the_readmes_table_is_the_table(root: Path) -> None:
    rows = [
        f"| `{' '.join(filter(None, (verb.name, verb.usage)))}` | {verb.summary} |" for verb in VERBS.values()
    ]
    readme = (root / "README.md").read_text("utf-8")
    section = readme.partition("## Verbs\n")[2].partition("\n## ")[0]
    assert section.strip().splitlines()[2:] == rows


def test_the_changelog_names_every_verb(root: Path) -> None:
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    assert [name for name in VERBS if f"`{name}`" not in changelog] == []


def test_every_verb_is_in_the_help_and_has_its_own() -> None:
    for name, verb in VERBS.items():
        assert f"  {name} " in overview()
        assert of_verb(name).splitlines()[0] == " ".join(filter(None, ("%zooop", name, verb.usage)))
        assert verb.summary in of_verb(name)
        assert set(verb.options) <= set(OPTIONS)


def test_every_verb_has_a_command() -> None:
    commands = {*order_commands.COMMANDS, *info_commands.COMMANDS, *ORDER_VERBS, "help"}
    assert commands == set(VERBS)


def test_every_verb_that_generates_is_a_method_and_no_other_is() -> None:
    methods = {name for name, value in vars(Studio).items() if isinstance(value, VerbMethod)}
    assert methods == set(GENERATION_VERBS)


@pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.name)
def test_a_summary_suits_every_face(verb: object) -> None:
    assert "%" not in verb.summary  # type: ignore[attr-defined]
    assert "studio" not in verb.summary.lower()  # type: ignore[attr-defined]


def test_adding_a_verb_is_what_contributing_says_it_is(root: Path, tmp_path: Path) -> None:
    """CONTRIBUTING's own two lines, in a copy of the package, make a magic with TAB, help and a method."""
    contributing = (root / "CONTRIBUTING.md").read_text("utf-8")
    section = contributing.partition("### a verb\n")[2].partition("\n### ")[0]
    in_table, in_studio = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    package = tmp_path / "zooop_nb"
    shutil.copytree(root / "zooop_nb", package, ignore=shutil.ignore_patterns("__pycache__", "sandbox"))
    for file, line, after in (
        ("verbs.py", in_table, '    _generation("music",'),
        ("studio.py", in_studio, "    music = VerbMethod()"),
    ):
        text = (package / file).read_text("utf-8")
        added = re.sub(rf"({re.escape(after)}.*\n)", rf"\1{line}", text)
        assert added != text
        (package / file).write_text(added, "utf-8")
    program = textwrap.dedent(
        """
        from IPython.core.interactiveshell import InteractiveShell
        from zooop_nb import Studio
        from zooop_nb.notebook.completion.rules import complete
        from zooop_nb.notebook.grammar import parse
        from zooop_nb.verbs import GENERATION_VERBS, VERBS

        shell = InteractiveShell.instance()
        shell.run_line_magic("load_ext", "zooop_nb")
        assert shell.run_cell("%zooop sketch?").success
        assert parse("sketch a cat -n 2", None, VERBS).options.count == 2
        print([each.text for each in complete("ske", 3, False, None, {}).candidates])
        print(str(GENERATION_VERBS["sketch"]), Studio.sketch.__doc__.splitlines()[0])
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "%zooop sketch WORDS [param=value ...] [options]" in done.stdout
    assert "A quick drawing from words." in done.stdout
    assert done.stdout.splitlines()[-2:] == [
        "['sketch']",
        "image/default A quick drawing from words.",
    ]
