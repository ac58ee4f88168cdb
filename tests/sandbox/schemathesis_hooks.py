"""Hooks for generated requests that random data would rarely get right.

They pick a `type` that matches its `subtype`, and upload real pictures and clips. `schemathesis.toml`, beside
this file, refers to this module.
"""

from typing import Any

import schemathesis
from hypothesis import strategies as st

from zooop_nb.contract.categories import CATEGORIES
from zooop_nb.sandbox.media import Work, render

_TYPES = {each.subtype: each.type for each in CATEGORIES}
_FILES = {
    "image/png": render(Work(action="picture", prompt="a cat", width=32, height=32, alpha=True))[0].data,
    "video/mp4": render(Work(action="video", prompt="a cat", width=32, height=32, seconds=0.2))[0].data,
}


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Use a link's body as it is: merged with a generated one, it would name two things to run."""
    for path in raw_schema["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values() if "responses" in operation else ():
                for link in response.get("links", {}).values():
                    link["x-schemathesis"] = {"merge_body": False}


@schemathesis.hook
def map_query(context: Any, query: Any) -> Any:
    if context.operation.label == "GET /v1/models" and query and query.get("subtype") in _TYPES:
        query["type"] = _TYPES[query["subtype"]]
    return query


for _media_type, _data in _FILES.items():
    schemathesis.openapi.media_type(_media_type, st.just(_data))
