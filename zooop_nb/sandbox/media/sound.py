"""Music and sound effects, synthesised with numpy to the asked length, repeatably.

A small band plays a progression of chords whose mode, pace and instruments follow from words of the prompt
("sad", "dance", "piano", 悲伤, ...). Effects are noise and tones shaped after the word (rain, thunder, bell,
laser, wind, footsteps, ...); what is not known is a whoosh.
"""

import math
import random
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from zooop_nb.sandbox.media.audio import RATE, Samples, levelled, sound_piece
from zooop_nb.sandbox.media.scene import called, digest, words
from zooop_nb.sandbox.media.work import Piece, Unreadable, Work

LONGEST = 600.0
"""Seconds. Longer sound is refused: it would take the machine's memory."""


def render(work: Work, index: int) -> Piece:
    """`music` or `sfx`, `work.seconds` long, as MP3, or WAV where the params ask."""
    if not 0 < work.seconds <= LONGEST:
        raise Unreadable(f"{work.seconds} seconds: the sandbox makes sound of up to {LONGEST:.0f} seconds")
    rng = random.Random(digest(work, index))
    if work.action == "sfx":
        return sound_piece(effects(work.prompt, work.seconds, rng), RATE, work)
    flavour = " ".join(
        value
        for name, value in work.params.items()
        if isinstance(value, str) and "://" not in value and "negative" not in name
    )
    return sound_piece(music(f"{work.prompt} {flavour}", work.seconds, rng), RATE, work)


def backing(text: str, seconds: float, rng: random.Random) -> Samples:
    """A quiet pad beneath a clip, in mono."""
    notes = _progression(_minor(text, words(text), rng), rng)
    track = np.zeros(round(seconds * RATE), dtype=np.float32)
    span = max(2.0, min(4.0, seconds))
    for step in range(math.ceil(seconds / span)):
        for note in notes[step % len(notes)]:
            _add(track, step * span, _pad(_hertz(note), min(span * 1.15, seconds - step * span)), 0.12)
    return levelled(_faded(track, 0.3), 0.12)


def _noise(rng: random.Random, count: int) -> Samples:
    return np.random.default_rng(rng.getrandbits(63)).standard_normal(count, dtype=np.float32)


def _band(noise: Samples, low: float, high: float) -> Samples:
    """The noise between two frequencies in hertz, with soft edges."""
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    spectrum *= 1 / (1 + (low / np.maximum(hertz, 1)) ** 4) / (1 + (hertz / high) ** 4)
    return np.fft.irfft(spectrum, len(noise)).astype(np.float32)


def _add(track: Samples, at: float, sound: Samples, volume: float) -> None:
    start = round(at * RATE)
    room = len(track) - start
    if room > 0:
        track[start : start + len(sound)] += sound[:room] * volume


def _clock(seconds: float) -> Samples:
    return np.arange(max(1, round(seconds * RATE)), dtype=np.float32) / RATE


