"""Sound as samples: decode input files with PyAV, and write MP3 or WAV."""

import io
import wave
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from zooop_nb.sandbox.media.facts import container
from zooop_nb.sandbox.media.pixels import mark
from zooop_nb.sandbox.media.work import Piece, Unreadable, Work

RATE = 44_100
"""Samples per second of all synthesised sound; speech keeps its synthesiser's rate."""

Samples = NDArray[np.floating[Any]]
"""Mono or (length, 2) stereo, -1 to 1."""


def decoded(data: bytes, rate: int = RATE) -> Samples:
    """Return the samples of a sound, or of a clip's sound track, in mono. Raises `Unreadable`."""
    blocks = []
    try:
        with container(data) as file:
            if not file.streams.audio:
                raise Unreadable("the file has no sound track")
            resampler = av.AudioResampler("flt", "mono", rate)
            for frame in file.decode(file.streams.audio[0]):
                blocks += [part.to_ndarray()[0] for part in resampler.resample(frame)]
            blocks += [part.to_ndarray()[0] for part in resampler.resample(None)]
    except av.error.FFmpegError as reason:
        raise Unreadable(f"the sound cannot be decoded: {reason}") from reason
    if not blocks:
        raise Unreadable("the sound is empty")
    return np.concatenate(blocks).astype(np.float32)


def has_sound(data: bytes) -> bool:
    """Return whether a clip has a sound track."""
    with container(data) as file:
        return bool(file.streams.audio)


def levelled(samples: Samples, peak: float = 0.85) -> Samples:
    """Return the samples scaled so that the loudest is at `peak`; silence stays silence."""
    top = float(np.abs(samples).max(initial=0.0))
    return samples if top == 0 else (samples * (peak / top)).astype(np.float32)


def wants_wave(work: Work) -> bool:
    """Return whether the params request WAV: `output_format: "wav"`, `format: "wav_44100"` and the like."""
    return any(
        "format" in name and isinstance(value, str) and value.lower().startswith(("wav", "pcm"))
        for name, value in work.params.items()
    )


def sound_piece(samples: Samples, rate: int, work: Work) -> Piece:
    """Encode the samples as MP3 with the mark in the tags, or as WAV if the params request it."""
    whole = np.clip(samples, -1.0, 1.0)
    pcm = (whole * 32767).round().astype("<i2")
    channels = 1 if pcm.ndim == 1 else pcm.shape[1]
    seconds = len(pcm) / rate
    if wants_wave(work):
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(pcm.tobytes())
        return Piece(buffer.getvalue(), "audio/wav", seconds=seconds)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3", options={"fflags": "+bitexact", "id3v2_version": "3"}) as output:
        output.metadata["title"] = mark(work)
        layout = "mono" if channels == 1 else "stereo"
        stream = output.add_stream("libmp3lame", rate=rate, layout=layout, bit_rate=128_000)
        # LAME's fast preset: encoding at its default quality dominates the time for a long piece.
        stream.codec_context.options = {"compression_level": "7"}
        stream.codec_context.format = "s16p"
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(pcm.reshape(len(pcm), channels).T), "s16p", layout
        )
        frame.sample_rate = rate
        frame.pts = 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return Piece(buffer.getvalue(), "audio/mpeg", seconds=seconds)
