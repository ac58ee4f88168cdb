"""The public categories: the pairs of `type` and `subType` that the API exposes.

API documentation: "Public categories".
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Category:
    """One pair of `type` and `subType`; prints as `video/text-ref`."""

    type: str
    subtype: str
    title: str
    """The website's name for the category's generator."""

    def __str__(self) -> str:
        return f"{self.type}/{self.subtype}"


CATEGORIES: tuple[Category, ...] = (
    Category("image", "default", "Image generator"),
    Category("image", "edit-image", "Image editor"),
    Category("image", "image-svg", "SVG generator (text/image-to-vector)"),
    Category("video", "text-ref", "Video generator"),
    Category("video", "motion-control", "Motion control (image-to-video)"),
    Category("video", "first-last-frame", "First / last frame video"),
    Category("video", "audio-lipsync", "Lip sync"),
    Category("video", "extend-video", "Extend video"),
    Category("video", "video-edit", "Video editor"),
    Category("audio", "text-to-speech", "Text-to-speech"),
    Category("audio", "voice-clone", "Voice clone"),
    Category("audio", "sound-effect", "Sound effect"),
    Category("audio", "music", "Music generation"),
)
"""All 13, in the documentation's order."""
