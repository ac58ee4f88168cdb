"""The sandbox's media: real files, generated on this machine, reproducibly, from an order.

There are three pure functions, with bytes in and bytes out: `render` produces the outputs of an order,
`measure` reads a file's facts, and `describe` describes a picture from its pixels only. They use no network
and leave nothing on disk. They take from milliseconds to a few seconds; call them off the event loop.

Every output is marked as the sandbox's. Media drawn or synthesised from text carry a readable ribbon
(`ZOOOP sandbox · MODEL`) or, for sound, the same text in the tags; outputs that must leave pixels unchanged
(cut-outs, upscaling, the rest of a masked edit) carry it in the file's metadata.

The module of each kind is imported on first use, so that importing this package is cheap.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

from zooop_nb.sandbox.media.work import Facts, Piece, Unreadable, Work

__all__ = ["ACTIONS", "Facts", "Piece", "Unreadable", "Work", "describe", "measure", "render"]

ACTIONS = {
    "picture": "picture",
    "edit": "edit",
    "cutout": "edit",
    "upscale-image": "edit",
    "restyle-image": "edit",
    "svg": "vector",
    "vectorise": "vector",
    "video": "video",
    "animate": "video",
    "motion": "video",
    "lipsync": "video",
    "extend": "video",
    "restyle-video": "video",
    "upscale-video": "video",
    "speech": "speech",
    "clone": "speech",
    "sfx": "sound",
    "music": "sound",
}
"""Every action of `render` -> the module of this package that implements it."""


def render(work: Work) -> list[Piece]:
    """Render `work.count` outputs.

    Raises `Unreadable` if a picture, clip or sound that the action needs is missing or cannot be read, and
    `ValueError` for an unknown action or a count below 1.
    """
    if work.action not in ACTIONS:
        raise ValueError(f"unknown action {work.action!r}; known are {', '.join(ACTIONS)}")
    if work.count < 1:
        raise ValueError(f"count {work.count}: at least one output must be asked for")
    # Lone surrogates are legal in JSON but cannot be encoded.
    work = replace(work, prompt=work.prompt.encode("utf-8", "replace").decode())
    module = import_module(f"{__name__}.{ACTIONS[work.action]}")
    make: Callable[[Work, int], Piece] = module.render
    return [make(work, index) for index in range(work.count)]


def measure(data: bytes, content_type: str) -> Facts:
    """Return the facts of a file of the declared `content_type`, one of those that uploads allow.

    Raises `Unreadable` with a reason if the bytes are empty, truncated or of another type.
    """
    from zooop_nb.sandbox.media.facts import measure as read

    return read(data, content_type)


def describe(data: bytes, language: str) -> dict[str, str | None]:
    """Describe a picture from its pixels, with the field names of `POST /v1/describe-image`.

    `language` is a locale code: `zh` and its regions give Chinese (simplified), everything else English.
    Nothing is recognised or invented: the text is derived from colours, brightness, contrast, detail and the
    position of the visual weight. `camera` comes from the file's EXIF data, else None. Raises `Unreadable`.
    """
    from zooop_nb.sandbox.media.analysis import describe as read

    return read(data, language)
