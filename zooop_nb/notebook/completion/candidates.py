"""What completion offers: candidates, those that fit what is typed, and how each is written."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from zooop_nb.notebook.tokens import tokens

Kind = Literal[
    "verb", "option", "model", "version", "param", "value", "tool", "template", "order", "setting",
    "variable", "path",
]  # fmt: skip

_PLAIN = re.compile(r"\w[\w.:/@+-]*\Z")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text that may replace what is between `Completion.start` and the cursor.

    `label` adds what the text alone does not say: a model's brand, a voice's name.
    """

    text: str
    type: Kind
    label: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """What fits at the cursor; with `python`, IPython completes instead."""

    start: int
    candidates: tuple[Candidate, ...] = ()
    python: bool = False


def written(head: str, value: str, quote: str) -> str | None:
    """Return a value as it must be written behind `head` to be read back as itself; None if it cannot."""
    if not quote and _PLAIN.match(value):
        return value
    for mark in (quote,) if quote else ("", '"', "'"):
        # After a folder the path goes on.
        text = f"{mark}{value}" if value.endswith("/") else f"{mark}{value}{mark}"
        last = tokens(head + text)[-1]
        whole = last.end == len(head + text) and last.value == value
        if whole and last.quoted == bool(mark) and (last.closed or value.endswith("/")) and "{" not in value:
            return text
    return None


def beginning(start: int, fragment: str, candidates: Iterable[Candidate]) -> Completion:
    """Return the candidates that begin with the fragment, ignoring case."""
    fold = fragment.casefold()
    return Completion(start, tuple(each for each in candidates if each.text.casefold().startswith(fold)))


def fitting(typed: str, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """Yield the candidates that begin with what is typed, then those that hold it in their name or brand.

    Of the latter only models (as `-m` matches them), unless nothing begins so: `9` finds `16:9`.
    """
    listed = list(dict.fromkeys(candidates))
    first = beginning(0, typed, listed).candidates
    asked = _bare(typed)
    yield from first
    for each in listed if asked else ():
        within = asked in _bare(each.text) or asked in _bare(each.label)
        if within and each not in first and (not first or each.type == "model"):
            yield each


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
