"""Sample files: a small picture, two seconds of sound, a two-second clip."""

import io
import wave

import av
import numpy as np
from PIL import Image


def encoded(image: Image.Image, format: str) -> bytes:
    out = io.BytesIO()
    image.save(out, format)
    return out.getvalue()


def picture() -> bytes:
    """Return a PNG of 96 by 64 pixels."""
    return encoded(Image.linear_gradient("L").resize((96, 64)).convert("RGB"), "PNG")


def sound() -> bytes:
    """Return a WAV file of 2 seconds."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((np.sin(np.arange(16000) / 5) * 9000).astype("<i2").tobytes())
    return out.getvalue()


def clip() -> bytes:
    """Return an MP4 file of 2 seconds, 64 by 48 pixels."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 12, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()
