"""What orders cost: the documented formula and examples, without a credit of rounding error."""

import json
import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.bodies import CLIP, PICTURE, SOUND, catalogue, model, models, raw, required
from zooop_nb.sandbox.pricing import Price, price
from zooop_nb.sandbox.refusal import Refusal
from zooop_nb.sandbox.resolve import resolve

GPT = model("image/default", "GPT Image 2.0")
KLING = model("video/text-ref", "Kling V3")
O3 = model("video/text-ref", "Kling O3")
SPEECH = model("audio/text-to-speech", "ElevenLabs Multilingual v3")
SOUNDS = model("audio/sound-effect", "ElevenLabs Sound Effects")


def priced(body: Any, *, seconds: float = 10, frames: int = 240) -> Price:
    urls = (PICTURE, CLIP, SOUND)
    return price(resolve(catalogue(), body), dict.fromkeys(urls, seconds), dict.fromkeys(urls, frames))


# The documented figures


def test_the_documented_quote_of_kling_v3_is_eight_credits_with_this_breakdown() -> None:
    found = priced(raw(KLING, duration=5))
    assert found.credits == 8
    assert found.breakdown() == {
        "pricingKey": "720p",
        "base": 8,
        "multiplier": 1,
        "surcharges": 0,
        "basePrice": 0,
        "minPriceApplied": False,
    }


def test_the_guides_default_picture_costs_four_credits() -> None:
    found = priced(raw(GPT, quality="low", resolution="2k", aspect_ratio="1:1"))
    assert (found.credits, found.pricing_key) == (4, "low-2k")


def test_five_seconds_at_720p_cost_the_documented_forty_credits() -> None:
    assert O3.versions[0].typical_price == {
        "typicalCredits": 8,
        "unit": "second",
        "note": "~40 credits for 5s @ 720p",
    }
    assert priced(raw(O3)).credits == 40


@pytest.mark.parametrize(
    ("body", "credits"),
    [
        ({"aiTool": "background-removal", "params": {"image_url": PICTURE}}, 2),
        (
            {
                "aiTool": "style-transfer",
                "params": {"image_url": PICTURE, "target_style": "cubism", "aspect_ratio.ratio": "1:1"},
            },
            6,
        ),
        ({"template": "superhero-movie-poster", "params": {"aspect_ratio": "2:3"}}, 5),
    ],
)
def test_the_documented_recipes_cost_what_the_documents_say(body: object, credits: int) -> None:
    assert priced(body).credits == credits


def test_every_typical_price_is_what_the_defaults_cost() -> None:
    recipes = [("aiTool", each) for each in catalogue().tools(None)]
    recipes += [("template", each) for each in catalogue().templates(None)]
    bodies = [
        (raw(each, version.id), version.typical_price) for each in models() for version in each.versions
    ]
    bodies += [
        ({field: each.slug, "params": required(each.params)}, each.public()["typicalPrice"])
        for field, each in recipes
    ]
    for body, typical in bodies:
        found = priced(body)
        flat = typical["unit"] in ("image", "call")
        rate = found.credits if flat else found.base * found.multiplier / Fraction(str(found.units))
        assert rate == Fraction(str(typical["typicalCredits"])), body


def test_seedance_costs_more_and_grok_imagine_less_than_the_balanced_choice() -> None:
    seedance = priced(raw(model("video/text-ref", "Seedance 2"))).credits
    grok = priced(raw(model("video/text-ref", "Grok Imagine"))).credits
    assert grok < priced(raw(KLING)).credits < priced(raw(O3)).credits < seedance


# What the price depends on


def test_the_pricing_key_comes_from_the_params_and_the_version_sets_the_rate() -> None:
    found = priced(raw(KLING, "pro", resolution="1080p"))
    assert (found.pricing_key, found.base, found.credits) == ("1080p", Fraction(18), 18)


def test_the_duration_multiplies() -> None:
    assert priced(raw(O3, duration=9)).credits == 72
    assert priced(raw(KLING, duration=10)).breakdown()["multiplier"] == 2


def test_a_duration_that_spells_its_unit_counts_as_its_number() -> None:
    luma = model("video/text-ref", "Luma Ray 2")
    assert (priced(raw(luma, duration="5s")).credits, priced(raw(luma, duration="9s")).credits) == (20, 36)


def test_a_choice_sent_as_a_decimal_finds_the_same_rate() -> None:
    hailuo = model("video/text-ref", "Hailuo 2.3")
    assert priced(raw(hailuo, duration=10.0)).pricing_key == "768p-10"


def test_the_number_of_pictures_multiplies() -> None:
    assert priced(raw(GPT, num_images=3)).credits == 12


def test_speech_is_paid_by_the_character_in_thousands() -> None:
    found = priced(raw(SPEECH, text="a" * 2500))
    assert found.credits == math.ceil(Fraction("50.5") * Fraction("2.5")) == 127
    assert found.breakdown()["multiplier"] == 2.5
    assert found.breakdown()["base"] == 50.5
    assert found.units == 2.5


def test_characters_count_as_people_count_them_not_as_bytes() -> None:
    assert priced(raw(SPEECH, text="猫" * 1000)).credits == priced(raw(SPEECH, text="a" * 1000)).credits == 51


def test_input_media_is_paid_by_its_seconds() -> None:
    avatar = model("video/audio-lipsync", "Kling Avatar V2")
    assert priced(raw(avatar), seconds=10).credits == 56
    assert priced(raw(avatar), seconds=2.5).credits == 14
    assert priced(raw(avatar), seconds=2.501).credits == 15


