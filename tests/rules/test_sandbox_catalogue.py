"""The sandbox's catalogue: what it must contain, and what the loader must reject."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from tests.support import conformity
from zooop_nb.contract.categories import CATEGORIES
from zooop_nb.sandbox import catalogue as catalogue_package
from zooop_nb.sandbox.catalogue import Catalogue, CatalogueError, Model, load
from zooop_nb.sandbox.catalogue.files import slip

FOLDER = Path(catalogue_package.__file__).parent
# Use libyaml if PyYAML was built with it: these tests read and write the catalogue a hundred times.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

DOCUMENTED_TYPES = {
    "image_url", "image_urls", "video_url", "audio_url", "first_frame", "last_frame", "mask_url", "voice",
    "aspect_ratio", "resolution", "duration", "boolean", "enum", "float", "text", "long_text",
}  # fmt: skip


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load()


@pytest.fixture(scope="module")
def models(catalogue: Catalogue) -> list[Model]:
    return [model for each in CATEGORIES for model in catalogue.models(each.type, each.subtype)]


@pytest.fixture(scope="module")
def params(catalogue: Catalogue, models: list[Model]) -> list[dict[str, Any]]:
    recipes = [*catalogue.tools(None), *catalogue.templates(None)]
    schemas = [each.params for each in recipes] + [model.params for model in models]
    return [param for schema in schemas for param in schema]


def names(catalogue: Catalogue, type: str, subtype: str) -> list[str]:
    return [model.name for model in catalogue.models(type, subtype)]


# What the catalogue contains


def test_every_category_has_models_and_there_are_seventy_or_more(
    catalogue: Catalogue, models: list[Model]
) -> None:
    assert catalogue.categories == CATEGORIES
    assert all(catalogue.models(each.type, each.subtype) for each in CATEGORIES)
    assert len(models) >= 70


def test_ids_are_stable_lower_case_uuids_and_unique(models: list[Model]) -> None:
    ids = [model.id for model in models]
    assert all(id == str(UUID(id)) for id in ids)
    assert len(set(ids)) == len(ids)
    again = load()
    assert all(again.model(id) is not None for id in ids)


def test_a_name_stands_once_in_its_category_and_may_stand_in_two(catalogue: Catalogue) -> None:
    for each in CATEGORIES:
        listed = names(catalogue, each.type, each.subtype)
        assert len(set(listed)) == len(listed)
    assert "Grok Imagine" in names(catalogue, "image", "default")
    assert "Grok Imagine" in names(catalogue, "video", "text-ref")


def test_the_guides_defaults_are_there_and_the_recommended_model_comes_first(catalogue: Catalogue) -> None:
    assert names(catalogue, "image", "default")[0] == "GPT Image 2.0"
    video = names(catalogue, "video", "text-ref")
    assert video[0] == "Kling O3"
    assert {"Kling V3", "Happy Horse", "Grok Imagine", "Seedance 2"} <= set(video)


FAMILIES = {
    "image/default": ["Flux 2 Pro", "Flux 2 Flash", "Nano Banana Pro", "Nano Banana 2", "Seedream",
                      "GPT Image", "Recraft", "Grok Imagine", "Old Model"],
    "image/image-svg": ["Recraft Text-to-Vector", "Recraft Image-to-Vector"],
    "video/text-ref": ["Veo 3.1", "Veo 3", "Kling V2.6", "Kling V3", "Seedance", "Hailuo", "Wan",
                       "Luma Ray 2", "Pika 2.2", "Vidu Q2", "LTX"],
    "audio/text-to-speech": ["ElevenLabs", "MiniMax Speech", "Qwen TTS", "Gemini TTS"],
    "audio/sound-effect": ["ElevenLabs Sound Effects"],
    "audio/music": ["Google Lyria", "MiniMax Music"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("category", "family"), [(category, family) for category, listed in FAMILIES.items() for family in listed]
)
def test_the_models_that_the_documentation_names_are_there(
    catalogue: Catalogue, category: str, family: str
) -> None:
    type, subtype = category.split("/")
    assert any(name.startswith(family) for name in names(catalogue, type, subtype))


def test_every_documented_param_type_is_used_and_one_that_is_not_documented(
    params: list[dict[str, Any]],
) -> None:
    types = {param["type"] for param in params}
    assert types >= DOCUMENTED_TYPES
    assert types - DOCUMENTED_TYPES == {"camera_path"}


def test_every_way_of_giving_options_is_used(params: list[dict[str, Any]]) -> None:
    options = [option for param in params for option in param.get("options", ())]
    assert any(isinstance(option, str) for option in options)
    assert any(isinstance(option, dict) and option.keys() == {"value", "label"} for option in options)
    assert any(
        isinstance(option, dict) and option.keys() == {"value", "label", "previewUrl"} for option in options
    )
    assert any("enumValues" in param for param in params)


def test_every_kind_of_constraint_is_used(params: list[dict[str, Any]]) -> None:
    used = {name for param in params for name in param.get("constraints", {})}
    assert used >= {"min", "max", "step", "minLength", "maxLength", "maxCount", "pattern"}


def test_a_raw_model_and_a_tool_have_a_dotted_param(catalogue: Catalogue, models: list[Model]) -> None:
    assert any("." in param["id"] for model in models for param in model.params)
    assert any("." in param["id"] for tool in catalogue.tools(None) for param in tool.params)


def test_typical_prices_come_in_every_unit(models: list[Model]) -> None:
    units = {version.typical_price["unit"] for model in models for version in model.versions}
    assert units == {"image", "second", "frame", "1k_chars", "call"}


def test_speech_takes_its_words_in_text_and_has_voices(catalogue: Catalogue) -> None:
    for model in catalogue.models("audio", "text-to-speech"):
        by_id = {param["id"]: param for param in model.params}
        assert by_id["text"]["required"]
        assert "prompt" not in by_id
        assert any(param["type"] == "voice" and param["options"] for param in model.params)


def test_the_prompts_limits_stand_at_the_model_too(catalogue: Catalogue) -> None:
    flux = next(model for model in catalogue.models("image", "default") if model.name == "Flux 2 Pro")
    assert (flux.public()["promptRequired"], flux.public()["promptMaxLength"]) == (True, 2000)
    speech = catalogue.models("audio", "text-to-speech")[0]
    assert (speech.public()["promptRequired"], speech.public()["promptMaxLength"]) == (False, 0)


# What the catalogue exposes


def test_every_model_is_as_the_specification_describes_one(models: list[Model]) -> None:
    for model in models:
        conformity.validate_schema("Model", model.public(), strict=True)


def test_every_tool_and_template_is_as_the_specification_describes_one(catalogue: Catalogue) -> None:
    for tool in catalogue.tools(None):
        conformity.validate_schema("Tool", tool.public(), strict=True)
    for template in catalogue.templates(None):
        conformity.validate_schema("Template", template.public(), strict=True)


def test_nothing_internal_is_shown(catalogue: Catalogue, models: list[Model]) -> None:
    for recipe in (*catalogue.tools(None), *catalogue.templates(None)):
        shown = recipe.public()
        assert shown.keys() <= {
            "slug", "name", "mediaType", "subType", "summary", "coverUrl", "tags", "params", "official",
            "typicalPrice",
        }  # fmt: skip
        assert not recipe.fixed.keys() & {param["id"] for param in shown["params"]}
    for model in models:
        assert not model.public().keys() & {"seconds", "action", "refused", "pricing"}
        assert all("pricing" not in version for version in model.public()["versions"])


def test_the_documented_tools_are_shown_as_documented(catalogue: Catalogue) -> None:
    removal, transfer = catalogue.tool("background-removal"), catalogue.tool("style-transfer")
    assert removal is not None
    assert transfer is not None
    assert removal.public() | {"coverUrl": ""} == {
        "slug": "background-removal",
        "name": "Background Removal",
        "mediaType": "image",
        "subType": "",
        "summary": "Remove the background and keep only the subject.",
        "coverUrl": "",
        "tags": ["NEW"],
        "params": [{"id": "image_url", "type": "image_url", "required": True, "displayName": ""}],
        "typicalPrice": {"typicalCredits": 2, "unit": "image"},
    }
    documented = {
        "slug": "style-transfer",
        "name": "Style Transfer",
        "mediaType": "image",
        "params": [
            {"id": "image_url", "type": "image_url", "required": True},
            {
                "id": "target_style",
                "type": "enum",
                "required": True,
                "options": [
                    {"value": "impressionism", "label": "Impressionism"},
                    {"value": "cubism", "label": "Cubism"},
                ],
            },
            {
                "id": "aspect_ratio.ratio",
                "type": "aspect_ratio",
                "required": True,
                "options": ["1:1", "16:9", "9:16", "4:3", "3:4"],
            },
        ],
        "typicalPrice": {"typicalCredits": 6, "unit": "image"},
    }
    assert transfer.public() | documented == transfer.public()


def test_the_documented_template_is_shown_as_documented(catalogue: Catalogue) -> None:
    template = catalogue.template("superhero-movie-poster")
    assert template is not None
    shown = template.public()
    ratio, photo, hero = shown["params"]
    assert (ratio["id"], ratio["required"], ratio["default"]) == ("aspect_ratio", True, "2:3")
    assert ratio["options"] == ["1:1", "2:3", "3:2", "9:16"]
    assert (photo["id"], photo["displayName"], photo["constraints"]) == (
        "image_urls",
        "Your photo",
        {"maxCount": 1},
    )
    assert (hero["id"], hero["type"], hero["default"], hero["constraints"]) == (
        "hero_name",
        "text",
        "NIGHTFALL",
        {"maxLength": 28},
    )
    assert shown["typicalPrice"] == {"typicalCredits": 5, "unit": "image"}
    assert shown["official"] is True


def test_tools_and_templates_are_filtered_by_media_type(catalogue: Catalogue) -> None:
    for listed in (catalogue.tools, catalogue.templates):
        by_type = {kind: [each.slug for each in listed(kind)] for kind in ("image", "video")}
        assert by_type["image"]
        assert by_type["video"]
        assert sorted(by_type["image"] + by_type["video"]) == sorted(each.slug for each in listed(None))
    assert {tool.slug for tool in catalogue.tools(None)} >= {
        "background-removal",
        "image-upscale",
        "video-upscale",
        "style-transfer",
    }


def test_models_that_only_tools_use_are_in_no_category(catalogue: Catalogue, models: list[Model]) -> None:
    removal = catalogue.tool("background-removal")
    assert removal is not None
    assert catalogue.model(removal.model.id) is removal.model
    assert removal.model not in models


def test_every_file_says_that_its_prices_and_timings_are_made_up() -> None:
    priced = [file for file in FOLDER.glob("*.yaml") if file.stem != "brands"]
    assert len(priced) == len(CATEGORIES) + 2
    assert all("Prices and timings are made up" in file.read_text("utf-8") for file in priced)


# What the loader rejects


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[str, Callable[[Any], None]], Path]:
    """Return a factory of catalogue copies with one file changed."""

    def edit(stem: str, change: Callable[[Any], None]) -> Path:
        for file in FOLDER.glob("*.yaml"):
            shutil.copy(file, tmp_path)
        file = tmp_path / f"{stem}.yaml"
        data = yaml.load(file.read_bytes(), Loader=LOADER)
        change(data)
        file.write_text(yaml.dump(data, Dumper=DUMPER), "utf-8")
        return tmp_path

    return edit


def test_an_unchanged_copy_of_the_catalogue_loads(edited: Callable[..., Path]) -> None:
    assert load(edited("image-default", lambda data: None)).models("image", "default")


def first(data: Any) -> Any:
    return data["models"][0]


SLIPS = {
    "a model without a price": ("image-default", lambda d: first(d)["versions"][0].pop("pricing"), "pricing"),
    "a misspelt key": ("image-default", lambda d: first(d).update(secondz=1), "secondz"),
    "a ratio that YAML read as a number": (
        "image-default",
        lambda d: d["models"][4]["params"][1].update(default=61),
        "YAML reads an unquoted 1:1 as 61",
    ),
    "a number without a range": (
        "image-default",
        lambda d: first(d)["params"].append({"id": "odd", "type": "float", "required": False}),
        "constraints",
    ),
    "a fraction as the price of an image": (
        "image-default",
        lambda d: first(d)["versions"][0]["typicalPrice"].update(typicalCredits=1.5),
        "integer",
    ),
    "a price that is none of the two kinds": (
        "image-default",
        lambda d: first(d)["versions"][0]["pricing"].update(rate=4),
        "either rate, or key and rates",
    ),
    "a surcharge without a reason": (
        "video-text-ref",
        lambda d: first(d)["versions"][0]["pricing"].update(surcharges=[{"add": 1}]),
        "when or times",
    ),
    "a choice without choices": (
        "image-default",
        lambda d: first(d)["params"].append({"id": "odd", "type": "enum", "required": False}),
        "options or enumValues",
    ),
    "constraints that say nothing": (
        "image-default",
        lambda d: first(d)["params"][0].update(constraints={}),
        "constrain nothing",
    ),
    "a price of nothing": (
        "image-default",
        lambda d: first(d)["versions"][0]["typicalPrice"].update(typicalCredits=0),
        "> 0",
    ),
    "an id in capitals": (
        "image-default",
        lambda d: first(d)["params"][0].update(id="Prompt"),
        "regex",
    ),
    "a renderer that is not there": ("image-default", lambda d: first(d).update(action="paint"), "paint"),
    "a template that does not say whether it is official": (
        "templates",
        lambda d: d["templates"][0].pop("official"),
        "official",
    ),
    "a category without models": ("audio-music", lambda d: d.update(models=[]), "models"),
    "a name that stands there twice": (
        "image-default",
        lambda d: d["models"].append(first(d)),
        "stands there twice",
    ),
    "a default that the param refuses": (
        "image-default",
        lambda d: first(d)["params"][1].update(default="lowest"),
        "must be one of",
    ),
    "a pricing key without a rate": (
        "image-default",
        lambda d: first(d)["versions"][0]["pricing"]["rates"].pop("low-2k"),
        "low-2k",
    ),
    "a price that depends on a param that is not there": (
        "image-default",
        lambda d: first(d)["versions"][0]["pricing"]["times"][0].update(param="copies"),
        "copies",
    ),
    "a price by the length of a param that may be left out": (
        "video-text-ref",
        lambda d: first(d)["params"][2].pop("default"),
        "may be left out",
    ),
    "a price by the seconds of a boolean": (
        "video-text-ref",
        lambda d: first(d)["versions"][0]["pricing"]["times"][0].update(param="generate_audio"),
        "cannot be counted",
    ),
    "a surcharge for a value that the param refuses": (
        "video-text-ref",
        lambda d: first(d)["versions"][0]["pricing"]["surcharges"][0].update(when={"generate_audio": "on"}),
        "must be true or false",
    ),
    "a pricing key that may be left out": (
        "video-text-ref",
        lambda d: first(d)["params"][3].pop("default"),
        "always there: resolution",
    ),
    "a refused combination of params that are not there": (
        "image-default",
        lambda d: first(d)["refused"][0]["when"].update(size="4k"),
        "size",
    ),
    "a fixed value that the model refuses": (
        "templates",
        lambda d: d["templates"][0]["fixed"].update(quality="lowest"),
        "must be one of",
    ),
    "an unknown brand": ("image-default", lambda d: first(d).update(brand="acme"), "acme"),
    "the file of another category": ("image-default", lambda d: d.update(subtype="edit-image"), "file of"),
    "a tool without its model": ("tools", lambda d: d["tools"][0].update(model="image/x/No"), "no model"),
    "a tool with a version that is not there": (
        "tools",
        lambda d: d["tools"][0].update(version="pro"),
        "no version 'pro'",
    ),
    "a param both fixed and open": (
        "templates",
        lambda d: d["templates"][0]["fixed"].update(aspect_ratio="2:3"),
        "fixed and open",
    ),
    "a place in the prompt that no input fills": (
        "templates",
        lambda d: d["templates"][0].pop("woven"),
        "woven inputs",
    ),
    "a template that leaves out what its model requires": (
        "templates",
        lambda d: d["templates"][2]["params"].pop(0),
        "first_frame",
    ),
    "a template with a param that its model lacks": (
        "templates",
        lambda d: d["templates"][0]["params"][1].update(id="photo"),
        "photo",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("stem", "change", "said"), SLIPS.values(), ids=SLIPS.keys())
def test_the_loader_refuses(
    edited: Callable[..., Path], stem: str, change: Callable[[Any], None], said: str
) -> None:
    with pytest.raises(CatalogueError, match=said):
        load(edited(stem, change))


@pytest.mark.parametrize(
    ("stem", "change", "said"),
    [
        (
            "video-text-ref",
            lambda d: d["models"][1]["params"][0].update(requird=True),
            "video-text-ref.yaml: models[1] (Kling V3).params[0] (prompt): "
            "Object contains unknown field `requird`",
        ),
        (
            "tools",
            lambda d: d["models"][0]["versions"][0]["pricing"].update(rate="2"),
            "tools.yaml: models[0] (Bria RMBG 2.0).versions[0] (Standard).pricing.rate: "
            "Expected `float`, got `str`",
        ),
        ("templates", lambda d: d["templates"][0].update(mediaType="audio"), "templates[0] (Superhero"),
        (
            "image-default",
            lambda d: first(d)["versions"][0]["pricing"]["rates"].update({"low-2k": 0}),
            "models[0] (GPT Image 2.0).versions[0] (Standard).pricing.rates[...]: Expected `float` > 0",
        ),
        ("brands", lambda d: d.pop("brands"), "brands.yaml: the file: Object missing required field"),
    ],
)
def test_a_slip_is_told_with_its_file_the_name_of_the_entry_and_the_key(
    edited: Callable[..., Path], stem: str, change: Callable[[Any], None], said: str
) -> None:
    with pytest.raises(CatalogueError) as refused:
        load(edited(stem, change))
    assert said in str(refused.value)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_no_key_of_any_object_can_be_misspelt_unseen(file: Path) -> None:
    """A misspelt key is rejected in every object of the files, including params' constraints and prices."""
    free = {"brands", "fixed", "rates", "when", "shared"}
    data = yaml.load(file.read_bytes(), Loader=LOADER)

    def spoil(value: Any, key: str) -> None:
        if isinstance(value, dict):
            if key not in free:
                assert slip(file.stem, data) is None
                value["mispelt"] = 1
                wrong = slip(file.stem, data)
                del value["mispelt"]
                assert wrong is not None
                assert "mispelt" in wrong
            for name, each in value.items():
                if name != "shared":
                    spoil(each, name)
        elif isinstance(value, list):
            for each in value[:2]:
                spoil(each, key)

    spoil(data, "")


def test_the_command_for_editors_says_whether_all_is_well(edited: Callable[..., Path]) -> None:
    def check(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "zooop_nb.sandbox.catalogue", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    fine = check()
    assert (fine.returncode, fine.stderr) == (0, "")
    assert "all is well" in fine.stdout
    folder = edited("image-default", lambda d: first(d).update(secondz=1))
    spoilt = check(str(folder))
    assert spoilt.returncode == 1
    assert "image-default.yaml: models[0] (GPT Image 2.0): " in spoilt.stderr


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"brands\.yaml: cannot be read"):
        load(tmp_path)


def test_a_file_that_is_no_yaml_is_named(edited: Callable[..., Path]) -> None:
    folder = edited("image-default", lambda data: None)
    (folder / "audio-music.yaml").write_text("models: [", "utf-8")
    with pytest.raises(CatalogueError, match=r"audio-music\.yaml: is not YAML"):
        load(folder)
