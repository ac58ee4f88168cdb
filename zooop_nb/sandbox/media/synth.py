"""Building blocks for music and effects: noise, band filters, curves, and mixing sounds into a track."""

import random

import numpy as np

from zooop_nb.sandbox.media.audio import RATE, Samples


def noise(rng: random.Random, count: int) -> Samples:
    """Return reproducible white noise."""
    return np.random.default_rng(rng.getrandbits(63)).standard_normal(count, dtype=np.float32)


def band(noise: Samples, low: float, high: float) -> Samples:
    """Band-pass the noise between two frequencies in hertz, with soft edges."""
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    spectrum *= 1 / (1 + (low / np.maximum(hertz, 1)) ** 4) / (1 + (hertz / high) ** 4)
    return np.fft.irfft(spectrum, len(noise)).astype(np.float32)


def add(track: Samples, at: float, sound: Samples, volume: float) -> None:
    """Mix a sound into a track at a time in seconds; it is cut off at the end of the track."""
    start = round(at * RATE)
    room = len(track) - start
    if room > 0:
        track[start : start + len(sound)] += sound[:room] * volume


def clock(seconds: float) -> Samples:
    """Return the time in seconds of each sample of a sound of this length."""
    return np.arange(max(1, round(seconds * RATE)), dtype=np.float32) / RATE


def faded(track: Samples, seconds: float) -> Samples:
    """Fade the track in and out over `seconds`, in place, and return it."""
    count = min(len(track) // 2, round(seconds * RATE))
    if count:
        ramp = np.linspace(0, 1, count, dtype=np.float32)
        track[:count] *= ramp
        track[-count:] *= ramp[::-1]
    return track


def slow(rng: random.Random, seconds: float, pace: float) -> Samples:
    """Return a random, piecewise linear curve between 0 and 1, with `pace` knots per second."""
    knots = max(4, round(seconds * pace) + 3)
    heights = np.array([rng.random() for _ in range(knots)])
    at = np.linspace(0, knots - 1, max(1, round(seconds * RATE)))
    curve: Samples = np.interp(at, np.arange(knots), heights).astype(np.float32)
    return curve
