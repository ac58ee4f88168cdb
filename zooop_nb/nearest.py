"""The names nearest to a misspelt one, by one rule for verbs, options, params, models and variables."""

from __future__ import annotations

from collections.abc import Iterable

# Below this (of 100) a suggestion is more often a puzzle than a help.
_LIKELY = 65


def nearest(name: str, candidates: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Up to `limit` of `candidates` that `name` may have been meant to be, the likeliest first.

    Case, spaces and punctuation count for nothing; a brand alone finds its models (`kling`: `Kling V3`).
    Equally likely names keep the order in which they came.
    """
    # 20 ms that only somebody who mistyped has to wait for.
    from rapidfuzz import fuzz, process, utils

    # A part of a long name is a good sign only where the part is long enough to mean something.
    scorer = fuzz.WRatio if len(name) > 2 else fuzz.ratio
    found = process.extract(
        name,
        list(dict.fromkeys(candidates)),
        scorer=scorer,
        processor=utils.default_process,
        score_cutoff=_LIKELY,
        limit=limit,
    )
    return tuple(candidate for candidate, _, _ in found)
