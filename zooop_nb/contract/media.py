"""Media that an order can take as it is: what earlier outputs and uploads say of themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class KnownMedia:
    """One file with a ZOOOP URL."""

    url: str
    content_type: str | None = None
    """None if it is not known."""
    sha256: str | None = None
    """SHA-256 of the content, 64 hex digits; None if the content was never seen on this machine."""
    path: Path | None = None
    """A local copy of an output, to be uploaded again where the URL does not serve."""
    from_upload: bool = False
    """Whether the URL came from an upload: it is then used as it is."""


class MediaSource(Protocol):
    """A value that stands for media, such as a result: it can be given for a media param.

    The method is looked up on the type, as Python looks up special methods.
    """

    def _zooop_media_(self) -> Sequence[KnownMedia]:
        """Return its files in their order; none if it has no output."""
        ...
