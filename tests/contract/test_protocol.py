"""What every backend does: one set of expectations, for the live client and for a ZOOOP in memory."""

import asyncio
import hashlib
import inspect
import json
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.contract.conftest import CHEAP, intent, picture_of
from tests.support import memory_backend
from tests.support.memory_backend import Lost, MemoryBackend
from tests.support.sandbox_harness import SandboxHarness
from zooop_nb import errors
from zooop_nb.client import LiveBackend
from zooop_nb.contract.backend import Backend, Intent
from zooop_nb.contract.limits import TERMINAL_STATUSES
from zooop_nb.contract.shapes import TaskState
from zooop_nb.settings import Settings


class World(Protocol):
    """A backend's world: a personal wallet of 1000 credits, and what left it."""

    cheap: str
    failing: str

    def open(self) -> Backend: ...

    def spent(self) -> float: ...


class Live:
    cheap, failing = CHEAP, "Ideogram V3"

    def __init__(self, settings: Settings, sandbox: SandboxHarness) -> None:
        self._settings = settings
        self.spent = sandbox.spent

    def open(self) -> Backend:
        return LiveBackend(self._settings)


class Memory:
    cheap, failing = memory_backend.CHEAP, memory_backend.FAILING

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend
        self.spent = backend.spent

    def open(self) -> Backend:
        return self._backend


