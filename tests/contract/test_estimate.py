"""Estimates: exact where the API can quote, about where a file tells enough, and never on the books."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import OTHER
from tests.support.media import clip, moving, tone
from tests.support.sandbox_harness import SandboxHarness
from zooop_nb import errors
from zooop_nb.contract.credits import credits_text
from zooop_nb.orders.estimate import Estimate
from zooop_nb.studio import Studio

QUOTES = {"method": "POST", "path": "/v1/quote"}


def rows(studio: Studio) -> int:
    return int(studio.ledger._db.connection.execute("SELECT count(*) FROM orders").fetchone()[0])


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A clip of 2.4 seconds and 24 frames."""
    path = tmp_path / "film.mp4"
    path.write_bytes(clip(moving(24)))
    return path


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """A sound of 2.5 seconds."""
    path = tmp_path / "voice.wav"
    path.write_bytes(tone(440, 2.5))
    return path


@pytest.mark.parametrize(
    ("verb", "asked"),
    [
        ("image", {"count": 3}),
        ("video", {"duration": 7}),
        ("speech", {}),
        ("music", {}),
        ("image", {"model": "seedream", "aspect_ratio": "16:9"}),
        ("video", {"duration": 5, "count": 2}),
    ],
)
def test_words_alone_are_exact_and_equal_to_the_quote(
    studio: Studio, books: SandboxHarness, verb: str, asked: dict[str, Any]
) -> None:
    found = studio.estimate(verb, "a red panda", **asked)
    assert rows(studio) == 0
    quote = studio.quote(verb, "a red panda", **asked)
    assert found == Estimate(quote.total, exact=True)
    assert found.text == str(found) == credits_text(quote.total)
    assert books.tasks == []


def test_a_picture_on_this_machine_is_about_until_it_is_uploaded_by_this_token(
    studio: Studio, studio_of: Callable[..., Studio], books: SandboxHarness, picture: Path
) -> None:
    asked: dict[str, Any] = {"model": "seedream", "image_urls": [picture]}
    assert studio.estimate("image", "in winter", **asked) == Estimate(4, exact=False)
    assert studio.estimate("image", "in winter", **asked, count=2).text == "about 8 credits"
    assert (rows(studio), books.uploads) == (0, [])
    studio.upload(picture)
    assert studio.estimate("image", "in winter", **asked).exact
    assert studio.estimate("image", "in winter", **{**asked, "image_urls": picture.read_bytes()}).exact
    assert not studio_of(OTHER).estimate("image", "in winter", **asked).exact
    assert rows(studio) == 0


def test_a_clip_or_sound_on_this_machine_is_about_by_its_length(
    studio: Studio, books: SandboxHarness, picture: Path, film: Path, voice: Path
) -> None:
    def told(verb: str, words: str = "", **given: Any) -> str:
        return studio.estimate(verb, words, **given).text

    # 5.6 a second of the sound, 13 a second of the clip, 0.14 a frame.
    assert told("lipsync", image_url=picture, audio_url=voice) == "about 14 credits"
    assert told("lipsync", model="sync", video_url=film, audio_url=voice) == "about 13 credits"
    assert told("motion", image_url=picture, video_url=film) == "about 32 credits"
    assert told("tool", slug="video-upscale", video_url=film) == "about 4 credits"
    # 40 a second of what is added, 7 of them by default.
    assert told("extend", "on", version="standard", video_url=film) == "about 280 credits"
    assert told("extend", "on", model="ltx", video_url=film, duration=4) == "about 40 credits"
    assert told("tool", slug="background-removal", image_url=picture) == "about 2 credits"
    assert (rows(studio), books.uploads) == (0, [])


def test_what_no_file_here_tells_is_priced_after_upload_and_nothing_is_fetched(
    studio: Studio, books: SandboxHarness, picture: Path
) -> None:
    # The port is closed: fetching it would be an error.
    url = "http://127.0.0.1:9/clip.mp4"
    found = studio.estimate("motion", "", image_url=picture, video_url=url)
    assert found == Estimate(None, exact=False)
    assert found.text == "priced after upload"
    assert studio.estimate("image", "x", model="seedream", image_urls=url).text == "about 4 credits"
    assert (rows(studio), books.uploads) == (0, [])


def test_what_is_at_zooop_already_has_no_length_here_beside_what_is_not(
    studio: Studio, books: SandboxHarness, film: Path, voice: Path
) -> None:
    sound = studio.upload(voice)
    # The price goes by the sound; the clip's own length would be a wrong guess.
    found = studio.estimate("lipsync", model="sync", video_url=film, audio_url=sound)
    assert found.text == "priced after upload"
    assert len(books.uploads) == 1


def test_a_description_has_its_documented_price(studio: Studio, picture: Path) -> None:
    found = studio.estimate("describe", image_url=picture)
    assert (found.credits, found.exact, found.text) == (1, True, "1 credit")


def test_an_invalid_order_has_no_estimate(
    studio: Studio, books: SandboxHarness, faults: Callable[..., None], tmp_path: Path
) -> None:
    with pytest.raises(errors.UnknownName):
        studio.estimate("image", "x", qualty="high")
    with pytest.raises(errors.BadMedia):
        studio.estimate("image", "x", model="seedream", image_urls=tmp_path / "missing.png")
    faults({**QUOTES, "do": {"status": 400}, "times": 1})
    with pytest.raises(errors.InvalidResponse):
        studio.estimate("image", "x")
    assert rows(studio) == 0
