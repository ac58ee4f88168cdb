"""The sandbox's media: real files, made on this machine, repeatably, from an order.

Three pure functions, bytes in and bytes out: `render` makes what was ordered, `measure` reads a file's
facts, `describe` says what can honestly be said of a picture's pixels. No network, nothing left on disk.
They take from milliseconds to a few seconds and are meant to be called off the event loop.

Everything is marked as the sandbox's. What is drawn or synthesised from words carries a ribbon that can be
read (`ZOOOP sandbox · MODEL`), or, being sound, the same words among its tags; what promises to leave
pixels alone (cut-outs, upscaling, the rest of a masked edit) carries them in the file's metadata.

Each kind's module is imported when it is first needed, so that importing this package costs nothing.
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
"""Every action that `render` knows -> the module beside this one that makes it."""


def render(work: Work) -> list[Piece]:
    """Make `work.count` outputs.

    Raises `Unreadable` where a picture, clip or sound that the action needs is absent or cannot be read, and
    `ValueError` for an unknown action or a count below 1.
    """
    if work.action not in ACTIONS:
        raise ValueError(f"unknown action {work.action!r}; known are {', '.join(ACTIONS)}")
    if work.count < 1:
        raise ValueError(f"count {work.count}: at least one output must be asked for")
    # A lone surrogate is legal in JSON and in no encoding.
    work = replace(work, prompt=work.prompt.encode("utf-8", "replace").decode())
    module = import_module(f"{__name__}.{ACTIONS[work.action]}")
    make: Callable[[Work, int], Piece] = module.render
    return [make(work, index) for index in range(work.count)]


def measure(data: bytes, content_type: str) -> Facts:
    """The facts of a file that is said to be `content_type`, one of those that uploads allow.

    Raises `Unreadable` with a reason when the bytes are empty, cut short, or not what the type says.
    """
    from zooop_nb.sandbox.media.facts import measure as read

    return read(data, content_type)


def describe(data: bytes, language: str) -> dict[str, str | None]:
    """What the pixels of a picture show, under the field names of `POST /v1/describe-image`.

    `language` is a locale code: `zh` and its regions give Chinese (simplified), everything else English.
    Nothing is recognised and nothing invented: the words come from colours, brightness, contrast, detail and
    where the weight lies. `camera` is what the file's EXIF data say, else None. Raises `Unreadable`.
    """
    from zooop_nb.sandbox.media.analysis import describe as read

    return read(data, language)
