"""The help of `%zooop`: all verbs, or one verb with its options."""

from collections.abc import Iterable

from zooop_nb.notebook.tokens import OPTIONS
from zooop_nb.verbs import VERBS


def overview() -> str:
    """Return all verbs, a line each."""
    width = max(map(len, VERBS))
    lines = [f"  {verb.name.ljust(width)}  {verb.summary}" for verb in VERBS.values()]
    return "\n".join(
        (
            "%zooop VERB [words...] [param=value ...] [options]",
            "%%zooop VERB [param=value ...] [options]   with the prompt in the cell's body",
            "",
            *lines,
            "",
            "Words are the prompt, as they are typed. {name} puts a variable in; {{ is a brace.",
            "%zooop VERB? tells more of a verb. Every order is quoted first, in credits.",
        )
    )


def of_verb(name: str, params: Iterable[str] = ()) -> str:
    """Return a verb's own help; `params` are lines about the params of its model, if they are known."""
    verb = VERBS[name]
    usage = " ".join(filter(None, ("%zooop", name, verb.usage)))
    options = [
        f"  {option.usage}: {option.help}" for option in OPTIONS.values() if option.name in verb.options
    ]
    sections = [[usage], [verb.summary], options, list(params)]
    return "\n\n".join("\n".join(section) for section in sections if section)
