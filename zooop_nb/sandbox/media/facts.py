"""Read a file's properties from its bytes: type, size, length, frames, codecs.

The formats are those that uploads allow (API documentation: "Allowed Content-Type values"). The demuxer is
always given to PyAV explicitly, because a guess could treat a playlist as a clip and fetch its URLs.
"""

import io

import av
import av.error
from av.container import InputContainer
from PIL import Image

from zooop_nb.sandbox.media.pixels import opened
from zooop_nb.sandbox.media.work import Facts, Unreadable

_PICTURES = {
    "image/png": ("PNG",),
    "image/jpeg": ("JPEG", "MPO"),
    "image/webp": ("WEBP",),
    "image/gif": ("GIF",),
}
_DEMUXERS = {
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/webm": "matroska",
    "audio/ogg": "ogg",
    "video/mp4": "mov",
    "video/webm": "matroska",
    "video/quicktime": "mov",
}
_FAMILY = {"video/quicktime": "video/mp4", "audio/webm": "video/webm"}
"""Types whose files begin alike: only their streams distinguish them, and MP4 derives from QuickTime."""


def sniff(data: bytes) -> str | None:
    """Return the content type by the first bytes: `video/webm` for any WebM, None if they are not known."""
    head = data[:16]
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF"):
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12])
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm"
    if head.startswith(b"OggS"):
        return "audio/ogg"
    if head[4:8] == b"ftyp":
        return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "video/quicktime"
    if head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2):
        return "audio/mpeg"
    return None


def container(data: bytes) -> InputContainer:
    """Open a clip or sound with the demuxer for its first bytes. Raises `Unreadable`."""
    content_type = sniff(data)
    if content_type not in _DEMUXERS:
        raise Unreadable(
            "empty (0 bytes)" if not data else "the bytes are no clip and no sound that is known"
        )
    try:
        return av.open(io.BytesIO(data), "r", format=_DEMUXERS[content_type])
    except (av.error.FFmpegError, ValueError) as reason:
        raise Unreadable(f"the bytes begin like {content_type} but cannot be read: {reason}") from reason


def measure(data: bytes, content_type: str) -> Facts:
    """See `zooop_nb.sandbox.media.measure`."""
    said = content_type.partition(";")[0].strip().lower()
    if said not in _PICTURES and said not in _DEMUXERS:
        raise Unreadable(f"{content_type} is none of the types that can be read")
    if not data:
        raise Unreadable("the file is empty (0 bytes)")
    found = sniff(data)
    if found is None or _FAMILY.get(found, found) != _FAMILY.get(said, said):
        raise Unreadable(f"the bytes are not {said}: they look like {found or 'nothing that is known'}")
    return _picture(data, said) if said in _PICTURES else _stream(data, said)


def _picture(data: bytes, content_type: str) -> Facts:
    image = opened(data)
    with Image.open(io.BytesIO(data), formats=_PICTURES[content_type]) as file:
        frames = getattr(file, "n_frames", 1) if file.format != "MPO" else 1
        codec = (file.format or "").lower().replace("mpo", "jpeg")
    return Facts(
        content_type, "image", image.width, image.height, None, frames if frames > 1 else None, codec
    )


def _stream(data: bytes, content_type: str) -> Facts:
    kind = content_type.partition("/")[0]
    if _said_length(data) > len(data):
        raise Unreadable(f"the file is cut short: {len(data)} of its {_said_length(data)} bytes are there")
    with container(data) as file:
        video = next((s for s in file.streams.video if not s.disposition & s.disposition.attached_pic), None)
        audio = file.streams.audio[0] if file.streams.audio else None
        main = video if kind == "video" else audio
        if main is None:
            raise Unreadable(f"the file has no {'picture' if kind == 'video' else 'sound'} track")
        declared_frames = video.frames if video is not None and kind == "video" else 0
        declared_seconds = file.duration / av.time_base if file.duration else None
        frames, end = 0, 0.0
        try:
            first = next(file.decode(main), None)
            if first is None:
                raise Unreadable("nothing in the file can be decoded")
            file.seek(0)
            for packet in file.demux(main):
                if packet.size == 0 or packet.pts is None:
                    continue
                if packet.is_corrupt:
                    raise Unreadable("the file is cut short or damaged")
                frames += 1
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        except av.error.FFmpegError as reason:
            raise Unreadable(f"the file is cut short or damaged: {reason}") from reason
        if declared_frames and frames < declared_frames:
            raise Unreadable(f"the file is cut short: {frames} of its {declared_frames} frames are there")
        start = float(main.start_time * main.time_base) if main.start_time and main.time_base else 0.0
        own = float(main.duration * main.time_base) if main.duration and main.time_base else declared_seconds
        if own and end - start < own - max(0.3, own * 0.02):
            raise Unreadable(f"the file is cut short: {end - start:.2f} of its {own:.2f} seconds are there")
        return Facts(
            content_type,
            kind,
            video.width if video is not None and kind == "video" else None,
            video.height if video is not None and kind == "video" else None,
            round(own or end - start, 3),
            frames if kind == "video" else None,
            video.codec_context.codec.canonical_name if video is not None and kind == "video" else None,
            audio.codec_context.codec.canonical_name if audio is not None else None,
        )


def _said_length(data: bytes) -> int:
    """Return the file size in bytes according to its own headers; 0 if unknown, as for a streamed file."""
    content_type = sniff(data)
    if content_type == "audio/wav":
        said = int.from_bytes(data[4:8], "little")
        return 0 if said in (0, 0xFFFFFFFF) else said + 8
    if content_type in ("video/mp4", "video/quicktime"):
        at = 0
        while at + 8 <= len(data):
            size = int.from_bytes(data[at : at + 4], "big")
            if size == 1:
                size = int.from_bytes(data[at + 8 : at + 16], "big")
            if size < 8:
                return 0
            at += size
        return at
    if content_type == "video/webm":
        header, start = _ebml_size(data, 4)
        at = start + header
        if data[at : at + 4] == b"\x18S\x80g":
            segment, start = _ebml_size(data, at + 4)
            return start + segment if segment else 0
    return 0


def _ebml_size(data: bytes, at: int) -> tuple[int, int]:
    """Return the element size stored at `at` in a Matroska file (0: unknown), and where its data begin."""
    first = data[at] if at < len(data) else 0
    width = 9 - first.bit_length()
    if width > 8:
        return 0, at
    marker = 1 << (7 * width)
    value = int.from_bytes(data[at : at + width], "big") & (marker - 1)
    return 0 if value == marker - 1 else value, at + width
