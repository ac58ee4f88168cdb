"""A real sandbox on a real socket, at realistic speed, with a clock that the tests advance.

Every response of an operation that any test receives is validated strictly against the OpenAPI document.
"""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support import conformity, samples
from tests.support.sandbox_harness import SandboxHarness

ALICE, PHONE, BOB = "zpk_test_alice", "zpk_test_alicephone", "zpk_test_bob"
TEAM_A, TEAM_B, TEAM_IN_ARREARS = "zpk_test_team1", "zpk_test_team2", "zpk_test_teamarrears"
CAPPED, POOR, ARREARS, BANNED = "zpk_test_capped", "zpk_test_poor", "zpk_test_arrears", "zpk_test_banned"
REVOKED, EXPIRED, EXPIRING, UNBOUND = (
    "zpk_test_revoked",
    "zpk_test_expired",
    "zpk_test_expiring",
    "zpk_test_unbound",
)

WORLD: dict[str, Any] = {
    "now": "2026-05-15T10:00:00Z",
    "users": [{"id": "u1", "balance": 1000}, {"id": "u2", "banned": True}],
    "teams": [
        {"id": "t1", "balance": 5000, "maxConcurrency": 2},
        {"id": "t2", "balance": 5000, "arrears": True},
    ],
    "tokens": [
        {"token": ALICE, "user": "u1", "label": "laptop", "project": {"id": "p1", "name": "Demo"}},
        {"token": PHONE, "user": "u1"},
        {"token": BOB},
        {"token": TEAM_A, "kind": "team", "team": "t1"},
        {"token": TEAM_B, "team": "t1"},
        {"token": TEAM_IN_ARREARS, "team": "t2"},
        {"token": CAPPED, "dailyCap": 10, "spentToday": 3},
        {"token": POOR, "balance": 1},
        {"token": ARREARS, "arrears": True},
        {"token": BANNED, "user": "u2"},
        {"token": REVOKED, "revoked": True},
        {"token": EXPIRED, "expiresAt": "2026-05-15T09:59:59Z"},
        {"token": EXPIRING, "expiresAt": "2026-05-15T12:00:00+01:00"},
        {"token": UNBOUND, "project": {"id": "gone", "name": "Gone", "bound": False}},
    ],
    "disabledModels": ["Imagen 4", "Topaz Image Upscale"],
    "failingModels": ["Ideogram V3"],
    "noProviderModels": ["Wan 2.6 Image"],
    "hiddenModels": ["Old Model"],
}

CHEAP = "Flux 2 Flash"


