"""Assign roles to the input media.

The names of media params differ from model to model (`image_url`, `image_urls`, `first_frame`, `video_url`,
`voice`, ...), so a role is assigned by the type of the bytes, and by the name only if that is ambiguous.
"""

from zooop_nb.sandbox.media.facts import sniff
from zooop_nb.sandbox.media.work import Unreadable, Work


def _of_kind(work: Work, kind: str) -> list[tuple[str, bytes]]:
    found = []
    for name, files in work.inputs.items():
        for data in files:
            content_type = sniff(data)
            if content_type is None:
                raise Unreadable(
                    f"{name}: {'empty (0 bytes)' if not data else 'no picture, clip or sound that is known'}"
                )
            if content_type == "video/webm" and any(
                part in name for part in ("audio", "voice", "sound", "sample")
            ):
                content_type = "audio/webm"
            if content_type.startswith(kind):
                found.append((name, data))
    return found


def pictures(work: Work) -> list[bytes]:
    """Return every picture except the mask, in the order of the params."""
    return [data for name, data in _of_kind(work, "image/") if "mask" not in name]


def picture(work: Work) -> bytes:
    """Return the first picture, which the action works on. Raises `Unreadable` if there is none."""
    found = pictures(work)
    if not found:
        raise Unreadable(f"{work.action} needs a picture and none was handed over")
    return found[0]


def mask(work: Work) -> bytes | None:
    """Return the mask, if any."""
    return next((data for name, data in _of_kind(work, "image/") if "mask" in name), None)


def frames(work: Work) -> tuple[bytes, bytes | None]:
    """Return the first and, if any, the last frame of an animation. Raises `Unreadable` if there is none."""
    named = _of_kind(work, "image/")
    ends = [data for name, data in named if any(part in name for part in ("last", "end", "tail"))]
    starts = [
        data for name, data in named if not any(part in name for part in ("last", "end", "tail", "mask"))
    ]
    if not starts and not ends:
        raise Unreadable(f"{work.action} needs a picture and none was handed over")
    if not starts:
        return ends[0], ends[0]
    return starts[0], ends[0] if ends else (starts[1] if len(starts) > 1 else None)


def clip(work: Work) -> bytes:
    """Return the first clip, which the action works on. Raises `Unreadable` if there is none."""
    found = _of_kind(work, "video/")
    if not found:
        raise Unreadable(f"{work.action} needs a video and none was handed over")
    return found[0][1]


def sounds(work: Work) -> list[bytes]:
    """Return every sound."""
    return [data for _, data in _of_kind(work, "audio/")]


def sound(work: Work) -> bytes:
    """Return the first sound, which the action works on. Raises `Unreadable` if there is none."""
    found = sounds(work)
    if not found:
        raise Unreadable(f"{work.action} needs a sound and none was handed over")
    return found[0]
