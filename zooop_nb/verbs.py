"""Every verb, in one table: the magic, `Studio`, TAB, the help and the README's table all read it.

Texts here suit every face: they name no magic and no Python call.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from zooop_nb.contract.categories import CATEGORIES, Category

ORDER_OPTIONS: Final = frozenset(
    {"model", "version", "count", "best", "cheap", "ask", "yes", "budget", "background", "fresh", "tag"}
)
"""The options of a verb that orders a generation."""
RECIPE_OPTIONS: Final = ORDER_OPTIONS - {"model", "version", "best", "cheap"}
"""The options of an AI tool or template, which fixes its own model."""
AGAIN_OPTIONS: Final = ORDER_OPTIONS - {"model", "best", "cheap"}
DESCRIBE_OPTIONS: Final = frozenset({"language", "ask", "yes", "budget", "fresh", "tag"})


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: its name, what it does in one sentence, and what its line looks like behind the name."""

    name: str
    summary: str
    usage: str = ""
    takes: Literal["words", "arguments", "verb"] = "arguments"
    """`words`: a prompt; `arguments`: single tokens; `verb`: another verb's whole line."""
    options: frozenset[str] = frozenset()
    """The long names of the options that it accepts, `help` aside."""
    leading: int = 0
    """The number of arguments in front of the words: 1 for `tool SLUG ...`."""
    category: Category | None = None
    """The category of a verb that generates with a model."""
    takes_files: bool = False
    """Whether an argument may be a file, or a `{name}` that stands for one."""

    @property
    def orders(self) -> bool:
        """Whether it orders tasks, so that it can be quoted and repeated `count` times."""
        return "count" in self.options


def _generation(name: str, category: str, summary: str) -> Verb:
    found = next(each for each in CATEGORIES if str(each) == category)
    return Verb(name, summary, "WORDS [param=value ...] [options]", "words", ORDER_OPTIONS, category=found)


_VERBS: Final = (
    _generation("image", "image/default", "An image from words, or from words and reference images."),
    _generation("edit", "image/edit-image", "A change to the region of an image that a mask shows."),
    _generation("svg", "image/image-svg", "A vector graphic from words, or from an image."),
    _generation("video", "video/text-ref", "A clip from words, with or without images as a style reference."),
    _generation("animate", "video/first-last-frame", "A still image brought to life from its first frame."),
    _generation("motion", "video/motion-control", "An image that moves as a reference clip does."),
    _generation("lipsync", "video/audio-lipsync", "A face that speaks a recording."),
    _generation("extend", "video/extend-video", "More of a clip, after its last frame."),
    _generation("restyle", "video/video-edit", "An existing clip with another look."),
    _generation("speech", "audio/text-to-speech", "Words spoken in a named voice."),
    _generation("clone", "audio/voice-clone", "Words spoken in the voice of a sample."),
    _generation("sfx", "audio/sound-effect", "A sound effect from words."),
    _generation("music", "audio/music", "A piece of music from words."),
    Verb(
        "tool",
        "An AI tool, such as background-removal; `tools` lists them.",
        "SLUG [param=value ...] [options]",
        "words",
        RECIPE_OPTIONS,
        leading=1,
    ),
    Verb(
        "template",
        "A template, by its slug or its page's address; `templates` lists them.",
        "SLUG [param=value ...] [options]",
        "words",
        RECIPE_OPTIONS,
        leading=1,
    ),
    Verb(
        "again",
        "The last order once more, with changes; a new paid order.",
        "[param=value ...] [options]",
        options=AGAIN_OPTIONS,
    ),
    Verb("quote", "What that line would cost, to the credit. Nothing is ordered.", "VERB ...", "verb"),
    Verb(
        "describe",
        "An image as a structured prompt, for 1 credit.",
        "IMAGE [--language zh]",
        options=DESCRIBE_OPTIONS,
        takes_files=True,
    ),
    Verb(
        "upload",
        "A file's ZOOOP URL; the same content is uploaded once.",
        "FILE",
        takes_files=True,
    ),
    Verb("models", "The models of a verb, with the recommended and the cheapest marked.", "[VERB]"),
    Verb("tools", "The AI tools."),
    Verb("templates", "The templates."),
    Verb("me", "The wallet, the daily cap, the project, the limits."),
    Verb("show", "An earlier result, by the id of its order or task; also after a restart.", "ID"),
    Verb("tasks", "What is under way or unfinished."),
    Verb("resume", "Picks up what is unfinished; nothing is paid twice.", "[ID]"),
    Verb("ledger", "Every quote and charge, as a DataFrame."),
    Verb("sandbox", "A local ZOOOP on this machine: free, without a token.", "[off] [speed=10]"),
    Verb("config", "The settings, or a change to them for this session.", "[name=value ...]"),
    Verb("doctor", "Checks settings, token, ledger and network: is it you, or is it them?"),
    Verb("help", "This list, or the help of one verb.", "[VERB]"),
)

VERBS: Final[Mapping[str, Verb]] = MappingProxyType({verb.name: verb for verb in _VERBS})
"""All verbs by name, in the order in which they are listed."""

GENERATION_VERBS: Final[Mapping[str, Category]] = MappingProxyType(
    {verb.name: verb.category for verb in _VERBS if verb.category is not None}
)
"""The verbs that generate with a model, and the category of each."""

ORDER_VERBS: Final[Mapping[str, Verb]] = MappingProxyType({verb.name: verb for verb in _VERBS if verb.orders})
"""The verbs that order tasks, and so can be quoted."""


def verb_of_category(type: str | None, subtype: str | None) -> str | None:
    """Return the verb of a category, or None if no verb is of it."""
    pairs = GENERATION_VERBS.items()
    return next((name for name, each in pairs if (each.type, each.subtype) == (type, subtype)), None)
