"""The input and output types of the renderers, shared by all kinds of media."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Work:
    """One order, ready to be rendered. Equal works produce identical bytes."""

    action: str
    """The renderer; see `zooop_nb.sandbox.media.ACTIONS`."""
    prompt: str
    """The prompt, the text to speak, or the lyrics."""
    params: Mapping[str, object] = field(default_factory=dict)
    """The merged params, for details such as `style`, `voice`, `tempo` and `output_format`."""
    inputs: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    """Param id -> the bytes of its media."""
    model: str = ""
    """The name of the model or tool, shown in the mark."""
    seed: int = 0
    width: int = 1024
    """Pixels."""
    height: int = 1024
    """Pixels."""
    takes_shape: bool = False
    """True if no aspect ratio was requested: a clip made from a picture or clip then takes that one's, and
    `width` and `height` only set its short side."""
    seconds: float = 5.0
    count: int = 1
    """Number of outputs; each is different."""
    alpha: bool = False
    """Whether the background is transparent."""
    factor: float = 2.0
    """Scale factor of width and height, for upscaling."""
    voice: str = ""


@dataclass(frozen=True)
class Piece:
    """One output: a complete file, with a thumbnail if it is visual."""

    data: bytes
    content_type: str
    thumbnail: bytes | None = None
    thumbnail_type: str | None = None
    width: int | None = None
    """Pixels; None for sound."""
    height: int | None = None
    """Pixels; None for sound."""
    seconds: float | None = None
    """Duration; None for pictures."""


@dataclass(frozen=True)
class Facts:
    """Properties of a file, read from its bytes."""

    content_type: str
    kind: str
    """`image`, `video` or `audio`."""
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    frames: int | None = None
    """Frame count of a video or an animated picture; None otherwise."""
    codec: str | None = None
    """Codec of the picture: `png`, `jpeg`, `h264`, ...; None for sound."""
    audio_codec: str | None = None


class Unreadable(ValueError):
    """An input is empty, truncated, of another type or missing; the message gives the reason."""
