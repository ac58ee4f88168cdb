"""Music: a small band that plays a chord progression.

Mode, tempo and drums are chosen by words ("sad", "dance", "piano", 悲伤, ...), the rest by the seed.
"""

import math
import random
from functools import lru_cache

import numpy as np

from zooop_nb.sandbox.media.audio import RATE, Samples, levelled
from zooop_nb.sandbox.media.reading import called, words
from zooop_nb.sandbox.media.synth import add, band, clock, faded, noise


def backing(text: str, seconds: float, rng: random.Random) -> Samples:
    """Return a quiet pad as the background of a clip, in mono."""
    notes = _progression(_minor(text, words(text), rng), rng)
    track = np.zeros(round(seconds * RATE), dtype=np.float32)
    span = max(2.0, min(4.0, seconds))
    for step in range(math.ceil(seconds / span)):
        for note in notes[step % len(notes)]:
            add(track, step * span, _pad(_hertz(note), min(span * 1.15, seconds - step * span)), 0.12)
    return levelled(faded(track, 0.3), 0.12)


def _hertz(note: int) -> float:
    """Return the frequency of a MIDI note."""
    return 440.0 * 2 ** ((note - 69) / 12)


def _sine(hertz: float, t: Samples) -> Samples:
    wave: Samples = np.sin((math.tau * hertz) * t)
    return wave


def _pad(hertz: float, seconds: float) -> Samples:
    t = clock(seconds)
    swell = np.minimum(1, np.minimum(t / 0.5, (seconds - t) / 0.5)).clip(0)
    tone: Samples = (
        (_sine(hertz * 1.002, t) + _sine(hertz * 0.998, t) + 0.3 * _sine(hertz * 2, t)) * swell / 2.3
    )
    return tone


def _pluck(hertz: float, seconds: float) -> Samples:
    t = clock(seconds)
    tone = np.zeros_like(t)
    for part in (1, 2, 3, 4):
        tone += _sine(hertz * part, t) * np.exp(-t * (2.2 + 1.6 * part)) / part
    return tone * np.minimum(1, t * 400)


def _bass(hertz: float, seconds: float) -> Samples:
    t = clock(seconds)
    tone: Samples = (_sine(hertz, t) + 0.35 * _sine(hertz * 2, t)) * np.exp(-t * 1.8)
    return tone * np.minimum(1, t * 200)


def _kick() -> Samples:
    t = clock(0.26)
    thump: Samples = np.sin(math.tau * np.cumsum(48 + 110 * np.exp(-t * 34)) / RATE) * np.exp(-t * 13)
    return thump


def _minor(text: str, spoken: list[str], rng: random.Random) -> bool:
    plain = text.lower()
    if called(
        (
            "sad",
            "dark",
            "melancholy",
            "melancholic",
            "night",
            "rain",
            "lonely",
            "minor",
            "epic",
            "tense",
            "悲",
            "伤",
            "夜",
            "雨",
            "史诗",
        ),
        spoken,
        plain,
    ):
        return True
    if called(
        (
            "happy",
            "upbeat",
            "joyful",
            "bright",
            "sunny",
            "summer",
            "dance",
            "love",
            "major",
            "快乐",
            "欢",
            "阳光",
        ),
        spoken,
        plain,
    ):
        return False
    return rng.random() < 0.4


def _progression(minor: bool, rng: random.Random) -> list[tuple[int, int, int]]:
    """Return four chords as MIDI notes."""
    root = rng.randint(55, 62)
    scale = (0, 2, 3, 5, 7, 8, 10) if minor else (0, 2, 4, 5, 7, 9, 11)
    degrees = rng.choice(
        ((0, 5, 2, 6), (0, 3, 5, 4), (0, 5, 3, 4)) if minor else ((0, 4, 5, 3), (0, 5, 3, 4), (3, 0, 4, 5))
    )

    def note(degree: int) -> int:
        return root + scale[degree % 7] + 12 * (degree // 7)

    return [(note(degree), note(degree + 2), note(degree + 4)) for degree in degrees]


def tempo(text: str, rng: random.Random) -> int:
    """Return the beats per minute that the text suggests."""
    spoken, plain = words(text), text.lower()
    if called(
        ("slow", "sad", "ambient", "calm", "lullaby", "sleep", "relaxing", "慢", "平静", "摇篮"),
        spoken,
        plain,
    ):
        return rng.randint(62, 76)
    if called(
        ("fast", "dance", "edm", "techno", "upbeat", "energetic", "rock", "快", "舞", "摇滚"), spoken, plain
    ):
        return rng.randint(120, 132)
    return rng.randint(84, 108)


def music(text: str, seconds: float, rng: random.Random) -> Samples:
    """Return a piece in stereo: chords, bass, an arpeggio, a tune, and drums unless the text is calm."""
    spoken, plain = words(text), text.lower()
    minor, beat = _minor(text, spoken, rng), 60 / tempo(text, rng)
    chords, bar = _progression(minor, rng), 4 * beat
    calm = called(
        (
            "ambient",
            "calm",
            "lullaby",
            "sleep",
            "piano",
            "acoustic",
            "relaxing",
            "meditation",
            "平静",
            "钢琴",
            "摇篮",
        ),
        spoken,
        plain,
    )
    count = round(seconds * RATE)
    left, right = np.zeros(count, dtype=np.float32), np.zeros(count, dtype=np.float32)
    kick = _kick()
    hat = band(noise(rng, RATE // 20), 6000, 14000) * np.exp(-clock(0.05)[: RATE // 20] * 90)
    snare = band(noise(rng, RATE // 5), 700, 6500) * np.exp(-clock(0.2)[: RATE // 5] * 22)
    tune = [rng.choice((0, 1, 2, 1, 2, None)) for _ in range(8)]
    order = rng.sample(range(3), 3)

    def play(at: float, sound: Samples, volume: float, side: float = 0.0) -> None:
        add(left, at, sound, volume * (1 - max(0.0, side)))
        add(right, at, sound, volume * (1 + min(0.0, side)))

    # The four chords repeat, so each of their sounds is synthesised only once.
    pad, bass, pluck = (lru_cache(maxsize=64)(make) for make in (_pad, _bass, _pluck))
    for number in range(math.ceil(seconds / bar)):
        at, chord = number * bar, chords[number % 4]
        for place, note in enumerate(chord):
            play(at, pad(_hertz(note), bar * 1.1), 0.1, (place - 1) * 0.4)
        for half in range(2):
            play(at + half * bar / 2, bass(_hertz(chord[0] - 24), bar / 2), 0.34)
        for eighth in range(8):
            note = chord[order[eighth % 3]] + (12 if eighth % 4 == 3 else 0)
            play(at + eighth * beat / 2, pluck(_hertz(note), 0.9), 0.15, 0.5 if eighth % 2 else -0.5)
            step = tune[eighth]
            if step is not None and number % 4 != 0 and eighth % 2 == 0:
                play(at + eighth * beat / 2, pluck(_hertz(chord[step] + 12), 0.9), 0.26, 0.15)
        if not calm and number > 0:
            for quarter in range(4):
                if quarter % 2 == 0:
                    play(at + quarter * beat, kick, 0.5)
                else:
                    play(at + quarter * beat, snare, 0.22)
                for off in (0.0, 0.5):
                    play(at + (quarter + off) * beat, hat, 0.1, 0.3)
    both = np.stack([faded(left, min(1.2, seconds / 6)), faded(right, min(1.2, seconds / 6))], axis=1)
    return levelled(both)
