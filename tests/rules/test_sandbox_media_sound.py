"""The sandbox's speech, music and sound effects, read back with PyAV."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.support.media import Read, picture, read, saved, tone
from zooop_nb.sandbox.media import Piece, Unreadable, Work, measure, render
from zooop_nb.sandbox.media.speech import language, pitch_of, timbre


def one(**order: object) -> tuple[Piece, Read]:
    order.setdefault("prompt", "The red panda walks home in the rain.")
    order.setdefault("model", "ElevenLabs")
    (piece,) = render(Work(**order))  # type: ignore[arg-type]
    return piece, read(piece.data)


def centre(sound: Read) -> float:
    """Return the mean frequency of a sound in hertz, a measure of its brightness."""
    power = np.abs(np.fft.rfft(sound.samples)) ** 2
    return float((power * np.fft.rfftfreq(len(sound.samples), 1 / sound.rate)).sum() / power.sum())


def test_speech_is_an_mp3_whose_length_follows_the_text() -> None:
    piece, short = one(action="speech")
    facts = measure(piece.data, "audio/mpeg")
    assert (piece.content_type, short.audio, piece.thumbnail) == ("audio/mpeg", "mp3", None)
    assert facts.seconds == pytest.approx(piece.seconds, abs=0.1)
    assert 1.5 < short.heard < 5
    assert (
        one(action="speech", prompt="The red panda walks home in the rain. " * 3)[1].heard > 2.5 * short.heard
    )
    assert np.abs(short.samples).max() > 0.3
    assert short.tags["title"] == "ZOOOP sandbox · ElevenLabs"


def test_speech_is_a_wav_where_the_params_ask() -> None:
    piece, sound = one(action="speech", params={"output_format": "wav"})
    assert (piece.content_type, sound.audio) == ("audio/wav", "pcm_s16le")
    assert measure(piece.data, "audio/wav").seconds == pytest.approx(piece.seconds, abs=0.001)


def test_the_same_words_give_the_same_bytes_from_many_threads_at_once() -> None:
    work = Work("speech", "The same words.", voice="Rachel")
    other = Work("speech", "Ganz andere Worte.", voice="Adam")
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(render, [work, other] * 6))
    assert {pieces[0].data for pieces in made[::2]} == {render(work)[0].data}
    assert {pieces[0].data for pieces in made[1::2]} == {render(other)[0].data}


def test_voices_differ_and_a_name_always_means_the_same_one() -> None:
    voices = ("Rachel", "Adam", "Serena", "Brian", "Voice 7", "Voice 8", "晓晓")
    assert len({one(action="speech", voice=voice)[0].data for voice in voices}) == len(voices)
    assert timbre("Rachel") == timbre("Rachel")
    assert timbre("Rachel")[1] > timbre("Adam")[1]


@pytest.mark.parametrize(
    ("text", "params", "spoken"),
    [
        ("你好，小熊猫。", {}, "cmn"),
        ("こんにちは、世界", {}, "ja"),
        ("안녕하세요", {}, "ko"),
        ("Привет, мир", {}, "ru"),
        ("Bonjour", {"language": "fr-FR"}, "fr"),
        ("Hello", {"language_code": "xx"}, "en-us"),
        ("Hello", {}, "en-us"),
    ],
)
def test_the_language_follows_the_text_and_then_the_params(
    text: str, params: dict[str, object], spoken: str
) -> None:
    work = Work("speech", text, params)
    assert language(work) == spoken
    assert read(render(work)[0].data).heard > 0.3


def test_a_faster_voice_takes_less_time() -> None:
    assert one(action="speech", params={"speed": 1.5})[1].heard < 0.8 * one(action="speech")[1].heard


@pytest.mark.parametrize("hertz", [95, 130, 220, 280])
def test_a_samples_fundamental_is_found(hertz: float) -> None:
    sound = read(tone(hertz, 1.0))
    assert pitch_of(sound.samples, sound.rate) == pytest.approx(hertz, rel=0.03)


def test_silence_has_no_fundamental() -> None:
    assert pitch_of(np.zeros(16_000, dtype=np.float32), 16_000) is None


def test_a_clone_speaks_near_the_samples_pitch() -> None:
    def spoken(hertz: float) -> float | None:
        inputs = {"audio_url": (tone(hertz, 1.0),)}
        sound = one(action="clone", prompt="Many more men and women may warm a room.", inputs=inputs)[1]
        return pitch_of(sound.samples.astype(np.float32), sound.rate)

    low, high = spoken(95), spoken(260)
    assert low is not None
    assert high is not None
    assert low < 150 < 170 < high


@pytest.mark.parametrize("text", ["", "  \n"])
def test_nothing_to_say_is_an_error(text: str) -> None:
    with pytest.raises(Unreadable, match="no text"):
        one(action="speech", prompt=text)


@pytest.mark.parametrize("action", ["music", "sfx"])
@pytest.mark.parametrize("seconds", [0.5, 3.0])
def test_music_and_effects_last_as_long_as_asked(action: str, seconds: float) -> None:
    piece, sound = one(action=action, seconds=seconds)
    assert (piece.content_type, sound.audio) == ("audio/mpeg", "mp3")
    assert sound.heard == pytest.approx(seconds, abs=0.06)
    assert measure(piece.data, "audio/mpeg").seconds == pytest.approx(seconds, abs=0.1)
    assert np.abs(sound.samples).max() > 0.2
    assert piece == one(action=action, seconds=seconds)[0]


@pytest.mark.parametrize(
    "words",
    [
        "rain",
        "thunder",
        "a bell",
        "laser",
        "wind",
        "footsteps",
        "the sea",
        "fire",
        "birds",
        "explosion",
        "heartbeat",
        "alarm",
        "雨和雷",
        "a dragon",
    ],
)
def test_every_effect_sounds_from_the_first_second(words: str) -> None:
    _, sound = one(action="sfx", prompt=words, seconds=1.2)
    assert np.isfinite(sound.samples).all()
    assert np.abs(sound.samples[: sound.rate]).max() > 0.2


def test_effects_sound_as_they_are_called() -> None:
    heard = {
        words: centre(one(action="sfx", prompt=words, seconds=2)[1]) for words in ("thunder", "wind", "birds")
    }
    assert heard["thunder"] < heard["wind"] < heard["birds"]


def test_another_seed_plays_another_piece() -> None:
    assert one(action="music", seconds=2)[0].data != one(action="music", seconds=2, seed=1)[0].data


def test_sound_that_is_too_long_is_refused_before_it_is_made() -> None:
    with pytest.raises(Unreadable, match="up to 600 seconds"):
        one(action="music", seconds=3600)


@pytest.mark.parametrize(
    "inputs",
    [{}, {"audio_url": (b"",)}, {"audio_url": (saved(picture()),)}, {"audio_url": (b"RIFF\0\0\0\0WAVE",)}],
)
def test_without_a_readable_sample_there_is_a_reason(inputs: dict[str, tuple[bytes, ...]]) -> None:
    with pytest.raises(Unreadable, match=r"needs a sound|empty|cannot be read|no sound"):
        one(action="clone", inputs=inputs)