def _faded(track: Samples, seconds: float) -> Samples:
    count = min(len(track) // 2, round(seconds * RATE))
    if count:
        ramp = np.linspace(0, 1, count, dtype=np.float32)
        track[:count] *= ramp
        track[-count:] *= ramp[::-1]
    return track


def _slow(rng: random.Random, seconds: float, pace: float) -> Samples:
    """A curve between 0 and 1 that wanders `pace` times a second."""
    knots = max(4, round(seconds * pace) + 3)
    heights = np.array([rng.random() for _ in range(knots)])
    at = np.linspace(0, knots - 1, max(1, round(seconds * RATE)))
    curve: Samples = np.interp(at, np.arange(knots), heights).astype(np.float32)
    return curve


def _rain(seconds: float, rng: random.Random) -> Samples:
    count = round(seconds * RATE)
    track = _band(_noise(rng, count), 900, 7000) * 0.25
    for _ in range(round(seconds * 24)):
        t = _clock(0.03)
        _add(
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
            _band(_noise(rng, round(length * RATE)), 25, 160)
            * (0.4 + _slow(rng, length, 6))[: round(length * RATE)]
        )
        _add(track, at, roll * np.exp(-np.arange(len(roll), dtype=np.float32) / RATE * 1.1), 6.0)
        _add(
            track,
            at,
            _band(_noise(rng, RATE // 3), 200, 2500) * np.exp(-_clock(1 / 3)[: RATE // 3] * 16),
            1.2,
        )
        at += rng.uniform(3.5, 6.5)
    return track


def _bell(seconds: float, rng: random.Random) -> Samples:
    track, at, base = np.zeros(round(seconds * RATE), dtype=np.float32), 0.0, rng.uniform(420, 760)
    while at < seconds:
        t = _clock(min(4.0, max(0.2, seconds - at)))
        for ratio, volume, decay in (
            (0.5, 0.5, 0.9),
            (1, 1, 1.2),
            (1.19, 0.6, 1.7),
            (2.0, 0.5, 2.4),
            (2.74, 0.35, 3.4),
            (3.76, 0.2, 5),
        ):
            _add(track, at, np.sin(math.tau * base * ratio * t) * np.exp(-t * decay), volume)
        at += 1.6
    return track


def _laser(seconds: float, rng: random.Random) -> Samples:
    track, at = np.zeros(round(seconds * RATE), dtype=np.float32), 0.0
    while at < seconds:
        t = _clock(0.28)
        high, low = rng.uniform(1800, 3200), rng.uniform(140, 320)
        phase = math.tau * np.cumsum(low + (high - low) * np.exp(-t * 13)) / RATE
        _add(track, at, (np.sign(np.sin(phase)) * 0.3 + np.sin(phase)) * np.exp(-t * 7), 0.7)
        at += rng.uniform(0.32, 0.7)
    return track


def _wind(seconds: float, rng: random.Random) -> Samples:
    count = round(seconds * RATE)
    noise = _noise(rng, count)
    howl = _slow(rng, seconds, 0.8)[:count]
    return (_band(noise, 120, 500) * (0.35 + 0.65 * howl) + _band(noise, 500, 1300) * howl**2 * 0.7).astype(
        np.float32
    )


def _footsteps(seconds: float, rng: random.Random) -> Samples:
    track, at, step = np.zeros(round(seconds * RATE), dtype=np.float32), 0.05, 0
    while at < seconds:
        t = _clock(0.16)
        thud = np.sin(math.tau * (70 + 14 * (step % 2)) * t) * np.exp(-t * 34)
        scuff = _band(_noise(rng, len(t)), 900, 5200) * np.exp(-t * 46)
        _add(track, at, thud + scuff * 0.7, rng.uniform(0.8, 1.0))
        at, step = at + rng.uniform(0.5, 0.56), step + 1
    return track


def _waves(seconds: float, rng: random.Random) -> Samples:
    noise = _band(_noise(rng, round(seconds * RATE)), 150, 2600)
    t = np.arange(len(noise), dtype=np.float32) / RATE
    return noise * (0.15 + np.clip(np.sin(math.tau * t / 5.2 + rng.uniform(-0.8, 0.2)), 0, 1) ** 2)


def _fire(seconds: float, rng: random.Random) -> Samples:
    track = _band(_noise(rng, round(seconds * RATE)), 60, 420) * 0.5
    for _ in range(round(seconds * 16)):
        t = _clock(0.02)
        _add(
            track,
            rng.uniform(0, seconds),
            _band(_noise(rng, len(t)), 1200, 8000) * np.exp(-t * 260),
            rng.uniform(0.4, 1.6),
        )
    return track


def _birds(seconds: float, rng: random.Random) -> Samples:
    track, at = np.zeros(round(seconds * RATE), dtype=np.float32), 0.0
    while at < seconds:
        base = rng.uniform(2300, 4200)
        for note in range(rng.randint(2, 5)):
            t = _clock(0.09)
            phase = math.tau * np.cumsum(base * (1 + 0.22 * np.sin(math.tau * 9 * t + note))) / RATE
            _add(track, at + note * 0.12, np.sin(phase) * np.sin(np.pi * t / 0.09), 0.5)
        at += rng.uniform(0.6, 1.4)
    return track


def _explosion(seconds: float, rng: random.Random) -> Samples:
    noise = _band(_noise(rng, round(seconds * RATE)), 20, 900)
    t = np.arange(len(noise), dtype=np.float32) / RATE
    return (noise * 4 + np.sin(math.tau * 42 * t) * 1.2) * np.exp(-t * 2.2)


def _heartbeat(seconds: float, rng: random.Random) -> Samples:
    track, at = np.zeros(round(seconds * RATE), dtype=np.float32), 0.0
    while at < seconds:
        for after, volume in ((0.0, 1.0), (0.28, 0.7)):
            t = _clock(0.18)
            _add(track, at + after, np.sin(math.tau * 55 * t) * np.exp(-t * 22), volume)
        at += rng.uniform(0.86, 0.92)
    return track


def _beeps(seconds: float, rng: random.Random) -> Samples:
    track, at, hertz = np.zeros(round(seconds * RATE), dtype=np.float32), 0.0, rng.choice((880, 988, 1047))
    while at < seconds:
        t = _clock(0.12)
        _add(track, at, np.sin(math.tau * hertz * t) * np.minimum(1, np.minimum(t, 0.12 - t) * 200), 0.7)
        at += 0.4
    return track


def _whoosh(seconds: float, rng: random.Random) -> Samples:
    track, at = np.zeros(round(seconds * RATE), dtype=np.float32), 0.0
    while at < seconds:
        length = min(1.3, max(0.2, seconds - at))
        t = _clock(length)
        swell = np.sin(np.pi * t / length) ** 2
        low, high = (_band(_noise(rng, len(t)), *edges) for edges in ((180, 700), (900, 4200)))
        _add(track, at, (low * (1 - t / length) + high * (t / length)) * swell, 1.0)
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
"""Words -> what they sound like; several may sound at once."""


def effects(text: str, seconds: float, rng: random.Random) -> Samples:
    """Every sound that the text names, together, in mono; a whoosh where it names none that is known."""
    spoken = words(text)
    named = [make for names, make in EFFECTS if called(names, spoken, text.lower())] or [_whoosh]
    track = np.zeros(round(seconds * RATE), dtype=np.float32)
    for make in named:
        track += levelled(make(seconds, rng)[: len(track)], 0.8) / len(named)
    return levelled(_faded(track, 0.012))


def _hertz(note: int) -> float:
    """Of a MIDI note."""
    return 440.0 * 2 ** ((note - 69) / 12)


def _sine(hertz: float, t: Samples) -> Samples:
    wave: Samples = np.sin((math.tau * hertz) * t)
    return wave


def _pad(hertz: float, seconds: float) -> Samples:
    t = _clock(seconds)
    swell = np.minimum(1, np.minimum(t / 0.5, (seconds - t) / 0.5)).clip(0)
    tone: Samples = (
        (_sine(hertz * 1.002, t) + _sine(hertz * 0.998, t) + 0.3 * _sine(hertz * 2, t)) * swell / 2.3
    )
    return tone


def _pluck(hertz: float, seconds: float) -> Samples:
    t = _clock(seconds)
    tone = np.zeros_like(t)
    for part in (1, 2, 3, 4):
        tone += _sine(hertz * part, t) * np.exp(-t * (2.2 + 1.6 * part)) / part
    return tone * np.minimum(1, t * 400)


def _bass(hertz: float, seconds: float) -> Samples:
    t = _clock(seconds)
    tone: Samples = (_sine(hertz, t) + 0.35 * _sine(hertz * 2, t)) * np.exp(-t * 1.8)
    return tone * np.minimum(1, t * 200)


def _kick() -> Samples:
    t = _clock(0.26)
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
    """Four chords as MIDI notes."""
    root = rng.randint(55, 62)
    scale = (0, 2, 3, 5, 7, 8, 10) if minor else (0, 2, 4, 5, 7, 9, 11)
    degrees = rng.choice(
        ((0, 5, 2, 6), (0, 3, 5, 4), (0, 5, 3, 4)) if minor else ((0, 4, 5, 3), (0, 5, 3, 4), (3, 0, 4, 5))
    )

    def note(degree: int) -> int:
        return root + scale[degree % 7] + 12 * (degree // 7)

    return [(note(degree), note(degree + 2), note(degree + 4)) for degree in degrees]


def tempo(text: str, rng: random.Random) -> int:
    """Beats a minute, from words."""
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
    """A piece in stereo: chords, bass, an arpeggio, a tune, and drums unless the words ask for calm."""
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
    hat = _band(_noise(rng, RATE // 20), 6000, 14000) * np.exp(-_clock(0.05)[: RATE // 20] * 90)
    snare = _band(_noise(rng, RATE // 5), 700, 6500) * np.exp(-_clock(0.2)[: RATE // 5] * 22)
    tune = [rng.choice((0, 1, 2, 1, 2, None)) for _ in range(8)]
    order = rng.sample(range(3), 3)

    def play(at: float, sound: Samples, volume: float, side: float = 0.0) -> None:
        _add(left, at, sound, volume * (1 - max(0.0, side)))
        _add(right, at, sound, volume * (1 + min(0.0, side)))

    # Four chords come round and round: each sound of theirs is made once.
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
    both = np.stack([_faded(left, min(1.2, seconds / 6)), _faded(right, min(1.2, seconds / 6))], axis=1)
    return levelled(both)
