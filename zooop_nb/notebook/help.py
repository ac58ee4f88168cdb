"""The magic's verbs: what each takes, and its help. Completion, help and the magic read this one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from zooop_nb.notebook.grammar import VerbSpec

MAKING_OPTIONS: Final = frozenset(
    {"model", "version", "count", "best", "cheap", "ask", "yes", "budget", "background", "fresh", "tag"}
)
RECIPE_OPTIONS: Final = MAKING_OPTIONS - {"model", "version", "best", "cheap"}
DESCRIBE_OPTIONS: Final = frozenset({"language", "ask", "yes", "budget", "tag"})
AGAIN_OPTIONS: Final = MAKING_OPTIONS - {"model", "best", "cheap"}

OPTION_HELP: Final[Mapping[str, str]] = {
    "model": "-m, --model NAME: the model, by a part of its name or brand",
    "version": "-V, --version NAME: the model's version",
    "count": "-n, --count N: N variants",
    "best": "--best: the best model",
    "cheap": "--cheap: the cheapest model",
    "ask": "--ask: ask before spending",
    "yes": "--yes: spend without asking",
    "budget": "--budget N: no more than N credits for this line",
    "background": "--background: do not wait",
    "fresh": "--fresh: a new order, whatever an earlier run left",
    "tag": "--tag TEXT: a tag in the ledger; may be repeated",
    "language": "--language LOCALE: the language of the answer (zh, ja, fr, ...); English without it",
}


@dataclass(frozen=True, slots=True)
class VerbHelp:
    """What a verb's line looks like, and what it does."""

    usage: str
    text: str


def _maker(name: str, text: str, example: str = "") -> tuple[VerbSpec, VerbHelp]:
    usage = example or f"%zooop {name} WORDS [param=value ...] [options]"
    return VerbSpec(name, "words", MAKING_OPTIONS), VerbHelp(usage, text)


def _teller(name: str, usage: str, text: str) -> tuple[VerbSpec, VerbHelp]:
    return VerbSpec(name, "arguments"), VerbHelp(f"%zooop {name}{' ' if usage else ''}{usage}", text)


_TABLE: Final = (
    _maker("image", "A picture from words, or from words and reference pictures."),
    _maker("edit", "A change to the region of a picture that a mask shows."),
    _maker("svg", "A vector graphic from words, or from a picture."),
    _maker("video", "A clip from words, with or without pictures as a style reference."),
    _maker("animate", "A still picture brought to life, from its first frame."),
    _maker("motion", "A picture that moves as a clip does."),
    _maker("lipsync", "A face that speaks a sound."),
    _maker("extend", "More of a clip, after its last frame."),
    _maker("restyle", "An existing clip with another look."),
    _maker("speech", "Words, spoken in a named voice."),
    _maker("clone", "Words, spoken in the voice of a sample."),
    _maker("sfx", "A sound effect from words."),
    _maker("music", "A piece of music from words."),
    (
        VerbSpec("tool", "words", RECIPE_OPTIONS, leading=1),
        VerbHelp(
            "%zooop tool SLUG [param=value ...]",
            "An AI tool, such as background-removal. `%zooop tools` lists them.",
        ),
    ),
    (
        VerbSpec("template", "words", RECIPE_OPTIONS, leading=1),
        VerbHelp(
            "%zooop template SLUG [param=value ...]",
            "A template, by its slug or its page's address. `%zooop templates` lists them.",
        ),
    ),
    (
        VerbSpec("again", "arguments", AGAIN_OPTIONS),
        VerbHelp(
            "%zooop again [param=value ...]", "The last order once more, with changes; a new paid order."
        ),
    ),
    (
        VerbSpec("quote", "verb"),
        VerbHelp("%zooop quote VERB ...", "What that line would cost, to the credit. Nothing is made."),
    ),
    (
        VerbSpec("describe", "arguments", DESCRIBE_OPTIONS),
        VerbHelp(
            "%zooop describe PICTURE [--language zh]",
            "A picture (a path, a URL, {name}) in words that serve as a prompt, for 1 credit.",
        ),
    ),
    _teller("upload", "FILE", "A file's URL at ZOOOP; the same content goes up once."),
    _teller("models", "[VERB]", "The models of a verb, the recommended and the cheapest marked."),
    _teller("tools", "", "The AI tools."),
    _teller("templates", "", "The templates."),
    _teller("me", "", "The wallet, the daily cap, the project, the limits."),
    _teller("show", "ID", "An earlier result, by the id of its order or task; also after a restart."),
    _teller("tasks", "", "What is under way or unfinished."),
    _teller("resume", "[ID]", "Pick up what is unfinished: nothing is paid twice, nothing paid is lost."),
    _teller("ledger", "", "Every quote and charge, as a DataFrame."),
    _teller("sandbox", "[off] [speed=10]", "A ZOOOP of your own on this machine: free, without a token."),
    _teller("config", "[name=value ...]", "The settings, or a change to them for this session."),
    _teller("doctor", "", "Is it you or is it them: settings, token, ledger, network."),
    _teller("help", "[VERB]", "This."),
)

SPECS: Final[Mapping[str, VerbSpec]] = {spec.name: spec for spec, _ in _TABLE}
"""What the grammar needs of each verb."""

ORDERS: Final = frozenset(spec.name for spec, _ in _TABLE if "count" in spec.options)
"""The verbs that order something, which can be quoted."""

FILES: Final = frozenset({"describe", "upload"})
"""The verbs that take a file, or a {name} that stands for one."""

HELP: Final[Mapping[str, VerbHelp]] = {spec.name: help for spec, help in _TABLE}


def overview() -> str:
    """All verbs, a line each."""
    width = max(map(len, SPECS))
    lines = [f"  {name.ljust(width)}  {HELP[name].text}" for name in SPECS]
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


def of_verb(name: str) -> str:
    """A verb's own help."""
    spec, help = SPECS[name], HELP[name]
    options = [f"  {OPTION_HELP[option]}" for option in OPTION_HELP if option in spec.options]
    return "\n".join((help.usage, "", help.text, *(["", *options] if options else [])))
