"""One order of every category, from its schema to a file that is read back."""

import io
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from tests.sandbox.conftest import Api
from zooop_nb.contract.categories import CATEGORIES

MEDIA = {
    "image_url": "image",
    "image_urls": "image",
    "first_frame": "image",
    "last_frame": "image",
    "mask_url": "image",
    "video_url": "video",
    "audio_url": "audio",
    "voice": "audio",
}


def filled(params: list[dict[str, Any]], uploads: dict[str, str]) -> dict[str, Any]:
    """What a caller would send who reads nothing but the schema."""
    sent: dict[str, Any] = {}
    for param in (param for param in params if param["required"]):
        listed = param.get("options") or param.get("enumValues")
        if "default" in param:
            sent[param["id"]] = param["default"]
        elif listed:
            sent[param["id"]] = listed[0]["value"] if isinstance(listed[0], dict) else listed[0]
        elif param["type"] in MEDIA:
            url = uploads[MEDIA[param["type"]]]
            sent[param["id"]] = [url] if param["type"].endswith("s") else url
        else:
            sent[param["id"]] = "a red panda sings in the rain"
    return sent


@pytest.mark.parametrize("category", CATEGORIES, ids=str)
def test_the_first_model_of_each_category_makes_a_file_that_can_be_read(
    api: Api, category: Any, picture: bytes, sound: bytes, clip: bytes
) -> None:
    model = api.get("/v1/models", params={"type": category.type, "subtype": category.subtype}).json()[
        "models"
    ][0]
    uploads = {
        "image": api.upload(picture, "image/png").json()["url"],
        "audio": api.upload(sound, "audio/wav").json()["url"],
        "video": api.settle(api.upload(clip, "video/mp4").json()["uploadId"])["url"],
    }
    body = {
        "interfaceId": model["id"],
        "versionId": model["versions"][0]["id"],
        "params": filled(model["params"], uploads),
    }
    quote = api.post("/v1/quote", json=body).json()
    done = api.finish(api.post("/v1/tasks", json=body).json()["taskId"])
    assert (done["status"], done["creditsCharged"]) == ("succeeded", quote["credits"])
    output = done["outputs"][0]
    served = httpx.get(output["url"])
    media_type, ending = served.headers["content-type"], output["url"].rsplit(".", 1)[1]
    if category.subtype == "image-svg":
        assert (media_type, ending) == ("image/svg+xml", "svg")
        assert b"<path" in served.content
    elif category.type == "image":
        assert (media_type, ending) == ("image/jpeg", "webp")
        assert Image.open(io.BytesIO(served.content)).format == "JPEG"
    else:
        kind = "video" if category.type == "video" else "audio"
        assert (media_type, ending) == (("video/mp4", "mp4") if kind == "video" else ("audio/mpeg", "mp3"))
        with av.open(io.BytesIO(served.content)) as container:
            codecs = {stream.type: stream.codec_context.name for stream in container.streams}
            assert container.duration
        assert codecs.get("video" if kind == "video" else "audio") == (
            "h264" if kind == "video" else "mp3float"
        )
    if category.type != "audio":
        thumbnail = httpx.get(output["thumbnailUrl"])
        assert thumbnail.headers["content-type"] == "image/jpeg"
        assert max(Image.open(io.BytesIO(thumbnail.content)).size) <= 512
