"""The sandbox's table of rules names only existing tests, and every rule has a test or a reason."""

import re
from pathlib import Path

import zooop_nb.sandbox

README = Path(zooop_nb.sandbox.__file__).with_name("README.md")
TESTS = Path(__file__).resolve().parents[1]


def rows() -> list[list[str]]:
    table = README.read_text("utf-8").partition("## Every rule of the specification")[2]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if line[:2] == "| "
    ]
    return [row for row in cells if row[0] != "rule" and set(row[0]) != {"-"}]


def test_every_rule_that_is_kept_names_a_test_that_exists() -> None:
    sources = {path.name: path.read_text("utf-8") for path in TESTS.rglob("test_*.py")}
    assert len(rows()) > 100
    for rule, kept, shown in rows():
        if kept.startswith("no:"):
            assert not shown, rule
            continue
        named = re.fullmatch(r"`(test_\w+\.py)::(test_\w+)`", shown)
        assert named is not None, rule
        assert f"def {named[2]}(" in sources[named[1]], rule
