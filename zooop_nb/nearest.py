"""The names nearest to a misspelt one, by one rule for verbs, options, params, models and variables."""

from __future__ import annotations

from collections.abc import Iterable

# Below this score (of 100) a suggestion confuses more often than it helps.
_LIKELY = 65


def nearest(name: str, candidates: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Return up to `limit` of `candidates` that `name` may stand for, most likely first.

    Case, spaces and punctuation are ignored; a brand alone finds its models (`kling`: `Kling V3`).
    Equally likely names keep their order.
    """
    # Late: 20 ms that only a misspelt name costs.
    from rapidfuzz import fuzz, process, utils

    # A part of a long name counts only if it is long enough to mean something.
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
