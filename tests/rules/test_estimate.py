"""The rule of an estimate: the listed price times what the params and the files say."""

from typing import Any

import pytest

from zooop_nb.contract.shapes import Param, TypicalPrice
from zooop_nb.orders.estimate import Estimate, typical_credits
from zooop_nb.orders.order import Media
from zooop_nb.orders.params import param_specs
from zooop_nb.results.probe import MediaProperties

CLIP, OTHER, SOUND = (Media(each, None) for each in ("clip", "other", "sound"))
LENGTHS = {
    CLIP: MediaProperties(duration=2.5, frames=25),
    OTHER: MediaProperties(duration=1.5, frames=None),
    SOUND: MediaProperties(duration=30.0),
}
SPECS = param_specs(
    [
        Param("prompt", "long_text"),
        Param("num_images", "integer"),
        Param("video_urls", "video_urls"),
        Param("audio_url", "audio_url"),
    ]
)
TIMED = (*SPECS, *param_specs([Param("length", "duration", default="5s")]))


def told(price: float | None, unit: str, timed: bool = False, **params: Any) -> int | None:
    return typical_credits(TypicalPrice(price, unit), TIMED if timed else SPECS, params, LENGTHS)


@pytest.mark.parametrize(
    ("price", "unit", "params", "credits"),
    [
        (15, "call", {}, 15),
        (4, "image", {}, 4),
        (4, "image", {"num_images": 3}, 12),
        (50.5, "1k_chars", {"prompt": "x" * 2000}, 101),
        (50.5, "1k_chars", {"prompt": "x"}, 1),
        (8, "second", {"video_urls": [CLIP, OTHER]}, 32),
        (0.1, "second", {"audio_url": SOUND}, 3),
        (0.1, "second", {"audio_url": SOUND, "video_urls": [CLIP]}, 3),
        (0.14, "frame", {"video_urls": [CLIP]}, 4),
    ],
)
def test_the_price_is_times_the_unit_rounded_up(
    price: float, unit: str, params: dict[str, Any], credits: int
) -> None:
    assert told(price, unit, **params) == credits


def test_the_seconds_of_the_output_count_before_those_of_the_input() -> None:
    assert told(8, "second", timed=True, video_urls=[CLIP]) == 40
    assert told(8, "second", timed=True, video_urls=[CLIP], length="7s") == 56
    assert told(8, "second", timed=True, video_urls=[CLIP], length=-1) == 20, "as the model decides"


@pytest.mark.parametrize(
    ("price", "unit", "params"),
    [
        (None, "call", {}),
        (3, "furlong", {}),
        (3, "second", {}),
        (3, "second", {"video_urls": [CLIP, Media("unseen", None)]}),
        (3, "second", {"video_urls": [CLIP], "audio_url": Media(None, None, url="https://zooop.ai/a")}),
        (3, "frame", {"video_urls": [CLIP, OTHER]}),
        (3, "frame", {}),
    ],
)
def test_what_is_not_known_is_not_guessed(price: float | None, unit: str, params: dict[str, Any]) -> None:
    assert told(price, unit, **params) is None
    assert typical_credits(None, SPECS, params, LENGTHS) is None


def test_an_estimate_says_how_good_it_is() -> None:
    assert Estimate(8, exact=True).text == "8 credits"
    assert Estimate(1, exact=False).text == "about 1 credit"
    assert str(Estimate(None, exact=False)) == "priced after upload"
