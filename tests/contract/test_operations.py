"""Every operation of the document has a typed async method in the client and a route in the sandbox."""

import asyncio
import inspect
import json
import re
import typing
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.contract.conftest import CHEAP, MAIN, intent, picture_of
from tests.contract.test_client import Witness
from tests.support import conformity
from tests.support.holding_proxy import HoldingProxy
from zooop_nb.client import LiveBackend
from zooop_nb.contract import shapes
from zooop_nb.settings import Settings


class Samples:
    """What the calls below need to exist beforehand."""

    def __init__(self, picture: Path, clip: Path) -> None:
        self.picture = picture
        self.clip = clip

    async def body(self, api: LiveBackend) -> bytes:
        model = next(each for each in await api.models("image", "default") if each.name == CHEAP)
        order = {"interfaceId": model.id, "versionId": "standard", "params": {"prompt": "a red panda"}}
        return json.dumps(order).encode()


Call = Callable[[LiveBackend, Samples], Any]


async def _quote(api: LiveBackend, samples: Samples) -> Any:
    return await api.quote(intent(await samples.body(api)))


async def _submit(api: LiveBackend, samples: Samples) -> Any:
    return await api.submit(intent(await samples.body(api), "k1"))


async def _task(api: LiveBackend, samples: Samples) -> Any:
    return await api.task((await _submit(api, samples)).task_id)


async def _upload_state(api: LiveBackend, samples: Samples) -> Any:
    started = await api.start_upload(samples.clip, "video/mp4")
    assert started.status == "processing"
    return await api.upload_state(started.upload_id or "")


async def _describe(api: LiveBackend, samples: Samples) -> Any:
    return await api.describe(picture_of(await api.upload(samples.picture, "image/png")))


OPERATIONS: dict[str, tuple[str, type, Call]] = {
    "me": ("me", shapes.Me, lambda api, _: api.me()),
    "listModels": ("models", shapes.Model, lambda api, _: api.models("image", "default")),
    "listTools": ("tools", shapes.Recipe, lambda api, _: api.tools("image")),
    "getTool": ("tool", shapes.Recipe, lambda api, _: api.tool("background-removal")),
    "listTemplates": ("templates", shapes.Recipe, lambda api, _: api.templates()),
    "getTemplate": ("template", shapes.Recipe, lambda api, _: api.template("superhero-movie-poster")),
    "quote": ("quote", shapes.Quote, _quote),
    "submitTask": ("submit", shapes.Submitted, _submit),
    "getTask": ("task", shapes.TaskState, _task),
    "upload": (
        "start_upload",
        shapes.Uploaded,
        lambda api, samples: api.start_upload(samples.picture, "image/png"),
    ),
    "getUpload": ("upload_state", shapes.Uploaded, _upload_state),
    "describeImage": ("describe", shapes.Description, _describe),
    # One method for all four text pages: their content has no type.
    "llms": ("page", str, lambda api, _: api.page("/llms.txt")),
    "llmsFull": ("page", str, lambda api, _: api.page("/llms-full.txt")),
    "apiDocs": ("page", str, lambda api, _: api.page("/api-docs.md")),
    "skill": ("page", str, lambda api, _: api.page("/skills/zooop/SKILL.md")),
}
"""Operation -> the client's method, its return type (or the type of its entries), and a sample call."""


@pytest.fixture
def samples(picture: Path, tmp_path: Path) -> Samples:
    clip = tmp_path / "clip.mp4"
    with av.open(str(clip), "w") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return Samples(picture, clip)


@asynccontextmanager
async def live(settings: Settings) -> AsyncIterator[LiveBackend]:
    backend = LiveBackend(settings)
    try:
        yield backend
    finally:
        await backend.aclose()


def test_no_operation_is_without_its_method() -> None:
    assert OPERATIONS.keys() == conformity.operations().keys()


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_an_operation_has_a_typed_method_that_asks_its_path_and_a_sandbox_that_answers(
    operation_id: str, settings_of: Callable[..., Settings], sandbox: Any, reset: None, samples: Samples
) -> None:
    name, shape, call = OPERATIONS[operation_id]
    method = getattr(LiveBackend, name)
    assert inspect.iscoroutinefunction(method)
    returned = typing.get_type_hints(method)["return"]
    assert shape in (returned, *typing.get_args(returned))

    operation = conformity.operations()[operation_id]
    path = re.sub(r"\\\{\w+\\\}", "[^/? ]+", re.escape(operation.path))

    async def ask(host: str) -> Any:
        async with live(settings_of(host=host)) as api:
            return await call(api, samples)

    with HoldingProxy(sandbox.url) as proxy:
        seen = proxy.hold(f"{operation.method} {path}[? ]", "request")
        seen.opened.set()
        answer = asyncio.run(ask(proxy.url))
        assert seen.reached.is_set()
    for each in answer if isinstance(answer, list) else [answer]:
        assert isinstance(each, shape)
        assert each


def test_the_texts_beside_the_api_are_asked_for_without_the_token(
    settings_of: Callable[..., Settings],
) -> None:
    anybody = Witness(200, {"content-type": "text/plain"}, b"# ZOOOP")

    async def ask() -> str:
        async with live(settings_of(host=anybody.url)) as api:
            return await api.page("/llms.txt")

    try:
        assert asyncio.run(ask()) == "# ZOOOP"
    finally:
        anybody.shutdown()
        anybody.server_close()
    [headers] = anybody.seen
    assert not any(MAIN in value for value in headers.values())
