"""Read clips frame by frame at a given rate, and write small MP4 files (H.264 and AAC), with PyAV.

Files are written with one encoder thread and no dates, so equal frames give identical bytes on any number of
cores.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import av.error
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from PIL import Image

from zooop_nb.sandbox.media.audio import RATE, Samples
from zooop_nb.sandbox.media.facts import container, measure, sniff
from zooop_nb.sandbox.media.pixels import mark, thumbnail
from zooop_nb.sandbox.media.work import Piece, Unreadable, Work


@dataclass(frozen=True)
class Shot:
    """The properties of a clip that are needed to make another from it."""

    width: int
    """Pixels, even: odd sizes lose their last column or row, because H.264 cannot encode them."""
    height: int
    seconds: float
    rate: Fraction
    """Frames per second, at most 60."""


def pace(width: int, height: int) -> int:
    """Return the frames per second of a generated clip: few, and fewer for larger frames, to be quick."""
    return 12 if width * height <= 450_000 else 10 if width * height <= 1_000_000 else 8


def even(length: int) -> int:
    """Round down to an even size, which H.264 requires, of at least 16 pixels."""
    return max(16, length - length % 2)


def shot(data: bytes) -> Shot:
    """Return size, length and frame rate of an input clip. Raises `Unreadable`."""
    facts = measure(data, sniff(data) or "")
    if facts.width is None or facts.height is None or facts.seconds is None or not facts.frames:
        raise Unreadable("the file has no picture track")
    rate = min(Fraction(60), Fraction(facts.frames / max(facts.seconds, 0.001)).limit_denominator(1001))
    return Shot(even(facts.width), even(facts.height), facts.seconds, rate)


def frames(data: bytes, rate: Fraction, width: int, height: int) -> Iterator[Image.Image]:
    """Yield a clip's frames in the given size at the given rate; the last is the clip's last frame."""
    held: av.VideoFrame | None = None
    due = 0
    try:
        with container(data) as file:
            stream = file.streams.video[0]
            start: float | None = None
            for frame in file.decode(stream):
                at = frame.time or 0.0
                start = at if start is None else start
                if held is not None:
                    while float(due / rate) < at - start - 1e-6:
                        yield _image(held, width, height)
                        due += 1
                held = frame
            if held is not None:
                yield _image(held, width, height)
    except av.error.FFmpegError as reason:
        raise Unreadable(f"the clip cannot be decoded: {reason}") from reason


def _image(frame: av.VideoFrame, width: int, height: int) -> Image.Image:
    smooth = frame.reformat(width, height, "rgb24", interpolation=Interpolation.LANCZOS)
    return Image.fromarray(smooth.to_ndarray(), "RGB")


def last_frame(data: bytes, width: int, height: int) -> Image.Image:
    """Return a clip's last frame."""
    at_the_end = deque(frames(data, Fraction(1, 3600), width, height), maxlen=1)
    if not at_the_end:
        raise Unreadable("the clip has no frame that can be decoded")
    return at_the_end[0]


def clip_piece(pictures: Iterable[Image.Image], rate: Fraction, sound: Samples, work: Work) -> Piece:
    """Encode frames and sound (mono, at `audio.RATE`) as MP4; the sound is cut or padded to their length."""
    stream = iter(pictures)
    first = next(stream, None)
    if first is None:
        raise Unreadable("the clip has no frames")
    # A temporary file is needed: to put the index in front ("faststart", so that a clip plays while it loads)
    # the muxer reads back what it wrote, which it can do only from a path.
    with TemporaryDirectory(prefix="zooop-sandbox-") as folder:
        path = Path(folder) / "clip.mp4"
        tally = _write(path, first, stream, rate, sound, work)
        data = path.read_bytes()
    return Piece(data, "video/mp4", *thumbnail(first), *first.size, float(tally / rate))


def _write(
    path: Path, first: Image.Image, rest: Iterator[Image.Image], rate: Fraction, sound: Samples, work: Work
) -> int:
    """Write the file and return the number of frames in it."""
    with av.open(
        path, "w", format="mp4", options={"fflags": "+bitexact", "movflags": "+faststart"}
    ) as output:
        output.metadata["comment"] = mark(work)
        settings = {"preset": "veryfast", "crf": "22", "threads": "1", "g": str(max(1, round(rate * 2)))}
        # On CPUs with AVX-512, x264's macroblock tree reads memory that it never wrote, and equal frames give
        # different bytes.
        settings["x264-params"] = "mbtree=0"
        video = output.add_stream("libx264", rate=rate, options=settings)
        video.width, video.height, video.pix_fmt = *first.size, "yuv420p"
        # State the colour space, because players assume another standard for large clips.
        video.codec_context.colorspace, video.codec_context.color_range = (
            Colorspace.ITU601,
            ColorRange.MPEG,
        )
        voice = output.add_stream("aac", rate=RATE, layout="mono", bit_rate=64_000)
        tally = 0
        for picture in chain((first,), rest):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), "rgb24")
            frame.pts, frame.time_base = tally, 1 / rate
            tally += 1
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        track = np.zeros(round(float(tally / rate) * RATE), dtype=np.float32)
        heard = sound[: len(track)]
        track[: len(heard)] = heard
        sounded = av.AudioFrame.from_ndarray(np.clip(track, -1, 1)[None, :], "fltp", "mono")
        sounded.sample_rate, sounded.pts = RATE, 0
        output.mux(voice.encode(sounded))
        output.mux(voice.encode(None))
    return tally
