"""Keeps IPython from taking `%zooop image who is this panda?` for a question about `panda`.

IPython turns any line that ends in `?` into help, assigned or not, before a magic sees it. It does so only if
the mark is the last character, so a space after it is enough; the magic strips it again. A line without words
(`%zooop?`) is left to IPython. `%zooop image?` goes to the magic, which has help for its verbs.

This runs over every cell, so it must not change anything but lines of ours: not Python's strings and
comments, nor the bodies of other cell magics. Python's own tokenizer fails on a cell with a magic in it, so a
small scanner finds them.
"""

from __future__ import annotations

import re

_DELIMITERS = ("'''", '"""', "'", '"')
# Where code may end: at a comment, a string, or a magic or system command that is assigned.
_TURN = re.compile(r"""#|'''|\"\"\"|'|"|=[ \t]*(?=%[^\W\d]|!)""")
_SPECIAL = re.compile(r"[ \t]*(?:%[^\W\d]|!)")
# The magic itself, or one that runs it: `%time r = %zooop image who?`.
_OURS = re.compile(r"[ \t]*%(?:|[^\W\d].*[\s=]%)zooop[ \t]")
# Automagic works only in cells of a single line.
_AUTOMAGIC = re.compile(r"[ \t]*zooop[ \t]+\w")
_INSIDE = {delimiter: re.compile(rf"(?:\\.|(?!{delimiter})[^\\])*", re.DOTALL) for delimiter in _DELIMITERS}


def keep_question_marks(lines: list[str]) -> list[str]:
    """Return the cell's lines, with a space after each `?` that ends a line of ours.

    For `input_transformers_cleanup`; idempotent.
    """
    if len(lines) == 1 and _AUTOMAGIC.match(lines[0]):
        return [_spaced(lines[0])]
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%") or not any("zooop" in line for line in lines):
        return lines
    kept: list[str] = []
    open_string = ""
    at = 0
    while at < len(lines):
        special, open_string = _scan(lines[at], open_string)
        if special is None:
            kept.append(lines[at])
            at += 1
            continue
        end = at
        while end + 1 < len(lines) and _bare(lines[end]).endswith("\\"):
            end += 1
        kept += lines[at:end]
        kept.append(_spaced(lines[end]) if _OURS.match(lines[at], special) else lines[end])
        at = end + 1
    return kept


def _bare(line: str) -> str:
    return line.rstrip("\r\n")


def _spaced(line: str) -> str:
    bare = _bare(line)
    return f"{bare} {line[len(bare) :]}" if bare.endswith("?") else line


def _scan(line: str, open_string: str) -> tuple[int | None, str]:
    """Return where a magic or system command begins in the line, and the string left open at its end."""
    at = 0
    if not open_string and _SPECIAL.match(line):
        return 0, ""
    while True:
        if open_string:
            inside = _INSIDE[open_string].match(line, at)
            at = inside.end() if inside else at
            if not line.startswith(open_string, at):
                goes_on = len(open_string) == 3 or _bare(line).endswith("\\")
                return None, open_string if goes_on else ""
            at += len(open_string)
        turn = _TURN.search(line, at)
        if turn is None or turn[0] == "#":
            return None, ""
        if turn[0].startswith("="):
            return turn.end(), ""
        open_string, at = turn[0], turn.end()
