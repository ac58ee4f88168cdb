"""What goes into a renderer and what comes out: plain values that every kind of media shares."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Work:
    """One order, ready to be rendered. Equal works give equal bytes."""

    action: str
    """Which renderer; see `zooop_nb.sandbox.media.ACTIONS`."""
    prompt: str
    """The prompt, the text to speak, or the lyrics."""
    params: Mapping[str, object] = field(default_factory=dict)
    """The merged params, for flavour: `style`, `voice`, `tempo`, `output_format` and the like."""
    inputs: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    """Param id -> the bytes of the media handed over under it."""
    model: str = ""
    """The model's or tool's name, shown in the mark."""
    seed: int = 0
    width: int = 1024
    """Pixels."""
    height: int = 1024
    """Pixels."""
    takes_shape: bool = False
    """True: no aspect ratio was asked for, and a clip made from a picture or clip takes that one's; `width`
    and `height` then say how large its short side is."""
    seconds: float = 5.0
    count: int = 1
    """How many outputs; each differs."""
    alpha: bool = False
    """True: a transparent background."""
    factor: float = 2.0
    """How many times wider and higher, for upscaling."""
    voice: str = ""


@dataclass(frozen=True)
class Piece:
    """One output: a whole file, and a small picture of it where it can be seen."""

    data: bytes
    content_type: str
    thumbnail: bytes | None = None
    thumbnail_type: str | None = None
    width: int | None = None
    """Pixels; None for sound."""
    height: int | None = None
    """Pixels; None for sound."""
    seconds: float | None = None
    """Length; None for pictures."""


@dataclass(frozen=True)
class Facts:
    """What a file is, read from its bytes."""

    content_type: str
    kind: str
    """`image`, `video` or `audio`."""
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    frames: int | None = None
    """Of a video or an animated picture; None otherwise."""
    codec: str | None = None
    """Of the picture: `png`, `jpeg`, `h264`, ...; None for sound."""
    audio_codec: str | None = None


class Unreadable(ValueError):
    """The bytes are not what they should be: empty, cut short, of another type, or absent. Says why."""
