"""What the sandbox reads from files: their properties, and a description of a picture's pixels."""

import io
from typing import Any

import av
import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.support.media import clip, moving, picture, saved, tone
from zooop_nb.sandbox.media import Facts, Unreadable, Work, describe, measure, render

FIELDS = {"subject", "composition", "style", "lighting", "palette", "mood", "camera", "overallDescription"}


def sound(container: str, codec: str, seconds: float = 1.0) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        # PyAV types a stream by its codec, which is not known here.
        stream: Any = output.add_stream(codec, rate=48_000, layout="mono")
        samples = (np.sin(np.arange(round(seconds * 48_000)) * 0.05) * 9000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None, :], "s16", "mono")
        frame.sample_rate, frame.pts = 48_000, 0
        for part in [*av.AudioResampler(stream.codec_context.format, "mono", 48_000).resample(frame)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return buffer.getvalue()


PICTURES = {
    "image/png": saved(picture()),
    "image/jpeg": saved(picture(), "JPEG"),
    "image/webp": saved(picture(), "WEBP"),
    "image/gif": saved(picture(), "GIF"),
}
SOUNDS = {
    "audio/mpeg": sound("mp3", "libmp3lame"),
    "audio/wav": tone(440, 1.0),
    "audio/ogg": sound("ogg", "libopus"),
    "audio/webm": sound("webm", "libopus"),
}
CLIPS = {
    "video/mp4": clip(moving(10)),
    "video/quicktime": clip(moving(10), format="mov"),
    "video/webm": clip(moving(10), format="webm", codec="libvpx-vp9"),
}


@pytest.mark.parametrize("content_type", PICTURES)
def test_a_pictures_facts_are_read(content_type: str) -> None:
    codec = content_type.removeprefix("image/")
    assert measure(PICTURES[content_type], content_type) == Facts(
        content_type, "image", 160, 120, codec=codec
    )


def test_an_animated_picture_tells_its_frames() -> None:
    frames = moving(5)
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert measure(data, "image/gif").frames == 5


def test_a_picture_taken_on_its_side_is_measured_upright() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    facts = measure(saved(picture(), "JPEG", exif=exif), "image/jpeg")
    assert (facts.width, facts.height) == (120, 160)


@pytest.mark.parametrize(
    ("content_type", "codec"), [*zip(SOUNDS, ("mp3", "pcm_s16le", "opus", "opus"), strict=True)]
)
def test_a_sounds_facts_are_read(content_type: str, codec: str) -> None:
    facts = measure(SOUNDS[content_type], content_type)
    assert (facts.kind, facts.audio_codec, facts.width, facts.frames) == ("audio", codec, None, None)
    assert facts.seconds == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize(("content_type", "codec"), [*zip(CLIPS, ("h264", "h264", "vp9"), strict=True)])
def test_a_clips_facts_are_read(content_type: str, codec: str) -> None:
    facts = measure(CLIPS[content_type], content_type)
    assert (facts.kind, facts.codec, facts.audio_codec, facts.frames) == ("video", codec, None, 10)
    assert (facts.width, facts.height) == (160, 120)
    assert facts.seconds == pytest.approx(1.0, abs=0.01)


def test_a_content_types_parameters_and_case_do_not_matter() -> None:
    assert measure(PICTURES["image/png"], "Image/PNG; charset=binary").content_type == "image/png"


EVERY = PICTURES | SOUNDS | CLIPS


@pytest.mark.parametrize("content_type", EVERY)
def test_an_empty_file_is_unreadable(content_type: str) -> None:
    with pytest.raises(Unreadable, match="empty"):
        measure(b"", content_type)


@pytest.mark.parametrize("content_type", EVERY)
def test_bytes_of_another_type_are_unreadable(content_type: str) -> None:
    other = PICTURES["image/gif"] if content_type != "image/gif" else PICTURES["image/png"]
    for data in (other, b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n", b"\0" * 64, b"x"):
        with pytest.raises(Unreadable, match=f"not {content_type}"):
            measure(data, content_type)


@pytest.mark.parametrize("content_type", [*PICTURES, *CLIPS, "audio/wav"])
@pytest.mark.parametrize("share", [0.1, 0.6, 0.9])
def test_a_file_that_is_cut_short_is_unreadable(content_type: str, share: float) -> None:
    data = EVERY[content_type]
    with pytest.raises(Unreadable):
        measure(data[: round(len(data) * share)], content_type)


def test_a_clip_with_its_index_in_front_that_is_cut_short_is_unreadable() -> None:
    (piece,) = render(Work("video", "a cat", width=160, height=120, seconds=2))
    for share in (0.5, 0.8):
        with pytest.raises(Unreadable):
            measure(piece.data[: round(len(piece.data) * share)], "video/mp4")


def test_an_mp3_that_says_how_long_it_is_and_is_cut_short_is_unreadable() -> None:
    data = sound("mp3", "libmp3lame", 4.0)
    with pytest.raises(Unreadable, match="cut short"):
        measure(data[: len(data) // 2], "audio/mpeg")


def test_a_webm_of_sound_alone_is_no_video() -> None:
    with pytest.raises(Unreadable, match="no picture track"):
        measure(SOUNDS["audio/webm"], "video/webm")


def test_a_type_outside_the_list_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="text/plain"):
        measure(b"hello", "text/plain")


def test_a_description_has_the_documented_fields_and_says_what_the_pixels_show() -> None:
    image = Image.new("RGB", (300, 200), (30, 60, 170))
    image.paste((235, 130, 40), (210, 20, 290, 90))
    said = describe(saved(image), "en")
    assert set(said) == FIELDS
    assert "blue" in (said["subject"] or "")
    assert "upper right" in (said["subject"] or "")
    assert "Landscape" in (said["composition"] or "")
    assert "orange" in (said["palette"] or "")
    assert said["camera"] is None
    assert all(said[name] for name in FIELDS - {"camera"})
    assert str(said["subject"]) in str(said["overallDescription"])


@pytest.mark.parametrize("language", ["zh", "zh-TW", "ZH_cn"])
def test_a_chinese_description_is_in_chinese_throughout(language: str) -> None:
    said = describe(saved(picture()), language)
    assert "蓝色" in (said["subject"] or "")
    letters = "".join(value for value in said.values() if value)
    assert not any("a" <= letter.lower() <= "z" for letter in letters)


def test_a_locale_that_is_not_spoken_falls_back_to_english() -> None:
    assert (
        describe(saved(picture()), "fr") == describe(saved(picture()), "en") == describe(saved(picture()), "")
    )


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ((250, 250, 250), "white"),
        ((12, 12, 14), "black"),
        ((200, 30, 30), "red"),
        ((60, 160, 70), "green"),
        ((240, 220, 60), "yellow"),
        ((120, 60, 170), "purple"),
    ],
)
def test_an_even_picture_is_described_by_its_colour(colour: tuple[int, int, int], name: str) -> None:
    said = describe(saved(Image.new("RGB", (64, 64), colour)), "en")
    assert f"dominated by {name} areas" in (said["subject"] or "")
    assert "Square" in (said["composition"] or "")


def test_dark_and_bright_even_and_contrasting_pictures_are_told_apart() -> None:
    dark, bright = (
        describe(saved(Image.new("RGB", (64, 64), (v, v, v))), "en")["lighting"] for v in (20, 240)
    )
    halves = Image.new("RGB", (64, 64), (5, 5, 5))
    halves.paste((250, 250, 250), (0, 0, 32, 64))
    assert str(dark).startswith("Dark overall with low contrast")
    assert str(bright).startswith("Bright overall with low contrast")
    assert (
        describe(saved(halves), "en")["lighting"]
        == "Mid-toned overall with high contrast, brighter towards the left"
    )


def test_the_camera_is_named_from_the_files_own_data() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Pinhole 3"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLength] = 50.0
    said = describe(saved(picture(), "JPEG", exif=exif), "en")
    assert said["camera"] == "According to its EXIF data: Pinhole 3, 50 mm"


@pytest.mark.parametrize("data", [b"", b"text", saved(picture())[:200]])
def test_what_is_no_picture_cannot_be_described(data: bytes) -> None:
    with pytest.raises(Unreadable):
        describe(data, "en")


def test_a_picture_of_one_pixel_or_of_nothing_visible_is_described() -> None:
    for image in (
        Image.new("RGB", (1, 1)),
        Image.new("RGBA", (9, 9), (0, 0, 0, 0)),
        Image.new("RGB", (1, 700)),
    ):
        assert describe(saved(image), "en")["overallDescription"]
