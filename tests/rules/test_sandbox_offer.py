"""From a request body to what runs: every documented refusal, and what the params become."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.bodies import CLIP, PICTURE, SOUND, catalogue, model, models, raw, required
from zooop_nb.sandbox.catalogue import Model
from zooop_nb.sandbox.refusal import Refusal
from zooop_nb.sandbox.resolve import Resolved, media_urls, resolve, texts, work_order
from zooop_nb.sandbox.sizes import asks_shape, size

GPT = model("image/default", "GPT Image 2.0")
FLUX = model("image/default", "Flux 2 Pro")
SEEDREAM = model("image/default", "Seedream 4.5")
KLING = model("video/text-ref", "Kling V3")
SPEECH = model("audio/text-to-speech", "ElevenLabs Multilingual v3")
POSTER = {"template": "superhero-movie-poster", "params": {"aspect_ratio": "2:3"}}
REMOVAL = {"aiTool": "background-removal", "params": {"image_url": PICTURE}}


def asked(body: object, **scene: Any) -> Resolved:
    return resolve(catalogue(), body, **scene)


def refused(body: object, **scene: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        asked(body, **scene)
    return caught.value


def refused_param(body: object) -> tuple[str, str]:
    """Return the param that a 400 `invalid_payload` names, and its message."""
    refusal = refused(body)
    assert (refusal.status, refusal.code) == (400, "invalid_payload")
    assert refusal.param is not None
    return refusal.param, refusal.message


# The envelope


def test_a_refusal_is_the_documented_envelope_with_its_extras_under_error() -> None:
    refusal = Refusal(402, "token_daily_cap_exceeded", "Too much", cap=100, spent=98)
    assert refusal.envelope() == {
        "error": {
            "message": "Too much",
            "type": "permission_error",
            "code": "token_daily_cap_exceeded",
            "cap": 100,
            "spent": 98,
        }
    }
    assert "param" in Refusal(400, "invalid_payload", "No", param="seed").envelope()["error"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("status", "type"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "invalid_request_error"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (451, "invalid_request_error"),
        (503, "api_error"),
    ],
)
def test_the_family_of_an_error_follows_from_its_status_unless_it_is_given(status: int, type: str) -> None:
    assert Refusal(status, "any", "Any").type == type
    assert Refusal(status, "any", "Any", type="api_error").type == "api_error"


# Models, tools, templates and versions


def test_every_public_model_runs_with_its_required_params_alone() -> None:
    for each in models():
        for version in each.versions:
            found = asked(raw(each, version.id))
            assert (found.model, found.version.id, found.recipe) == (each, version.id, None)


def test_every_tool_and_template_runs_with_its_required_params_alone() -> None:
    for field, recipes in (("aiTool", catalogue().tools(None)), ("template", catalogue().templates(None))):
        for recipe in recipes:
            found = asked({field: recipe.slug, "params": required(recipe.params)})
            assert (found.recipe, found.model) == (recipe, recipe.model)
            assert found.version.id == recipe.version_id


@pytest.mark.parametrize("body", [None, [], "prompt", 7, True, [{"aiTool": "background-removal"}]])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    assert (refused(body).status, refused(body).code) == (400, "invalid_payload")


@pytest.mark.parametrize(
    "fields",
    [(), ("interfaceId", "aiTool"), ("aiTool", "template"), ("interfaceId", "template"),
     ("interfaceId", "aiTool", "template")],
)  # fmt: skip
def test_a_body_names_exactly_one_of_model_tool_and_template(fields: tuple[str, ...]) -> None:
    named = {"interfaceId": GPT.id, "aiTool": "background-removal", "template": "superhero-movie-poster"}
    refusal = refused({**{field: named[field] for field in fields}, "params": {}})
    assert (refusal.status, refusal.code) == (400, "invalid_payload")
    assert all(f'"{field}"' in refusal.message for field in fields)


@pytest.mark.parametrize("field", ["interfaceId", "aiTool", "template"])
@pytest.mark.parametrize("value", [None, 7, "", [], {}, True])
def test_a_name_that_is_no_text_is_refused_and_named(field: str, value: object) -> None:
    assert refused_param({field: value, "params": {}})[0] == field


def test_a_bogus_model_is_unknown() -> None:
    refusal = refused({"interfaceId": "no-such-model", "versionId": "standard", "params": {}})
    assert (refusal.status, refusal.code) == (404, "unknown_model")


def test_a_disabled_model_is_unknown_by_its_name_whatever_else_is_wrong() -> None:
    refusal = refused({"interfaceId": FLUX.id}, disabled={"Flux 2 Pro"}, hidden={"Flux 2 Pro"})
    assert (refusal.status, refusal.code) == (404, "unknown_model")


def test_a_hidden_model_is_not_public() -> None:
    old = model("image/default", "Old Model")
    assert asked(raw(old)).model is old
    refusal = refused(raw(old), hidden={"Old Model"})
    assert (refusal.status, refusal.code, refusal.type) == (403, "model_not_public", "permission_error")


def test_a_model_that_only_tools_use_is_not_public_on_the_raw_path() -> None:
    inner = catalogue().tool("background-removal")
    assert inner is not None
    assert refused(raw(inner.model)).code == "model_not_public"


def test_hiding_a_model_never_concerns_tools_and_templates() -> None:
    assert asked(REMOVAL, hidden={"Bria RMBG 2.0"}).recipe is not None
    assert asked(POSTER, hidden={"GPT Image 2.0"}).recipe is not None


@pytest.mark.parametrize(
    ("body", "name", "code"),
    [(REMOVAL, "Bria RMBG 2.0", "unknown_ai_tool"), (POSTER, "GPT Image 2.0", "unknown_template")],
)
def test_a_tool_or_template_is_unknown_where_its_model_is_disabled(
    body: object, name: str, code: str
) -> None:
    refusal = refused(body, disabled={name})
    assert (refusal.status, refusal.code) == (404, code)


def test_an_unknown_slug_is_said_so_by_its_kind() -> None:
    assert refused({"aiTool": "superhero-movie-poster", "params": {}}).code == "unknown_ai_tool"
    assert refused({"template": "background-removal", "params": {}}).code == "unknown_template"


@pytest.mark.parametrize("version", [None, "ultra", "", 7, ["standard"], "Standard"])
def test_a_version_that_is_missing_or_unknown_is_refused_with_the_versions_there_are(version: object) -> None:
    body = raw(FLUX) | {"versionId": version}
    param, message = refused_param(body)
    assert param == "versionId"
    assert '"standard", "pro"' in message
    del body["versionId"]
    assert refused_param(body)[0] == "versionId"


def test_a_version_beside_a_tool_or_template_is_refused_for_it_would_not_be_used() -> None:
    assert refused_param(REMOVAL | {"versionId": "standard"})[0] == "versionId"
    assert refused_param(POSTER | {"versionId": "standard"})[0] == "versionId"


# Params as a whole


@pytest.mark.parametrize("params", [None, [], "a red panda", 7, True])
def test_params_that_are_no_object_are_refused(params: object) -> None:
    assert refused_param(raw(GPT) | {"params": params})[0] == "params"


def test_params_left_out_count_as_empty() -> None:
    assert refused({"interfaceId": GPT.id, "versionId": "standard"}).code == "missing_required_params"


def test_an_unknown_param_is_named() -> None:
    param, message = refused_param(raw(GPT, promt="a red panda"))
    assert param == "promt"
    assert "prompt" in message


def test_a_whole_body_where_params_belong_is_refused_with_that_reason() -> None:
    param, message = refused_param(raw(GPT) | {"params": raw(GPT)})
    assert param == "interfaceId"
    assert 'belongs beside "params"' in message


@pytest.mark.parametrize(
    ("body", "param", "kind"),
    [
        (POSTER | {"params": {"aspect_ratio": "2:3", "prompt": "mine"}}, "prompt", "template"),
        (POSTER | {"params": {"quality": "high"}}, "quality", "template"),
        ({"aiTool": "style-transfer", "params": {"prompt": None}}, "prompt", "AI tool"),
        ({"aiTool": "image-upscale", "params": {"face_enhancement": True}}, "face_enhancement", "AI tool"),
    ],
)
def test_a_fixed_param_is_refused_in_the_documented_words(body: object, param: str, kind: str) -> None:
    assert refused_param(body) == (param, f'Param "{param}" is fixed by {kind}')


def test_missing_params_are_told_in_the_documented_form_all_at_once() -> None:
    body = raw(SEEDREAM)
    body["params"] = {"prompt": "a red panda"}
    refusal = refused(body)
    assert (refusal.status, refusal.code) == (400, "missing_required_params")
    assert refusal.envelope() == {
        "error": {
            "message": "Missing required parameters: aspect_ratio, resolution",
            "type": "invalid_request_error",
            "code": "missing_required_params",
            "params": [
                {
                    "id": "aspect_ratio",
                    "type": "aspect_ratio",
                    "required": True,
                    "default": "1:1",
                    "options": [{"value": "1:1", "label": "1:1"}, {"value": "16:9", "label": "16:9"}],
                },
                {
                    "id": "resolution",
                    "type": "resolution",
                    "required": True,
                    "default": "1024",
                    "options": [
                        {"value": "1024", "label": "1024 × 1024"},
                        {"value": "2048", "label": "2048 × 2048"},
                        {"value": "4096", "label": "4096 × 4096"},
                    ],
                },
            ],
        }
    }


@pytest.mark.parametrize("nothing", [None, "", "  \n"])
def test_a_required_param_that_says_nothing_is_missing(nothing: object) -> None:
    refusal = refused(raw(GPT, prompt=nothing))
    assert refusal.code == "missing_required_params"
    assert refusal.extras["params"] == [
        {"id": "prompt", "type": "long_text", "required": True, "constraints": {"maxLength": 4000}}
    ]


def test_an_optional_param_that_is_null_is_left_out_and_falls_back_to_its_default() -> None:
    assert asked(raw(GPT, quality=None)).params["quality"] == "low"


def test_optional_params_left_out_have_their_defaults_and_those_without_one_stay_out() -> None:
    found = asked(raw(GPT, resolution="1k"))
    assert found.params == {
        "prompt": "a red panda", "quality": "low", "resolution": "1k", "aspect_ratio": "1:1",
        "background": "auto", "num_images": 1,
    }  # fmt: skip
    assert found.asked == {"prompt": "a red panda", "resolution": "1k"}


# Values


@pytest.mark.parametrize(
    ("each", "param", "value"),
    [
        (GPT, "prompt", 7),
        (GPT, "prompt", ["a", "b"]),
        (GPT, "prompt", "a" * 4001),
        (GPT, "prompt", "half a pair: \ud83d"),
        (GPT, "quality", "Low"),
        (GPT, "quality", "best"),
        (GPT, "quality", ["low"]),
        (GPT, "resolution", "8k"),
        (GPT, "aspect_ratio", "1:7"),
        (GPT, "num_images", "2"),
        (GPT, "num_images", True),
        (GPT, "num_images", 0),
        (GPT, "num_images", 5),
        (GPT, "num_images", 1.5),
        (GPT, "num_images", float("nan")),
        (GPT, "num_images", float("inf")),
        (GPT, "num_images", 10**400),
        (GPT, "image_urls", PICTURE),
        (GPT, "image_urls", [PICTURE] * 17),
        (GPT, "image_urls", [PICTURE, 7]),
        (GPT, "image_urls", ["/home/me/cat.png"]),
        (GPT, "image_urls", [f"{PICTURE}?\ud83d"]),
        (GPT, "image_urls", ["https://storage.zooop.ai/u1/p1/my cat.png"]),
        (KLING, "duration", 2),
        (KLING, "duration", "5"),
        (KLING, "duration", 5.5),
        (KLING, "generate_audio", "true"),
        (KLING, "generate_audio", 1),
        (model("image/default", "Recraft V4"), "background_color", "red"),
        (model("audio/music", "MiniMax Music 2.5"), "prompt", "too short"),
        (model("audio/sound-effect", "Mirelo SFX"), "takes", True),
        (model("audio/sound-effect", "Mirelo SFX"), "duration", 5),
        (SPEECH, "voice", "nobody"),
        (SPEECH, "speed", 0.52),
        (SPEECH, "text", "a" * 5001),
        (model("video/first-last-frame", "Kling V3"), "first_frame", "cat.png"),
        (model("video/first-last-frame", "Kling V3"), "last_frame", {"url": PICTURE}),
        (model("audio/voice-clone", "ElevenLabs Instant Voice Clone"), "voice", "rachel"),
        (model("video/text-ref", "Vidu Q2"), "movement_amplitude", "medium"),
    ],
)
def test_a_value_that_the_param_does_not_take_is_refused_with_its_name(
    each: Model, param: str, value: object
) -> None:
    named, message = refused_param(raw(each, **{param: value}))
    assert named == param
    assert message.startswith(f'Param "{param}"')
    json.dumps(message, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("each", "param", "value"),
    [
        (GPT, "prompt", "a" * 4000),
        (GPT, "image_urls", []),
        (GPT, "image_urls", [PICTURE] * 16),
        (GPT, "num_images", 4.0),
        (SPEECH, "speed", 0.55),
        (SPEECH, "stability", 0),
        (model("image/default", "Recraft V4"), "background_color", "#00ff7F"),
        (model("image/default", "Flux 2 Pro"), "aspect_ratio", "9:16"),
        (model("video/text-ref", "Vidu Q2"), "movement_amplitude", "Medium"),
        (model("video/text-ref", "Luma Ray 2"), "duration", "9s"),
        (model("audio/sound-effect", "ElevenLabs Sound Effects"), "duration", 0.5),
    ],
)
def test_a_value_at_the_edge_of_what_the_param_takes_is_taken(each: Model, param: str, value: object) -> None:
    assert asked(raw(each, **{param: value})).params[param] == value


def test_a_prompt_over_the_models_own_limit_is_refused_where_the_param_states_none() -> None:
    hunyuan = model("image/default", "Hunyuan Image 3")
    assert asked(raw(hunyuan, prompt="a" * 5000)).params["prompt"] == "a" * 5000
    param, message = refused_param(raw(hunyuan, prompt="a" * 5001))
    assert param == "prompt"
    assert "5000" in message


def test_a_choice_is_kept_as_it_is_listed() -> None:
    hailuo = model("video/text-ref", "Hailuo 2.3")
    duration = asked(raw(hailuo, duration=10.0)).params["duration"]
    assert isinstance(duration, int)
    assert duration == 10


@pytest.mark.parametrize("value", [{"points": [[0, 0], [1, 2]]}, "orbit", 7, [1], False])
def test_a_param_of_an_unknown_type_is_passed_through(value: object) -> None:
    seedance = model("video/text-ref", "Seedance 2")
    assert asked(raw(seedance, camera_path=value)).params["camera_path"] == value


def test_a_combination_that_is_not_offered_is_refused_in_the_servers_own_words() -> None:
    assert asked(raw(GPT, resolution="4k", aspect_ratio="16:9")).params["resolution"] == "4k"
    param, message = refused_param(raw(GPT, resolution="4k"))
    assert (param, message) == (
        "resolution",
        "GPT Image 2.0 makes 1:1 pictures up to 2k; choose 2k, or another aspect ratio for 4k",
    )


# Recipes


def test_a_templates_inputs_are_woven_into_its_prompt() -> None:
    found = asked(POSTER | {"params": {"aspect_ratio": "2:3", "hero_name": "DAWN"}})
    assert '"DAWN"' in str(found.params["prompt"])
    assert (found.params["quality"], found.params["resolution"]) == ("low", "2k")


@pytest.mark.parametrize("left_out", [{}, {"hero_name": None}, {"hero_name": "  "}])
def test_an_input_left_out_falls_back_to_its_default(left_out: dict[str, object]) -> None:
    found = asked(POSTER | {"params": {"aspect_ratio": "2:3"} | left_out})
    assert '"NIGHTFALL"' in str(found.params["prompt"])


def test_an_input_is_words_and_never_another_place_in_the_prompt() -> None:
    body = {"template": "vintage-travel-poster", "params": {"place": "{slogan} {0} \\1 {x}"}}
    assert r"poster of {slogan} {0} \1 {x} in flat" in str(asked(body).params["prompt"])


def test_a_templates_inputs_are_checked_like_any_param() -> None:
    assert (
        refused_param(POSTER | {"params": {"aspect_ratio": "2:3", "hero_name": "A" * 29}})[0] == "hero_name"
    )
    assert refused_param(POSTER | {"params": {"aspect_ratio": "21:9"}})[0] == "aspect_ratio"
    two = {"aspect_ratio": "2:3", "image_urls": [PICTURE] * 2}
    assert refused_param(POSTER | {"params": two})[0] == "image_urls"
    refusal = refused({"template": "superhero-movie-poster", "params": {}})
    assert [hint["id"] for hint in refusal.extras["params"]] == ["aspect_ratio"]  # type: ignore[attr-defined]


# What the policy check receives


def test_media_params_are_told_with_their_urls_and_nothing_else_is() -> None:
    lipsync = model("video/audio-lipsync", "Kling Avatar V2")
    assert media_urls(asked(raw(lipsync))) == {"image_url": [PICTURE], "audio_url": [SOUND]}
    assert media_urls(asked(raw(GPT, image_urls=[PICTURE, CLIP]))) == {"image_urls": [PICTURE, CLIP]}
    clone = model("audio/voice-clone", "ElevenLabs Instant Voice Clone")
    assert media_urls(asked(raw(clone))) == {"voice": [SOUND]}
    assert media_urls(asked(raw(SPEECH))) == {}
    assert media_urls(asked(REMOVAL)) == {"image_url": [PICTURE]}


def test_the_callers_own_words_are_told_and_not_the_recipes() -> None:
    assert texts(asked(raw(KLING, negative_prompt="rain"))) == {
        "prompt": "a red panda",
        "negative_prompt": "rain",
    }
    assert texts(asked(POSTER)) == {}
    assert texts(asked(POSTER | {"params": {"aspect_ratio": "2:3", "hero_name": "DAWN"}})) == {
        "hero_name": "DAWN"
    }


# The order for the renderer


@pytest.mark.parametrize(
    ("type", "params", "pixels"),
    [
        ("image", {"resolution": "2k", "aspect_ratio": "1:1"}, (2048, 2048)),
        ("image", {"resolution": "4k", "aspect_ratio": "16:9"}, (4096, 2304)),
        ("image", {"resolution": "1k", "aspect_ratio": "9:16"}, (576, 1024)),
        ("image", {"resolution": "1024", "aspect_ratio": "1:1"}, (1024, 1024)),
        ("image", {"resolution": "1664x928"}, (1664, 928)),
        ("image", {"aspect_ratio.ratio": "4:3", "aspect_ratio": "auto"}, (1024, 768)),
        ("image", {}, (1024, 1024)),
        ("video", {"resolution": "720p", "aspect_ratio": "16:9"}, (1280, 720)),
        ("video", {"resolution": "1080p", "aspect_ratio": "9:16"}, (1080, 1920)),
        ("video", {"resolution": "480p", "aspect_ratio": "1:1"}, (480, 480)),
        ("video", {"resolution": "4k"}, (3840, 2160)),
        ("video", {}, (1280, 720)),
    ],
)
def test_sizes_in_pixels_follow_from_resolution_and_ratio(
    type: str, params: dict[str, object], pixels: tuple[int, int]
) -> None:
    assert size(type, params) == pixels


def test_sizes_of_every_model_are_even_and_fit_the_ratio() -> None:
    for each in models():
        width, height = size(each.type, asked(raw(each)).params)
        assert width % 2 == height % 2 == 0
        assert 256 <= min(width, height) <= max(width, height) <= 4096


@pytest.mark.parametrize(
    "category", ["video/first-last-frame", "video/motion-control", "video/audio-lipsync"]
)
def test_a_model_that_offers_no_ratio_takes_its_inputs(category: str) -> None:
    for each in (one for one in models() if f"{one.type}/{one.subtype}" == category):
        ratios = [param["id"] for param in each.params if param["type"] == "aspect_ratio"]
        assert work_order(asked(raw(each)), seed=1).takes_shape == (not ratios), each.name


def test_a_ratio_of_auto_takes_the_inputs_and_any_other_is_kept_to() -> None:
    assert not work_order(asked(raw(KLING, aspect_ratio="16:9")), seed=1).takes_shape
    assert not asks_shape({"aspect_ratio": "auto", "resolution": "720p"})
    assert asks_shape({"aspect_ratio.ratio": "4:3"})
    assert asks_shape({"resolution": "1664x928"})


def test_a_picture_is_ordered_in_the_asked_size_and_number() -> None:
    work = work_order(asked(raw(GPT, num_images=3, background="transparent")), seed=11)
    assert (work.action, work.prompt, work.model, work.seed) == (
        "picture",
        "a red panda",
        "GPT Image 2.0",
        11,
    )
    assert (work.width, work.height, work.count, work.alpha) == (2048, 2048, 3, True)
    assert work.params["quality"] == "low"
    assert not work_order(asked(raw(GPT)), seed=11).alpha


@pytest.mark.parametrize(
    ("each", "asked_for", "seconds"),
    [
        (KLING, {"duration": 7}, 7.0),
        (model("video/text-ref", "Luma Ray 2"), {"duration": "9s"}, 9.0),
        (model("video/text-ref", "Hailuo 2.3"), {"duration": 10}, 10.0),
        (model("video/extend-video", "Grok Imagine Extend"), {"duration": 3}, 3.0),
        (model("audio/sound-effect", "ElevenLabs Sound Effects"), {"duration": 0.5}, 0.5),
    ],
)
def test_a_clip_or_sound_is_ordered_in_the_asked_length(
    each: Model, asked_for: dict[str, object], seconds: float
) -> None:
    assert work_order(asked(raw(each, **asked_for)), seed=1).seconds == seconds


def test_speech_is_ordered_with_its_text_and_voice() -> None:
    work = work_order(asked(raw(SPEECH, text="Good morning", voice="george")), seed=1)
    assert (work.action, work.prompt, work.voice) == ("speech", "Good morning", "george")


def test_a_cloned_voice_is_media_and_no_voices_name() -> None:
    clone = model("audio/voice-clone", "ElevenLabs Instant Voice Clone")
    assert work_order(asked(raw(clone)), seed=1).voice == ""


def test_a_tools_order_is_its_own_renderers() -> None:
    cutout = work_order(asked(REMOVAL), seed=1)
    assert (cutout.action, cutout.alpha, cutout.model) == ("cutout", True, "Background Removal")
    upscale = {"aiTool": "image-upscale", "params": {"image_url": PICTURE, "upscale_factor": "4x"}}
    assert work_order(asked(upscale), seed=1).factor == 4.0


def test_every_model_and_recipe_names_a_renderer_that_exists() -> None:
    from zooop_nb.sandbox.media import ACTIONS

    used = {each.action for each in models()}
    used |= {each.action for each in (*catalogue().tools(None), *catalogue().templates(None))}
    assert used == set(ACTIONS)


# Arbitrary bodies

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    JSON
    | st.dictionaries(st.sampled_from(["interfaceId", "aiTool", "template", "versionId", "params"]), JSON)
)
def test_any_body_is_refused_with_an_envelope_that_can_be_sent(body: object) -> None:
    refusal = refused(body)
    assert refusal.status in (400, 404)
    json.dumps(refusal.envelope(), ensure_ascii=False, allow_nan=False).encode()


def resolved_or_refused(body: object) -> Resolved | Refusal:
    try:
        return asked(body)
    except Refusal as refusal:
        return refusal


@settings(max_examples=300)
@given(st.data())
def test_any_value_in_any_param_is_taken_or_refused_by_name(data: st.DataObject) -> None:
    each = data.draw(st.sampled_from(models()))
    param = data.draw(st.sampled_from(each.params))
    value = data.draw(JSON)
    outcome = resolved_or_refused(raw(each, **{param["id"]: value}))
    if isinstance(outcome, Resolved):
        assert value is None or outcome.params[param["id"]] == value
    else:
        assert (outcome.status, outcome.param or outcome.code) in (
            (400, param["id"]),
            (400, "missing_required_params"),
        )
        json.dumps(outcome.envelope(), ensure_ascii=False, allow_nan=False).encode()
