"""What can be listed and read: categories, tools, templates, documents, and unknown pages."""

import httpx
import pytest

from tests.sandbox.conftest import Api, error
from zooop_nb.contract.categories import CATEGORIES

PAIRS = [{"type": each.type, "subType": each.subtype} for each in CATEGORIES]


@pytest.mark.parametrize(
    "params", [{}, {"type": "image"}, {"subtype": "default"}, {"type": "", "subtype": ""}]
)
def test_models_need_both_of_their_query_params(api: Api, params: dict[str, str]) -> None:
    response = api.get("/v1/models", params=params)
    assert error(response) == (400, "missing_category")
    assert response.json()["error"]["validCategories"] == PAIRS


@pytest.mark.parametrize(("type", "subtype"), [("image", "text-ref"), ("IMAGE", "default"), ("x", "y")])
def test_a_pair_that_is_not_exposed_is_refused_with_those_that_are(api: Api, type: str, subtype: str) -> None:
    response = api.get("/v1/models", params={"type": type, "subtype": subtype})
    assert error(response) == (400, "unknown_category")
    assert response.json()["error"]["validCategories"] == PAIRS


@pytest.mark.parametrize("category", CATEGORIES, ids=str)
def test_every_category_has_models(api: Api, category: object) -> None:
    type, subtype = str(category).split("/")
    models = api.get("/v1/models", params={"type": type, "subtype": subtype}).json()["models"]
    assert models
    assert {(model["type"], model["subType"]) for model in models} == {(type, subtype)}


@pytest.mark.parametrize(
    ("path", "key", "code", "disabled"),
    [
        ("/v1/ai-tools", "aiTools", "unknown_ai_tool", "image-upscale"),
        ("/v1/templates", "templates", "unknown_template", None),
    ],
)
def test_recipes_are_listed_filtered_and_shown_by_slug(
    api: Api, path: str, key: str, code: str, disabled: str | None
) -> None:
    everything = api.get(path).json()[key]
    assert {each["mediaType"] for each in everything} == {"image", "video"}
    for media_type in ("image", "video"):
        some = api.get(path, params={"type": media_type}).json()[key]
        assert some == [each for each in everything if each["mediaType"] == media_type]
    for each in everything:
        assert api.get(f"{path}/{each['slug']}").json() == each
    for slug in filter(None, ("none", disabled)):
        assert slug not in [each["slug"] for each in everything]
        assert error(api.get(f"{path}/{slug}")) == (404, code)
    for wrong in ("audio", "Image", ""):
        assert error(api.get(path, params={"type": wrong})) == (400, "invalid_type")


def test_a_recipes_subtype_is_free_text_and_no_filter(api: Api) -> None:
    everything = api.get("/v1/ai-tools").json()
    assert len({each["subType"] for each in everything["aiTools"]}) > 1
    assert api.get("/v1/ai-tools", params={"subtype": "none"}).json() == everything


def test_what_the_catalogue_shows_is_served_by_the_sandbox_itself(api: Api) -> None:
    text = api.get("/v1/models", params={"type": "audio", "subtype": "text-to-speech"}).text
    assert "https://" not in text
    model = api.model("ElevenLabs Multilingual v3", "audio", "text-to-speech")
    voice = next(param for param in model["params"] if param["type"] == "voice")
    preview = httpx.get(voice["options"][0]["previewUrl"], timeout=60)
    assert (preview.status_code, preview.headers["content-type"]) == (200, "audio/mpeg")
    logo = httpx.get(model["brand"]["logo"], timeout=60)
    assert (logo.status_code, logo.headers["content-type"]) == (200, "image/jpeg")
    assert httpx.get(model["brand"]["logo"], timeout=60).content == logo.content
    assert httpx.get(f"{api.url}/assets/brands/none.png", timeout=60).status_code == 404


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/llms.txt", "text/plain"),
        ("/llms-full.txt", "text/plain"),
        ("/api-docs.md", "text/markdown"),
        ("/skills/zooop/SKILL.md", "text/markdown"),
    ],
)
def test_the_documents_are_public_and_say_that_this_is_a_sandbox(
    api: Api, path: str, media_type: str
) -> None:
    response = httpx.get(f"{api.url}{path}", timeout=60)
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    assert "sandbox" in response.text
    assert httpx.head(f"{api.url}{path}", timeout=60).status_code == 200


def test_the_full_text_holds_the_others(api: Api) -> None:
    full = httpx.get(f"{api.url}/llms-full.txt", timeout=60).text
    for path in ("/llms.txt", "/api-docs.md", "/skills/zooop/SKILL.md"):
        assert httpx.get(f"{api.url}{path}", timeout=60).text in full


def test_the_specification_is_served_as_json_with_the_sandboxs_address(api: Api) -> None:
    document = httpx.get(f"{api.url}/openapi.json", timeout=60).json()
    assert document["servers"] == [{"url": api.url}]
    assert {"/v1/me", "/v1/tasks", "/v1/uploads/{uploadId}"} <= set(document["paths"])


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/", "/v1/me/", "/v1/nothing", "/v1/models/x", "/a/b/c", "/a"]
)
def test_an_unknown_path_is_answered_in_the_envelope(api: Api, path: str) -> None:
    assert error(api.get(path)) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/me"), ("GET", "/v1/quote"), ("DELETE", "/v1/tasks/x")]
)
def test_a_wrong_method_is_answered_in_the_envelope(api: Api, method: str, path: str) -> None:
    response = api.call(method, path)
    assert error(response) == (405, "method_not_allowed")
    assert response.headers["allow"]
