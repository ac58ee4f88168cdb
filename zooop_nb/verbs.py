"""The verbs that make something, and the category each stands for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from zooop_nb.contract.categories import CATEGORIES, Category


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb, its category, and what it makes in a few words."""

    name: str
    category: Category
    help: str


def _category(name: str) -> Category:
    return next(each for each in CATEGORIES if str(each) == name)


VERBS: Final[Mapping[str, Verb]] = {
    name: Verb(name, _category(category), text)
    for name, category, text in (
        ("image", "image/default", "a picture from words, or from words and reference pictures"),
        ("edit", "image/edit-image", "a change to the region of a picture that a mask shows"),
        ("svg", "image/image-svg", "a vector graphic from words, or from a picture"),
        ("video", "video/text-ref", "a clip from words, with or without pictures as a style reference"),
        ("animate", "video/first-last-frame", "a still picture brought to life, from its first frame"),
        ("motion", "video/motion-control", "a picture that moves as a clip does"),
        ("lipsync", "video/audio-lipsync", "a face that speaks a sound"),
        ("extend", "video/extend-video", "more of a clip, after its last frame"),
        ("restyle", "video/video-edit", "an existing clip with another look"),
        ("speech", "audio/text-to-speech", "words spoken in a named voice"),
        ("clone", "audio/voice-clone", "words spoken in the voice of a sample"),
        ("sfx", "audio/sound-effect", "a sound effect from words"),
        ("music", "audio/music", "a piece of music from words"),
    )
}
"""All 13, in the categories' order."""
