"""Test pictures, clips and sounds, and reading rendered files back, with plain Pillow, PyAV and numpy."""

import io
import math
import wave
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw


def picture(
    width: int = 160,
    height: int = 120,
    ground: tuple[int, int, int] = (40, 90, 200),
    subject: tuple[int, int, int] = (230, 120, 40),
) -> Image.Image:
    """Return a picture of a disc on a uniform background."""
    image = Image.new("RGB", (width, height), ground)
    reach = min(width, height) // 4
    middle = width // 2, height // 2
    ImageDraw.Draw(image).ellipse(
        (middle[0] - reach, middle[1] - reach, middle[0] + reach, middle[1] + reach), fill=subject
    )
    return image


def saved(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def loaded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference between two pictures of the same size, from 0 to 255."""
    a, b = (np.asarray(image.convert("RGB"), dtype=float) for image in (one, other))
    return float(np.abs(a - b).mean())


def tone(hertz: float, seconds: float, rate: int = 16_000, *, loud_from: float = 0.0) -> bytes:
    """Return a WAV file with one tone, silent before `loud_from` seconds."""
    t = np.arange(round(seconds * rate)) / rate
    wavy = sum(np.sin(math.tau * hertz * part * t) / part for part in (1, 2, 3)) * 0.3 * (t >= loud_from)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.asarray(wavy) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def clip(frames: list[Image.Image], rate: int = 10, format: str = "mp4", codec: str = "libx264") -> bytes:
    """Return a silent clip like those that cameras and browsers record."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=format) as output:
        # PyAV types a stream by its codec, which is not known here.
        stream: Any = output.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *frames[0].size, "yuv420p"
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.asarray(image.convert("RGB")), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def moving(count: int = 8, step: int = 4) -> list[Image.Image]:
    """Return the frames of a picture that slides to the right."""
    # Vary the brightness of one hue: H.264 halves the colour resolution and would blur mixed colours.
    light = np.random.default_rng(7).uniform(0.2, 1.0, (12, 40, 1))
    wide = (light * (240, 210, 170)).astype(np.uint8)
    large = Image.fromarray(wide).resize((400, 120), Image.Resampling.BICUBIC)
    return [large.crop((200 - number * step, 0, 360 - number * step, 120)) for number in range(count)]


@dataclass
class Read:
    """A clip or sound, fully decoded."""

    video: str | None
    audio: str | None
    size: tuple[int, int]
    frames: list[Image.Image]
    samples: np.ndarray
    rate: int
    tags: dict[str, str]

    @property
    def heard(self) -> float:
        """The duration of the sound, in seconds."""
        return len(self.samples) / self.rate


def read(data: bytes) -> Read:
    file: Any
    with av.open(io.BytesIO(data)) as file:
        video = file.streams.video[0] if file.streams.video else None
        audio = file.streams.audio[0] if file.streams.audio else None
        frames, blocks = [], []
        for frame in file.decode():
            if isinstance(frame, av.VideoFrame):
                frames.append(frame.to_image())  # type: ignore[no-untyped-call]
            else:
                block = frame.to_ndarray().astype(float)
                blocks.append(block.reshape(-1) if block.shape[0] == 1 else block.mean(axis=0))
        return Read(
            video.codec_context.codec.canonical_name if video else None,
            audio.codec_context.codec.canonical_name if audio else None,
            (video.width, video.height) if video else (0, 0),
            frames,
            np.concatenate(blocks) if blocks else np.zeros(0),
            audio.rate if audio else 1,
            dict(file.metadata),
        )