class Api(SandboxHarness):
    """A sandbox with a plain HTTP client, and shorthands for what the tests do."""

    def __init__(self, *, speed: float, world: dict[str, Any]) -> None:
        super().__init__(speed=speed, world=world)
        self.http = httpx.Client(base_url=self.url, timeout=120)
        self.held_to_document = True
        """False while faults are set: their responses need not conform."""
        self._models: dict[str, dict[str, Any]] = {}

    def get(self, path: str, token: str | None = ALICE, **options: Any) -> httpx.Response:
        return self.call("GET", path, token, **options)

    def post(self, path: str, token: str | None = ALICE, **options: Any) -> httpx.Response:
        return self.call("POST", path, token, **options)

    def call(self, method: str, path: str, token: str | None = ALICE, **options: Any) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        response = self.http.request(method, path, headers=headers, **options)
        if self.held_to_document:
            conform(method, path, response)
        return response

    def model(self, name: str, type: str = "image", subtype: str = "default") -> dict[str, Any]:
        key = f"{type}/{subtype}/{name}"
        if key not in self._models:
            models = self.get("/v1/models", params={"type": type, "subtype": subtype}).json()["models"]
            self._models |= {f"{type}/{subtype}/{model['name']}": model for model in models}
        return self._models[key]

    def order(
        self, name: str = CHEAP, type: str = "image", subtype: str = "default", **params: Any
    ) -> dict[str, Any]:
        model = self.model(name, type, subtype)
        if not params:
            params = {"prompt": "a red panda"}
        return {"interfaceId": model["id"], "versionId": model["versions"][0]["id"], "params": params}

    def submit(self, token: str = ALICE, *, key: str | None = None, **order: Any) -> dict[str, Any]:
        headers = {} if key is None else {"Idempotency-Key": key}
        response = self.post("/v1/tasks", token, json=self.order(**order), headers=headers)
        assert response.status_code == 200, response.text
        submitted: dict[str, Any] = response.json()
        return submitted

    def status(self, task_id: str, token: str = ALICE) -> str:
        return str(self.get(f"/v1/tasks/{task_id}", token).json()["status"])

    def finish(self, task_id: str, token: str = ALICE) -> dict[str, Any]:
        """Advance the clock until the task ends, so that only the rendering takes real time."""
        deadline = time.monotonic() + 150
        while time.monotonic() < deadline:
            task: dict[str, Any] = self.get(f"/v1/tasks/{task_id}", token).json()
            if task["status"] not in ("queued", "running"):
                return task
            self.advance(300)
            time.sleep(0.01)
        raise AssertionError(f"task {task_id} did not end")

    def settle(self, upload_id: str, token: str = ALICE) -> dict[str, Any]:
        """Advance the clock until the check of a clip's upload ends."""
        deadline = time.monotonic() + 150
        while time.monotonic() < deadline:
            response = self.get(f"/v1/uploads/{upload_id}", token)
            if response.status_code != 202:
                answer: dict[str, Any] = response.json()
                return answer
            self.advance(60)
            time.sleep(0.01)
        raise AssertionError(f"upload {upload_id} did not end")

    def upload(self, data: bytes, content_type: str, token: str = ALICE) -> httpx.Response:
        return self.post("/v1/uploads", token, content=data, headers={"content-type": content_type})

    def balance(self, token: str = ALICE) -> int:
        me = self.get("/v1/me", token).json()
        return int((me.get("user") or me["team"])["creditBalance"])

    def faults(self, *faults: dict[str, Any]) -> None:
        self.held_to_document = False
        super().faults(*faults)

    def reset(self) -> None:
        self.held_to_document = True
        super().reset()


def conform(method: str, path: str, response: httpx.Response) -> None:
    """Validate a response against the document, if the document has its path and method."""
    try:
        operation = conformity.operation_for(method, path)
    except LookupError:
        return
    is_json = response.headers["content-type"] == "application/json"
    body = response.json() if is_json else response.text
    conformity.validate(operation, response.status_code, body, headers=response.headers, strict=True)


def error(response: httpx.Response) -> tuple[int, str]:
    """Return the status and code of a refusal, after checking that its envelope is complete."""
    refusal = response.json()["error"]
    assert isinstance(refusal["message"], str)
    assert refusal["message"]
    assert refusal["type"] in (
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "rate_limit_error",
        "api_error",
    )
    return response.status_code, refusal["code"]


@pytest.fixture(scope="session")
def slow_sandbox() -> Iterator[Api]:
    with Api(speed=1, world=WORLD) as api:
        yield api
        assert api.process.log == ""


@pytest.fixture
def api(slow_sandbox: Api) -> Api:
    """A sandbox in its world's initial state, at realistic speed: `advance` moves its clock."""
    slow_sandbox.reset()
    return slow_sandbox


@pytest.fixture(scope="session")
def picture() -> bytes:
    return samples.picture()


@pytest.fixture(scope="session")
def sound() -> bytes:
    return samples.sound()


@pytest.fixture(scope="session")
def clip() -> bytes:
    return samples.clip()


@pytest.fixture
def raw_call(slow_sandbox: Api) -> Callable[[bytes], bytes]:
    """Send bytes over a separate socket, and return everything received until the server closes it."""

    def call(data: bytes) -> bytes:
        host, port = slow_sandbox.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(data)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    return call
