"""A real sandbox on a real socket, for the client and the studio, with access to its books and faults.

Nothing is patched: the waits between attempts are removed by stamina's own testing mode, which leaves the
retry rules as they are. Each test starts from the world's initial state and in a home directory of its own.
"""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import stamina
from PIL import Image

from tests.support.sandbox_harness import SandboxHarness
from tests.support.scripted_frontend import ScriptedFrontend
from zooop_nb import frontend
from zooop_nb import settings as settings_
from zooop_nb.client import throttle
from zooop_nb.contract.backend import Intent
from zooop_nb.orders.request import OrderRequest
from zooop_nb.settings import Settings
from zooop_nb.studio import Studio
from zooop_nb.tasks.batch import PricedBatch

MAIN, TEAM, OTHER = "zpk_test_main", "zpk_test_team", "zpk_test_other"
WORLD: dict[str, Any] = {
    "users": [{"id": "u1", "balance": 1000}, {"id": "u2", "banned": True}],
    "teams": [{"id": "t1", "balance": 5000}],
    "tokens": [
        {"token": MAIN, "user": "u1", "label": "laptop", "project": {"id": "p1", "name": "Demo"}},
        {"token": OTHER, "user": "u1", "label": "phone"},
        {"token": TEAM, "kind": "team", "team": "t1", "label": "shared"},
        {"token": "zpk_test_nearcap", "dailyCap": 10, "spentToday": 8},
        {"token": "zpk_test_capped", "dailyCap": 10, "spentToday": 10},
        {"token": "zpk_test_poor", "balance": 1},
        {"token": "zpk_test_arrears", "arrears": True},
        {"token": "zpk_test_banned", "user": "u2"},
        {"token": "zpk_test_revoked", "revoked": True},
        {"token": "zpk_test_unbound", "project": {"id": "gone", "name": "Gone", "bound": False}},
    ],
    "failingModels": ["Ideogram V3"],
    "noProviderModels": ["Wan 2.6 Image"],
    "disabledModels": ["Imagen 4"],
    "hiddenModels": ["Old Model"],
}
CHEAP = "Z-Image Turbo"
"""1 credit per picture."""


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxHarness]:
    with SandboxHarness(speed=0, world=WORLD) as harness:
        yield harness


@pytest.fixture
def reset(sandbox: SandboxHarness) -> None:
    """Reset the sandbox to its world's initial state, without faults and with all its rates unused."""
    sandbox.reset()


@pytest.fixture
def books(sandbox: SandboxHarness, reset: None) -> SandboxHarness:
    """The sandbox, reset, for its books."""
    return sandbox


@pytest.fixture
def faults(sandbox: SandboxHarness, reset: None) -> Callable[..., None]:
    """`faults({"path": ..., "do": ...}, ...)`: set the sandbox's faults from now on."""
    return sandbox.faults


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    """Keep the number of attempts, but remove the waits between them, and those for what other tests sent."""
    throttle.forget()
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def settings_of(sandbox: SandboxHarness, clean_settings: Path) -> Callable[..., Settings]:
    """Return a factory of settings for the sandbox, in this test's home unless another is given."""

    def settings(token: str = MAIN, **call: object) -> Settings:
        call = {"host": sandbox.url, "home": clean_settings, **call}
        return settings_.load(call=call, token=token, environ={})

    return settings


@pytest.fixture
def studio_of(settings_of: Callable[..., Settings], reset: None) -> Iterator[Callable[..., Studio]]:
    """`studio_of(token, **settings)`: create studios that are closed when the test ends."""
    made: list[Studio] = []

    def studio(token: str = MAIN, **call: object) -> Studio:
        made.append(Studio(settings=settings_of(token, **call)))
        return made[-1]

    yield studio
    for each in made:
        each.close()


@pytest.fixture
def studio(studio_of: Callable[..., Studio]) -> Studio:
    return studio_of()


@pytest.fixture
def front() -> Iterator[ScriptedFrontend]:
    """Register a scripted front end as the default until the test ends."""
    scripted = ScriptedFrontend()
    before = frontend.register(scripted)
    yield scripted
    frontend.register(before)


@pytest.fixture(scope="session")
def png() -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((64, 48)).convert("RGB").save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def picture(tmp_path: Path, png: bytes) -> Path:
    path = tmp_path / "red, panda.png"
    path.write_bytes(png)
    return path


def intent(body: bytes, key: str = "", **more: Any) -> Intent:
    """Return what a backend is given to send a body."""
    return Intent("fingerprint", body, key=key, **more)


def picture_of(url: str, language: str | None = None) -> Intent:
    """Return what a backend is given to describe a picture."""
    body = {"imageUrl": url} | ({} if language is None else {"language": language})
    return intent(json.dumps(body).encode())


def cheap(words: str = "a red panda", **given: Any) -> OrderRequest:
    """Return a request for a picture that costs 1 credit."""
    params = {"aspect_ratio": "1:1", **given.pop("params", {})}
    return OrderRequest("image", words, params=params, model=CHEAP, **given)


def prepare(studio: Studio, requests: Sequence[OrderRequest], **how: Any) -> PricedBatch:
    """Price requests whose origin is the front end's current cell."""
    return studio.checkout.prepare(requests, studio.frontend.origin(), **how)