def test_input_video_is_paid_by_its_frames() -> None:
    animate = model("video/motion-control", "Wan 2.2 Animate")
    assert priced(raw(animate), frames=240).credits == 60
    assert priced(raw(animate, resolution="720p"), frames=240).credits == 120


@pytest.mark.parametrize("lengths", [{}, {CLIP: 0}])
def test_media_whose_length_is_not_known_is_refused_by_its_param(lengths: dict[str, int]) -> None:
    for each in (model("video/motion-control", "Wan 2.2 Animate"), model("video/video-edit", "Runway Aleph")):
        with pytest.raises(Refusal) as caught:
            price(resolve(catalogue(), raw(each)), lengths, lengths)
        assert (caught.value.status, caught.value.code) == (400, "invalid_payload")
        assert caught.value.param == "video_url"


def test_sound_is_a_surcharge_that_grows_with_the_duration() -> None:
    found = priced(raw(O3, duration=5, generate_audio=True))
    assert (found.breakdown()["surcharges"], found.credits) == (10, 50)


def test_reference_pictures_are_surcharged_beyond_the_free_ones() -> None:
    assert priced(raw(GPT, image_urls=[PICTURE] * 4)).credits == 4
    assert priced(raw(GPT, image_urls=[PICTURE] * 5)).breakdown()["surcharges"] == 0.5
    assert priced(raw(GPT, image_urls=[PICTURE] * 5)).credits == 5
    assert priced(raw(GPT, image_urls=[PICTURE] * 6)).credits == 5


def test_a_base_price_comes_on_top() -> None:
    clone = model("audio/voice-clone", "MiniMax Voice Clone")
    found = priced(raw(clone, text="a" * 1000))
    assert (found.breakdown()["basePrice"], found.credits) == (30, 42)


def test_the_minimum_price_applies_below_it_and_says_so() -> None:
    act = model("video/motion-control", "Runway Act-Two")
    assert (priced(raw(act), seconds=2).credits, priced(raw(act), seconds=2).min_price_applied) == (15, True)
    assert (priced(raw(act), seconds=3).credits, priced(raw(act), seconds=3).min_price_applied) == (15, False)
    assert (priced(raw(act), seconds=4).credits, priced(raw(act), seconds=4).min_price_applied) == (20, False)


def test_a_templates_price_is_its_models_and_the_markup_and_its_formula_still_holds() -> None:
    for template in catalogue().templates(None):
        found = priced({"template": template.slug, "params": required(template.params)})
        params = dict(template.fixed) | required(template.params)
        known = {param["id"] for param in template.model.params}
        body = raw(template.model, template.version_id, **{k: v for k, v in params.items() if k in known})
        alone = priced(body)
        assert found.credits == alone.credits + template.markup
        assert found.base_price == alone.base_price + template.markup


def test_a_templates_markup_comes_on_top_of_its_models_minimum_price_too() -> None:
    resolved = resolve(catalogue(), {"template": "city-in-the-rain", "params": {}})
    assert resolved.recipe is not None
    dear = replace(resolved.pricing, min_price=20)
    found = price(replace(resolved, recipe=replace(resolved.recipe, pricing=dear)), {}, {})
    assert (found.credits, found.min_price_applied) == (20 + resolved.recipe.markup, True)


def test_a_tools_own_pricing_overrides_its_models() -> None:
    tool = catalogue().tool("style-transfer")
    assert tool is not None
    assert priced(raw(tool.model)).credits != 6
    assert tool.pricing is not None


# Exactness


@given(st.integers(min_value=1, max_value=44))
def test_tenths_of_credits_are_never_rounded_up_by_binary_fractions(halves: int) -> None:
    found = priced(raw(SOUNDS, duration=halves / 2))
    assert found.credits == max(1, -(-halves // 20))


def test_a_rate_that_binary_fractions_would_round_up_is_exact() -> None:
    assert math.ceil(0.14 * 50) == 8, "the trap is still there"
    upscale = {"aiTool": "video-upscale", "params": {"video_url": CLIP}}
    assert priced(upscale, frames=50).credits == 7


@given(st.integers(min_value=1, max_value=5000))
def test_a_text_of_any_length_costs_the_exact_ceiling(length: int) -> None:
    assert priced(raw(SPEECH, text="a" * length)).credits == max(1, -(-505 * length // 10_000))


@given(st.data())
def test_the_documented_formula_holds_for_every_model(data: st.DataObject) -> None:
    each = data.draw(st.sampled_from(models()))
    version = data.draw(st.sampled_from(each.versions))
    seconds = data.draw(st.floats(min_value=0.1, max_value=600))
    found = priced(raw(each, version.id), seconds=seconds, frames=data.draw(st.integers(1, 20_000)))
    reckoned = math.ceil(found.base * found.multiplier + found.surcharges + found.base_price)
    assert found.credits == max(version.pricing.min_price, reckoned)
    assert found.min_price_applied == (found.credits > reckoned)
    assert found.credits >= 1


def test_the_same_body_costs_the_same_each_time() -> None:
    for each in models():
        assert priced(raw(each)) == priced(json.loads(json.dumps(raw(each))))


def test_whole_numbers_in_a_breakdown_are_written_as_such() -> None:
    written = json.dumps(priced(raw(O3, duration=5)).breakdown())
    assert '"base": 8,' in written
    assert '"multiplier": 5,' in written