@pytest.fixture(params=["live", "memory", "memory, slow"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "live":
        settings_of = request.getfixturevalue("settings_of")
        return Live(settings_of(), request.getfixturevalue("books"))
    return Memory(MemoryBackend(polls=3 if "slow" in request.param else 0))


def run(world: World, call: Callable[[Backend], Coroutine[Any, Any, Any]]) -> Any:
    async def whole() -> Any:
        backend = world.open()
        try:
            return await call(backend)
        finally:
            await backend.aclose()

    return asyncio.run(whole())


async def an_order(backend: Backend, name: str, key: str = "", **more: Any) -> Intent:
    model = next(each for each in await backend.models("image", "default") if each.name == name)
    params = {"prompt": "a red panda", "aspect_ratio": "1:1"}
    if name == "Ideogram V3":
        del params["aspect_ratio"]
    body = {"interfaceId": model.id, "versionId": model.versions[0].id, "params": params}
    return intent(json.dumps(body).encode(), key, **more)


async def ended(backend: Backend, task_id: str) -> TaskState:
    """Follow a task to its end."""
    while True:
        state = await backend.task(task_id)
        if state.status in TERMINAL_STATUSES:
            return state
        assert state.status in {"queued", "running"}
        assert not state.outputs
        await asyncio.sleep(0.005)


def refusal(world: World, call: Callable[[Backend], Coroutine[Any, Any, Any]]) -> errors.APIError:
    with pytest.raises(errors.APIError) as caught:
        run(world, call)
    assert not caught.value.maybe_arrived
    return caught.value


METHODS = sorted(
    name for name, member in vars(Backend).items() if inspect.isfunction(member) and not name.startswith("_")
)


@pytest.mark.parametrize("backend", [LiveBackend, MemoryBackend])
@pytest.mark.parametrize("name", METHODS)
def test_each_method_is_asynchronous_and_takes_what_the_protocol_says(backend: type, name: str) -> None:
    expected, found = getattr(Backend, name), getattr(backend, name)
    assert inspect.iscoroutinefunction(found)
    assert inspect.signature(found) == inspect.signature(expected)


def test_a_backend_tells_where_it_sends_under_which_token_and_what_time_it_is(world: World) -> None:
    async def look(backend: Backend) -> None:
        assert backend.mode in {"live", "sandbox", "replay"}
        assert backend.host.startswith(("http://", "https://"))
        assert not backend.host.endswith("/")
        assert len(backend.token) == 64
        assert "zpk_" not in backend.token
        assert backend.clock.now().utcoffset() == timedelta(0)

    run(world, look)


def test_the_token_tells_its_wallet(world: World) -> None:
    me = run(world, lambda backend: backend.me())
    assert (me.wallet, me.balance, me.project.bound) == ("personal", 1000, True)
    assert me.limits["tasksPerMin"] == 60


def test_models_tools_and_templates_are_listed_and_found(world: World) -> None:
    async def look(backend: Backend) -> None:
        models = await backend.models("image", "default")
        assert {world.cheap, world.failing} <= {each.name for each in models}
        assert all(each.id and each.versions for each in models)
        for listed, one in ((backend.tools, backend.tool), (backend.templates, backend.template)):
            found = await listed()
            assert found
            assert list(await listed("image")) == [each for each in found if each.media_type == "image"]
            assert await one(found[0].slug) == found[0]

    run(world, look)
    assert refusal(world, lambda backend: backend.models("image", "poem")).code == "unknown_category"
    assert refusal(world, lambda backend: backend.tools("poem")).code == "invalid_type"
    assert refusal(world, lambda backend: backend.tool("no-such")).code == "unknown_ai_tool"
    assert refusal(world, lambda backend: backend.template("no-such")).code == "unknown_template"


def test_a_quote_is_the_price_and_moves_nothing(world: World) -> None:
    async def price(backend: Backend) -> Any:
        return await backend.quote(await an_order(backend, world.cheap))

    quote = run(world, price)
    assert (quote.credits, quote.model_name) == (1, world.cheap)
    assert world.spent() == 0
    nothing = intent(b'{"interfaceId": "no-such", "versionId": "standard", "params": {}}', "k")
    assert refusal(world, lambda backend: backend.quote(nothing)).code == "unknown_model"
    assert refusal(world, lambda backend: backend.submit(nothing)).code == "unknown_model"
    assert refusal(world, lambda backend: backend.quote(intent(b"{}"))).code == "invalid_payload"
    assert world.spent() == 0


def test_an_order_is_taken_once_under_its_key(world: World) -> None:
    async def twice(backend: Backend) -> Any:
        order, other = [await an_order(backend, world.cheap, key) for key in ("k1", "k2")]
        return [await backend.submit(each) for each in (order, order, other)]

    first, same, other = run(world, twice)
    assert (first.idempotent, same.idempotent, other.idempotent) == (False, True, False)
    assert first.task_id == same.task_id != other.task_id
    assert world.spent() == 2


def test_nothing_is_sent_once_the_key_may_be_forgotten(world: World) -> None:
    async def late(backend: Backend) -> Any:
        # Not to the second: a server's clock that was just heard may differ from this machine's.
        before = backend.clock.now() - timedelta(seconds=5)
        return await backend.submit(await an_order(backend, world.cheap, "k", send_before=before))

    async def in_time(backend: Backend) -> Any:
        before = backend.clock.now() + timedelta(hours=1)
        return await backend.submit(await an_order(backend, world.cheap, "k", send_before=before))

    with pytest.raises(errors.ZooopError) as caught:
        run(world, late)
    assert not caught.value.maybe_arrived
    assert world.spent() == 0
    assert not run(world, in_time).idempotent


def test_a_task_ends_with_outputs_that_can_be_fetched_and_says_what_it_cost(
    world: World, tmp_path: Path
) -> None:
    async def whole(backend: Backend) -> Any:
        order = await an_order(backend, world.cheap, "k")
        state = await ended(backend, (await backend.submit(order)).task_id)
        return state, await backend.fetch((state.outputs or [])[0].url, tmp_path / "out", "1")

    state, fetched = run(world, whole)
    assert (state.status, state.credits_charged) == ("succeeded", 1)
    assert state.completed_at >= state.created_at
    data = fetched.path.read_bytes()
    assert fetched.path.parent == tmp_path / "out"
    assert fetched.path.stem == "1"
    assert fetched.path.suffix in {".png", ".jpg"}
    assert fetched.content_type == {".png": "image/png", ".jpg": "image/jpeg"}[fetched.path.suffix]
    assert (fetched.size, fetched.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert world.spent() == 1


def test_a_task_that_fails_says_so_and_is_refunded(world: World) -> None:
    async def whole(backend: Backend) -> TaskState:
        order = await an_order(backend, world.failing, "k")
        return await ended(backend, (await backend.submit(order)).task_id)

    state = run(world, whole)
    assert (state.status, state.credits_charged, state.outputs or []) == ("failed", 0, [])
    assert state.error
    assert world.spent() == 0


def test_what_is_not_there_is_refused(world: World, tmp_path: Path) -> None:
    assert refusal(world, lambda backend: backend.task("no-such")).code == "unknown_task"
    assert (
        refusal(world, lambda backend: backend.fetch(f"{backend.host}/u1/p1/none.png", tmp_path, "1")).status
        == 404
    )
    assert list(tmp_path.glob("1*")) == []


def test_an_upload_can_be_fetched_and_described_for_a_credit(
    world: World, picture: Path, tmp_path: Path
) -> None:
    async def whole(backend: Backend) -> Any:
        url = await backend.upload(picture, "image/png")
        fetched = await backend.fetch(url, tmp_path / "out", "again")
        return fetched, await backend.describe(picture_of(url))

    fetched, description = run(world, whole)
    assert fetched.path.read_bytes() == picture.read_bytes()
    assert fetched.path.name == "again.png"
    assert description.credits == world.spent() == 1
    assert description.overall_description
    foreign = picture_of("https://elsewhere.example/a.png")
    assert refusal(world, lambda backend: backend.describe(foreign)).code == "invalid_payload"
    assert world.spent() == 1


async def upload(file: Path, content_type: str, backend: Backend) -> str:
    return await backend.upload(file, content_type)


def test_a_file_that_the_api_would_refuse_is_not_sent(world: World, tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "b.bmp").write_bytes(b"BM")
    for name, content_type in (("a.png", "image/png"), ("b.bmp", "image/bmp")):
        with pytest.raises(errors.BadMedia, match=name):
            run(world, partial(upload, tmp_path / name, content_type))


# What only the one in memory has: its faults.


def test_faults_come_in_their_order_before_or_after_the_server_acts() -> None:
    backend = MemoryBackend()
    world = Memory(backend)
    unreachable, lost = errors.Unreachable("x"), errors.Unreachable("y", maybe_arrived=True)
    backend.fail("submit", unreachable, Lost(lost), None)

    async def three(backend: Backend) -> list[Any]:
        order = await an_order(backend, world.cheap, "k")
        return await asyncio.gather(*(backend.submit(order) for _ in range(4)), return_exceptions=True)

    first, second, third, fourth = run(world, three)
    assert (first, second) == (unreachable, lost)
    assert (third.idempotent, fourth.idempotent) == (True, True)
    assert backend.spent() == 1
    assert backend.calls == ["models", *["submit"] * 4]
    assert [each.key for each in backend.submitted] == ["k"]
    assert backend.closed
