"""One order of every category, from its schema to an output that matches the README's table."""

import io
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.sandbox import facts
from tests.sandbox.conftest import Api
from zooop_nb.contract.categories import CATEGORIES


@pytest.mark.parametrize("category", CATEGORIES, ids=str)
def test_the_first_model_of_each_category_makes_the_file_that_the_readme_tells(
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
        "params": facts.filled(model["params"], uploads),
    }
    quote = api.post("/v1/quote", json=body).json()
    done = api.finish(api.post("/v1/tasks", json=body).json()["taskId"])
    assert (done["status"], done["creditsCharged"]) == ("succeeded", quote["credits"])
    output = done["outputs"][0]
    documented = facts.table_in_readme()[str(category)]
    found = facts.read(str(category), model["name"], output["url"])
    assert found.cells()[:4] == documented[:4]
    length = float(documented[4]) if documented[4] else None
    assert found.seconds == (length if length is None else pytest.approx(length, abs=0.1))
    if category.type != "audio":
        thumbnail = httpx.get(output["thumbnailUrl"])
        assert thumbnail.headers["content-type"] == "image/jpeg"
        assert max(Image.open(io.BytesIO(thumbnail.content)).size) <= 512
