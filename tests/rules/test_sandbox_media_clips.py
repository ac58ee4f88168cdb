"""The sandbox's clips, read back with PyAV."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.media import Read, clip, difference, loaded, moving, picture, read, saved, tone
from zooop_nb.sandbox.media import Piece, Unreadable, Work, measure, render


def one(**order: object) -> tuple[Piece, Read]:
    order.setdefault("prompt", "a red panda in a forest at sunset")
    order.setdefault("model", "Kling V3")
    order.setdefault("width", 160)
    order.setdefault("height", 120)
    order.setdefault("seconds", 1.0)
    (piece,) = render(Work(**order))  # type: ignore[arg-type]
    return piece, read(piece.data)


@pytest.mark.parametrize(("width", "height", "seconds"), [(160, 120, 2.0), (90, 160, 0.5), (97, 61, 1.3)])
def test_a_clip_has_the_asked_size_and_length_in_h264_and_aac(
    width: int, height: int, seconds: float
) -> None:
    piece, seen = one(action="video", width=width, height=height, seconds=seconds)
    facts = measure(piece.data, piece.content_type)
    even = width - width % 2, height - height % 2
    assert (piece.content_type, seen.video, seen.audio) == ("video/mp4", "h264", "aac")
    assert seen.size == even == (piece.width, piece.height) == (facts.width, facts.height)
    assert (facts.codec, facts.audio_codec, facts.frames) == ("h264", "aac", len(seen.frames))
    assert facts.seconds == pytest.approx(seconds, abs=1 / 12)
    assert piece.seconds == pytest.approx(facts.seconds, abs=0.01)
    assert seen.heard == pytest.approx(seconds, abs=0.15)
    assert (piece.thumbnail_type, loaded(piece.thumbnail or b"").format) == ("image/jpeg", "JPEG")


def test_a_clip_moves_sounds_and_is_marked() -> None:
    _, seen = one(action="video")
    assert difference(seen.frames[0], seen.frames[-1]) > 2
    assert 0.005 < np.abs(seen.samples).max() < 0.4
    assert seen.tags["comment"] == "ZOOOP sandbox · Kling V3"


def test_a_clip_plays_while_it_loads_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    piece, _ = one(action="video")
    assert piece.data.index(b"moov") < piece.data.index(b"mdat")
    assert list(tmp_path.iterdir()) == []


def test_the_same_work_gives_the_same_clip_and_other_words_another() -> None:
    first, _ = one(action="video")
    assert first == one(action="video")[0]
    assert first.data != one(action="video", prompt="a whale in the sea")[0].data


def test_a_switch_turns_the_sound_off() -> None:
    _, seen = one(action="video", params={"generate_audio": False})
    assert seen.audio == "aac"
    assert np.abs(seen.samples).max() < 1e-3


def test_an_animation_starts_at_the_first_frame_and_ends_at_the_last() -> None:
    first, last = picture(320, 240), picture(320, 240, (250, 240, 200), (20, 120, 60))
    _, seen = one(action="animate", inputs={"first_frame": (saved(first),), "last_frame": (saved(last),)})
    size = (160, 120)
    assert difference(seen.frames[0], first.resize(size)) < 4
    assert difference(seen.frames[-1], last.resize(size)) < 4
    middle = seen.frames[len(seen.frames) // 2]
    assert difference(middle, first.resize(size)) > 20
    assert difference(middle, last.resize(size)) > 20


def test_an_animation_of_one_picture_moves_away_from_it() -> None:
    still = moving()[0]
    _, seen = one(action="animate", inputs={"image_url": (saved(still),)})
    assert difference(seen.frames[0], still) < 5
    assert difference(seen.frames[-1], still) > 5


def test_an_extension_is_the_input_and_goes_on_from_its_last_frame() -> None:
    source = clip(moving(10))
    _, seen = one(action="extend", seconds=1.5, inputs={"video_url": (source,)})
    assert seen.size == (160, 120)
    assert len(seen.frames) == 25
    assert difference(seen.frames[0], moving()[0]) < 6
    assert difference(seen.frames[10], moving(10)[-1]) < 6
    assert difference(seen.frames[-1], moving(10)[-1]) > 10


def test_a_restyle_keeps_the_clips_shape_length_and_content() -> None:
    source = clip(moving(10))
    _, seen = one(action="restyle-video", prompt="as cubism", inputs={"video_url": (source,)})
    assert (seen.size, len(seen.frames)) == ((160, 120), 10)
    for made, own in zip(seen.frames, moving(10), strict=True):
        assert difference(made, own) > 5
        small = [np.asarray(image.convert("L").resize((16, 12))).ravel() for image in (made, own)]
        assert np.corrcoef(small)[0, 1] > 0.6


def test_a_lipsync_carries_the_given_sound_for_its_length() -> None:
    sound = tone(330, 1.4, loud_from=0.7)
    _, seen = one(
        action="lipsync", seconds=9, inputs={"image_url": (saved(picture()),), "audio_url": (sound,)}
    )
    assert len(seen.frames) / 12 == pytest.approx(1.4, abs=1 / 12)
    assert seen.heard == pytest.approx(1.4, abs=0.1)
    half = len(seen.samples) // 2
    assert np.abs(seen.samples[: half - 3000]).max() < 0.02 < np.abs(seen.samples[half:]).max()
    assert difference(seen.frames[1], seen.frames[-2]) > difference(seen.frames[1], seen.frames[4])


@pytest.mark.parametrize(
    ("given", "made"), [((120, 320), (120, 320)), ((300, 300), (120, 120)), ((320, 80), (360, 120))]
)
@pytest.mark.parametrize("action", ["animate", "motion", "lipsync"])
def test_without_an_asked_ratio_a_clip_has_its_pictures_shape_and_cuts_nothing_off(
    action: str, given: tuple[int, int], made: tuple[int, int]
) -> None:
    inputs: dict[str, tuple[bytes, ...]] = {"image_url": (saved(picture(*given)),)}
    if action == "motion":
        inputs["video_url"] = (clip(moving(3)),)
    if action == "lipsync":
        inputs["audio_url"] = (tone(330, 0.3),)
    _, seen = one(action=action, seconds=0.3, inputs=inputs, takes_shape=True)
    assert seen.size == made
    _, asked = one(action=action, seconds=0.3, inputs=inputs)
    assert asked.size == (160, 120)


def test_a_lipsync_of_a_clip_has_the_clips_shape() -> None:
    inputs = {"video_url": (clip(moving(3)),), "audio_url": (tone(330, 0.3),)}
    _, seen = one(action="lipsync", width=128, height=72, inputs=inputs, takes_shape=True)
    assert seen.size == (96, 72)


def test_motion_shifts_the_picture_as_the_reference_moves() -> None:
    still = Image.new("RGB", (320, 240), (20, 20, 30))
    still.paste((250, 240, 230), (150, 0, 170, 240))

    def bar(frame: Image.Image) -> float:
        light = np.asarray(frame.convert("L"), dtype=float)[:60].mean(axis=0) ** 2
        return float((light * np.arange(len(light))).sum() / light.sum())

    inputs = {"image_url": (saved(still),), "video_url": (clip(moving(8)),)}
    _, seen = one(action="motion", inputs=inputs)
    assert len(seen.frames) == 8
    assert bar(seen.frames[-1]) > bar(seen.frames[0]) + 4


def test_upscaling_a_clip_multiplies_its_size_and_keeps_every_frame() -> None:
    source = clip(moving(12), rate=24)
    _, seen = one(action="upscale-video", factor=2, inputs={"video_url": (source,)})
    assert (seen.size, len(seen.frames)) == ((320, 240), 12)
    for made, own in zip(seen.frames, read(source).frames, strict=True):
        assert difference(made.resize((160, 120)), own) < 4


def test_a_browsers_webm_can_be_extended() -> None:
    source = clip(moving(6), format="webm", codec="libvpx-vp9")
    _, seen = one(action="extend", seconds=0.5, prompt="", inputs={"video_url": (source,)})
    assert len(seen.frames) == 11


@pytest.mark.parametrize("action", ["extend", "restyle-video", "upscale-video", "motion"])
@pytest.mark.parametrize("data", [None, b"", b"text", clip(moving(8))[:-900]])
def test_without_a_readable_clip_there_is_a_reason(action: str, data: bytes | None) -> None:
    inputs = {"image_url": (saved(picture()),)} | ({} if data is None else {"video_url": (data,)})
    with pytest.raises(Unreadable, match=r"needs a video|empty|no picture, clip|cut short|cannot be read"):
        one(action=action, inputs=inputs)


def test_a_clip_that_is_too_long_is_refused_before_it_is_made() -> None:
    with pytest.raises(Unreadable, match="500 seconds: the sandbox makes clips of up to 120 seconds"):
        one(action="video", seconds=500)
