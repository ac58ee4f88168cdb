"""Sound effects: noise and tones shaped by what a text names (rain, thunder, bell, laser, ...)."""

import math
import random
from collections.abc import Callable

import numpy as np

from zooop_nb.sandbox.media.audio import RATE, Samples, levelled
from zooop_nb.sandbox.media.reading import called, words
from zooop_nb.sandbox.media.synth import add, band, clock, faded, noise, slow


def _rain(seconds: float, rng: random.Random) -> Samples:
    count = round(seconds * RATE)
    track = band(noise(rng, count), 900, 7000) * 0.25
    for _ in range(round(seconds * 24)):
        t = clock(0.03)
        add(
            track,
            rng.uniform(0, seconds),
            np.sin(math.tau * rng.uniform(1500, 4200) * t) * np.exp(-t * 190),
            rng.uniform(0.2, 0.7),
        )
    return track


def _thunder(seconds: float, rng: random.Random) -> Samples:
    count = round(seconds * RATE)
    track, at = np.zeros(count, dtype=np.float32), 0.1 * min(1.0, seconds)
    while at < seconds:
        length = min(4.5, max(0.5, seconds - at))
        roll = (
            band(noise(rng, round(length * RATE)), 25, 160)
            * (0.4 + slow(rng, length, 6))[: round(length * RATE)]
        )
        add(track, at, roll * np.exp(-np.arange(len(roll), dtype=np.float32) / RATE * 1.1), 6.0)
        add(
            track,
            at,
            band(noise(rng, RATE // 3), 200, 2500) * np.exp(-clock(1 / 3)[: RATE // 3] * 16),
            1.2,
        )
        at += rng.uniform(3.5, 6.5)
    return track


def _bell(seconds: float, rng: random.Random) -> Samples:
    track, at, base = np.zeros(round(seconds * RATE), dtype=np.float32), 0.0, rng.uniform(420, 760)
    while at < seconds:
        t = clock(min(4.0, max(0.2, seconds - at)))
        for ratio, volume, decay in (
            (0.5, 0.5, 0.9),
            (1, 1, 1.2),
            (1.19, 0.6, 1.7),
            (2.0, 0.5, 2.4),
            (2.74, 0.35, 3.4),
            (3.76, 0.2, 5),
        ):
            add(track, at, np.sin(math.tau * base * ratio * t) * np.exp(-t * decay), volume)
        at += 1.6
    return track


def _laser(seconds: float, rng: random.Random) -> Samples:
    track, at = np.zeros(round(seconds * RATE), dtype=np.float32), 0.0
    while at < seconds:
        t = clock(0.28)
        high, low = rng.uniform(1800, 3200), rng.uniform(140, 320)
        phase = math.tau * np.cumsum(low + (high - low) * np.exp(-t * 13)) / RATE
        add(track, at, (np.sign(np.sin(phase)) * 0.3 + np.sin(phase)) * np.exp(-t * 7), 0.7)
        at += rng.uniform(0.32, 0.7)
    return track


def _wind(seconds: float, rng: random.Random) -> Samples:
    count = round(seconds * RATE)
    rush = noise(rng, count)
    howl = slow(rng, seconds, 0.8)[:count]
    return (band(rush, 120, 500) * (0.35 + 0.65 * howl) + band(rush, 500, 1300) * howl**2 * 0.7).astype(
        np.float32
    )


def _footsteps(seconds: float, rng: random.Random) -> Samples:
    track, at, step = np.zeros(round(seconds * RATE), dtype=np.float32), 0.05, 0
    while at < seconds:
        t = clock(0.16)
        thud = np.sin(math.tau * (70 + 14 * (step % 2)) * t) * np.exp(-t * 34)
        scuff = band(noise(rng, len(t)), 900, 5200) * np.exp(-t * 46)
        add(track, at, thud + scuff * 0.7, rng.uniform(0.8, 1.0))
        at, step = at + rng.uniform(0.5, 0.56), step + 1
    return track


def _waves(seconds: float, rng: random.Random) -> Samples:
    rush = band(noise(rng, round(seconds * RATE)), 150, 2600)
    t = np.arange(len(rush), dtype=np.float32) / RATE
    return rush * (0.15 + np.clip(np.sin(math.tau * t / 5.2 + rng.uniform(-0.8, 0.2)), 0, 1) ** 2)


def _fire(seconds: float, rng: random.Random) -> Samples:
    track = band(noise(rng, round(seconds * RATE)), 60, 420) * 0.5
    for _ in range(round(seconds * 16)):
        t = clock(0.02)
        add(
            track,
            rng.uniform(0, seconds),
            band(noise(rng, len(t)), 1200, 8000) * np.exp(-t * 260),
            rng.uniform(0.4, 1.6),
        )
    return track


def _birds(seconds: float, rng: random.Random) -> Samples:
    track, at = np.zeros(round(seconds * RATE), dtype=np.float32), 0.0
    while at < seconds:
        base = rng.uniform(2300, 4200)
        for note in range(rng.randint(2, 5)):
            t = clock(0.09)
            phase = math.tau * np.cumsum(base * (1 + 0.22 * np.sin(math.tau * 9 * t + note))) / RATE
            add(track, at + note * 0.12, np.sin(phase) * np.sin(np.pi * t / 0.09), 0.5)
        at += rng.uniform(0.6, 1.4)
    return track


def _explosion(seconds: float, rng: random.Random) -> Samples:
    rush = band(noise(rng, round(seconds * RATE)), 20, 900)
    t = np.arange(len(rush), dtype=np.float32) / RATE
    return (rush * 4 + np.sin(math.tau * 42 * t) * 1.2) * np.exp(-t * 2.2)


def _heartbeat(seconds: float, rng: random.Random) -> Samples:
    track, at = np.zeros(round(seconds * RATE), dtype=np.float32), 0.0
    while at < seconds:
        for after, volume in ((0.0, 1.0), (0.28, 0.7)):
            t = clock(0.18)
            add(track, at + after, np.sin(math.tau * 55 * t) * np.exp(-t * 22), volume)
        at += rng.uniform(0.86, 0.92)
    return track


def _beeps(seconds: float, rng: random.Random) -> Samples:
    track, at, hertz = np.zeros(round(seconds * RATE), dtype=np.float32), 0.0, rng.choice((880, 988, 1047))
    while at < seconds:
        t = clock(0.12)
        add(track, at, np.sin(math.tau * hertz * t) * np.minimum(1, np.minimum(t, 0.12 - t) * 200), 0.7)
        at += 0.4
    return track


def _whoosh(seconds: float, rng: random.Random) -> Samples:
    track, at = np.zeros(round(seconds * RATE), dtype=np.float32), 0.0
    while at < seconds:
        length = min(1.3, max(0.2, seconds - at))
        t = clock(length)
        swell = np.sin(np.pi * t / length) ** 2
        low, high = (band(noise(rng, len(t)), *edges) for edges in ((180, 700), (900, 4200)))
        add(track, at, (low * (1 - t / length) + high * (t / length)) * swell, 1.0)
        at += rng.uniform(1.5, 2.2)
    return track


EFFECTS: tuple[tuple[tuple[str, ...], Callable[[float, random.Random], Samples]], ...] = (
    (("rain", "drizzle", "雨"), _rain),
    (("thunder", "lightning", "storm", "雷"), _thunder),
    (("bell", "chime", "ding", "doorbell", "铃", "钟"), _bell),
    (("laser", "blaster", "zap", "激光"), _laser),
    (("wind", "breeze", "风"), _wind),
    (("footstep", "footsteps", "walking", "steps", "脚步"), _footsteps),
    (("sea", "ocean", "waves", "surf", "海", "浪"), _waves),
    (("fire", "campfire", "crackling", "火"), _fire),
    (("bird", "birdsong", "chirping", "鸟"), _birds),
    (("explosion", "blast", "boom", "爆炸"), _explosion),
    (("heartbeat", "heart", "心跳"), _heartbeat),
    (("beep", "alarm", "notification", "警报", "提示音"), _beeps),
)
"""Trigger words -> the effect; several may sound at once."""


def effects(text: str, seconds: float, rng: random.Random) -> Samples:
    """Return a mono mix of every known sound that the text names; a whoosh if it names none."""
    spoken = words(text)
    named = [make for names, make in EFFECTS if called(names, spoken, text.lower())] or [_whoosh]
    track = np.zeros(round(seconds * RATE), dtype=np.float32)
    for make in named:
        track += levelled(make(seconds, rng)[: len(track)], 0.8) / len(named)
    return levelled(faded(track, 0.012))
