"""Text-to-speech with eSpeak NG.

The voices are the synthesiser's own, whatever their names in the catalogue: each name always maps to the same
one. Voice cloning is only approximated: a clone takes the sample's pitch and nothing else.
"""

import hashlib
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import espeakng_loader  # type: ignore[import-untyped]
import numpy as np

from zooop_nb.sandbox.media import audio, inputs
from zooop_nb.sandbox.media.audio import Samples
from zooop_nb.sandbox.media.work import Piece, Unreadable, Work

_HIGH = ("f1", "f2", "f3", "f4", "f5", "linda", "steph", "belinda")
_LOW = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "john")
_WOMEN = {
    "alice", "alloy", "anna", "aoede", "aria", "bella", "charlotte", "cherry", "coral", "emily", "emma",
    "female", "girl", "grace", "jessica", "kore", "lady", "laura", "leda", "lily", "matilda", "mia",
    "nova", "olivia", "queen", "rachel", "sage", "sarah", "serena", "shimmer", "sophia", "vivian",
    "woman", "zephyr", "zoe",
}  # fmt: skip
_MEN = {
    "adam", "ash", "bill", "boy", "brian", "callum", "charlie", "charon", "chris", "daniel", "david",
    "echo", "eric", "ethan", "fable", "fenrir", "george", "james", "john", "josh", "king", "liam",
    "male", "man", "onyx", "orus", "puck", "roger", "ryan", "sam", "thomas", "will",
}  # fmt: skip
"""Names that determine whether a voice is high or low; for other names, their hash decides."""

_SCRIPTS = (
    ("぀", "ヿ", "ja"),
    ("가", "힣", "ko"),
    ("一", "鿿", "cmn"),
    ("Ѐ", "ӿ", "ru"),
    ("؀", "ۿ", "ar"),
    ("ऀ", "ॿ", "hi"),
    ("Ͱ", "Ͽ", "el"),
    ("֐", "׿", "he"),
    ("฀", "๿", "th"),
)
_LANGUAGES = {
    "zh": "cmn", "chinese": "cmn", "mandarin": "cmn", "ja": "ja", "japanese": "ja", "ko": "ko",
    "korean": "ko",
    "fr": "fr", "french": "fr", "de": "de", "german": "de", "es": "es", "spanish": "es", "it": "it",
    "italian": "it", "pt": "pt", "portuguese": "pt", "ru": "ru", "russian": "ru", "nl": "nl", "pl": "pl",
    "tr": "tr", "vi": "vi", "id": "id", "hi": "hi", "ar": "ar", "en": "en-us", "english": "en-us",
}  # fmt: skip
_WORDS_A_MINUTE = 165


def render(work: Work, index: int) -> Piece:
    """Render `speech` or `clone` as MP3, or WAV if the params request it; each further output is faster."""
    if not work.prompt.strip():
        raise Unreadable("there is no text to speak")
    voice = work.voice or next(
        (
            value
            for name, value in work.params.items()
            if "voice" in name and isinstance(value, str) and "://" not in value
        ),
        "",
    )
    variant, pitch = timbre(voice)
    if work.action == "clone":
        fundamental = pitch_of(audio.decoded(inputs.sound(work), 16_000), 16_000)
        variant, pitch = cloned(fundamental)
    speed = next(
        (
            float(value)
            for name, value in work.params.items()
            if "speed" in name and isinstance(value, int | float)
        ),
        1.0,
    )
    pace = round(_WORDS_A_MINUTE * min(2.5, max(0.4, speed)) * (1 + 0.04 * index))
    rate, samples = say(work.prompt, f"{language(work)}+{variant}", pace, pitch)
    return audio.sound_piece(audio.levelled(samples), rate, work)


def language(work: Work) -> str:
    """Return eSpeak NG's language name: by the text's script, else the params, else American English."""
    for first, last, name in _SCRIPTS:
        if any(first <= letter <= last for letter in work.prompt):
            return name
    for name, value in work.params.items():
        if "lang" in name and isinstance(value, str):
            return _LANGUAGES.get(value.lower(), _LANGUAGES.get(value.lower().partition("-")[0], "en-us"))
    return "en-us"


def timbre(voice: str) -> tuple[str, int]:
    """Return the eSpeak NG variant and pitch (0 to 99) of a voice's name, always the same for a name."""
    fingerprint = hashlib.sha256(voice.encode("utf-8", "replace")).digest()
    names = set("".join(letter if letter.isalpha() else " " for letter in voice.lower()).split())
    high = not names & _MEN and (bool(names & _WOMEN) or fingerprint[0] % 2 == 0)
    variants = _HIGH if high else _LOW
    return variants[fingerprint[1] % len(variants)], (52 if high else 34) + fingerprint[2] % 22


def cloned(fundamental: float | None) -> tuple[str, int]:
    """Return the variant and pitch nearest to a fundamental in hertz; a medium voice if it is None."""
    if fundamental is None:
        return "m3", 45
    if fundamental >= 160:
        return "f2", round(min(99, max(0, 50 + (fundamental - 210) * 0.35)))
    return "m3", round(min(99, max(0, 50 + (fundamental - 110) * 0.6)))


def pitch_of(samples: Samples, rate: int) -> float | None:
    """Return the median fundamental of a voice in hertz, by autocorrelation; None if nothing is voiced."""
    size, found = rate // 20 * 2, []
    shortest, longest = rate // 400, rate // 70
    loud = float(np.abs(samples).max(initial=0.0))
    for start in range(0, min(len(samples), rate * 20) - size, size):
        block = samples[start : start + size] - samples[start : start + size].mean()
        if np.abs(block).max() < 0.15 * loud or loud == 0:
            continue
        spectrum = np.fft.rfft(block, size * 2)
        likeness = np.fft.irfft(np.abs(spectrum) ** 2)[:longest]
        lag = int(np.argmax(likeness[shortest:longest])) + shortest
        if likeness[lag] > 0.4 * likeness[0]:
            found.append(rate / lag)
    return float(np.median(found)) if found else None


@lru_cache(maxsize=1)
def _command() -> tuple[str, ...]:
    script = Path(__file__).with_name("espeak.py")
    return (
        sys.executable,
        "-I",
        "-S",
        str(script),
        espeakng_loader.get_library_path(),
        espeakng_loader.get_data_path(),
    )


def say(text: str, voice: str, words_a_minute: int, pitch: int) -> tuple[int, Samples]:
    """Return the sample rate and the samples of a text. Raises `RuntimeError` if the synthesiser fails."""
    # In a separate process; `espeak.py` explains why.
    done = subprocess.run(
        [*_command(), voice, str(words_a_minute), str(pitch), "50"],
        input=text.replace("\0", " ").encode("utf-8", "replace"),
        capture_output=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name in ("SYSTEMROOT", "PATH")},
    )
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise RuntimeError(f"the speech synthesiser failed: {reason[-1]}")
    rate = int.from_bytes(done.stdout[:4], "little")
    return rate, (np.frombuffer(done.stdout[4:], dtype=np.int16) / 32768).astype(np.float32)
