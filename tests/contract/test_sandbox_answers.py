"""The live sandbox's responses, checked against the document and decoded by the client.

The sandbox shares no shapes with the client, so a mistake in either of them shows here.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import msgspec
import pytest

from tests.contract.conftest import CHEAP, MAIN, TEAM
from tests.support import conformity
from tests.support.sandbox_harness import SandboxHarness
from tests.support.shapes import OF_OPERATION, lost_fields
from zooop_nb.client import responses as answers
from zooop_nb.errors import APIError, class_for

Call = Callable[..., httpx.Response]


@pytest.fixture
def call(sandbox: SandboxHarness, reset: None) -> Iterator[Call]:
    def send(method: str, path: str, token: str | None = MAIN, **more: Any) -> httpx.Response:
        headers = {**more.pop("headers", {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        return http.request(method, path, headers=headers, **more)

    with httpx.Client(base_url=sandbox.url, timeout=30, trust_env=False) as http:
        yield send


@pytest.fixture
def order(call: Call) -> dict[str, Any]:
    models = call("GET", "/v1/models?type=image&subtype=default").json()["models"]
    model = next(each for each in models if each["name"] == CHEAP)
    return {"interfaceId": model["id"], "versionId": "standard", "params": {"prompt": "a red panda"}}


def ended(call: Call, task_id: str) -> httpx.Response:
    while (answer := call("GET", f"/v1/tasks/{task_id}")).json()["status"] in {"queued", "running"}:
        pass
    return answer


def every_success(call: Call, order: dict[str, Any], png: bytes) -> list[tuple[str, httpx.Response]]:
    """Call every operation once, and again for each other form of its response."""
    upload = call("POST", "/v1/uploads", content=png, headers={"Content-Type": "image/png"})
    submit = call("POST", "/v1/tasks", json=order, headers={"Idempotency-Key": "k"})
    failing = call("GET", "/v1/models?type=image&subtype=default").json()["models"]
    bad = next(each for each in failing if each["name"] == "Ideogram V3")
    failed = call(
        "POST", "/v1/tasks", json={**order, "interfaceId": bad["id"], "versionId": bad["versions"][0]["id"]}
    ).json()["taskId"]
    return [
        ("me", call("GET", "/v1/me")),
        ("me", call("GET", "/v1/me", TEAM)),
        ("me", call("GET", "/v1/me", "zpk_test_nearcap")),
        ("me", call("GET", "/v1/me", "zpk_test_unbound")),
        ("listModels", call("GET", "/v1/models?type=audio&subtype=text-to-speech")),
        ("listModels", call("GET", "/v1/models?type=video&subtype=extend-video")),
        ("listTools", call("GET", "/v1/ai-tools")),
        ("getTool", call("GET", "/v1/ai-tools/style-transfer")),
        ("listTemplates", call("GET", "/v1/templates")),
        ("getTemplate", call("GET", "/v1/templates/superhero-movie-poster")),
        ("quote", call("POST", "/v1/quote", json=order)),
        ("submitTask", submit),
        ("submitTask", call("POST", "/v1/tasks", json=order, headers={"Idempotency-Key": "k"})),
        ("getTask", ended(call, submit.json()["taskId"])),
        ("getTask", ended(call, failed)),
        ("upload", upload),
        ("describeImage", call("POST", "/v1/describe-image", json={"imageUrl": upload.json()["url"]})),
    ]


def test_every_answer_conforms_and_the_client_keeps_all_that_it_says(
    call: Call, order: dict[str, Any], png: bytes
) -> None:
    seen = every_success(call, order, png)
    assert {operation for operation, _ in seen} == set(OF_OPERATION) - {"getUpload"}
    for operation, answer in seen:
        body = answer.json()
        conformity.validate(operation, answer.status_code, body, headers=answer.headers, strict=True)
        shape = OF_OPERATION[operation]
        held = answers.decode(answer.content, shape, asked=operation)
        assert lost_fields(body, json.loads(msgspec.json.encode(held))) == [], operation


def test_an_answer_that_lost_a_documented_field_does_not_pass(
    call: Call, order: dict[str, Any], png: bytes
) -> None:
    for operation, answer in every_success(call, order, png):
        body, fields = answer.json(), 0
        for pointer in conformity.deletable_fields(operation, answer.status_code, body):
            if pointer.count("/") > 3 and "/0/" not in pointer:
                continue  # the first entry of a list stands for all of them
            fields += 1
            with pytest.raises(conformity.ConformityError):
                conformity.validate(
                    operation, answer.status_code, conformity.without(body, pointer), strict=True
                )
        assert fields, operation


REFUSALS: list[tuple[str, str, str, str | None, dict[str, Any], int, str]] = [
    ("me", "GET", "/v1/me", None, {}, 401, "missing_token"),
    ("me", "GET", "/v1/me", "zpk_test_revoked", {}, 401, "invalid_token"),
    ("listModels", "GET", "/v1/models?type=image", MAIN, {}, 400, "missing_category"),
    ("listModels", "GET", "/v1/models?type=image&subtype=x", MAIN, {}, 400, "unknown_category"),
    ("listTools", "GET", "/v1/ai-tools?type=audio", MAIN, {}, 400, "invalid_type"),
    ("getTool", "GET", "/v1/ai-tools/x", MAIN, {}, 404, "unknown_ai_tool"),
    ("getTemplate", "GET", "/v1/templates/x", MAIN, {}, 404, "unknown_template"),
    ("quote", "POST", "/v1/quote", MAIN, {"json": []}, 400, "invalid_payload"),
    ("submitTask", "POST", "/v1/tasks", MAIN, {"json": {"interfaceId": "x"}}, 404, "unknown_model"),
    ("getTask", "GET", "/v1/tasks/x", MAIN, {}, 404, "unknown_task"),
    ("getUpload", "GET", "/v1/uploads/x", MAIN, {}, 404, "unknown_upload"),
    ("describeImage", "POST", "/v1/describe-image", MAIN, {"json": {}}, 400, "invalid_payload"),
]


@pytest.mark.parametrize(
    ("operation", "method", "path", "token", "more", "status", "code"),
    REFUSALS,
    ids=[each[6] for each in REFUSALS],
)
def test_a_refusal_conforms_and_becomes_the_error_of_its_code(
    call: Call,
    operation: str,
    method: str,
    path: str,
    token: str | None,
    more: dict[str, Any],
    status: int,
    code: str,
) -> None:
    answer = call(method, path, token, **more)
    envelope = answer.json()["error"]
    assert (answer.status_code, envelope["code"]) == (status, code)
    conformity.validate(operation, status, answer.json(), headers=answer.headers, strict=True)
    error = answers.refusal(answer.status_code, answer.headers, answer.content, asked=operation)
    assert isinstance(error, APIError)
    assert type(error) is class_for(status, envelope["type"], code)
    assert error.message == envelope["message"]
    told = {"message", "type", "code", "param"}
    assert error.extras == {name: value for name, value in envelope.items() if name not in told}


def test_what_is_missing_is_told_with_hints_that_correct_the_order(call: Call, order: dict[str, Any]) -> None:
    models = call("GET", "/v1/models?type=audio&subtype=text-to-speech").json()["models"]
    qwen = next(each for each in models if each["name"] == "Qwen TTS")
    body = {"interfaceId": qwen["id"], "versionId": qwen["versions"][0]["id"], "params": {"text": "hello"}}
    answer = call("POST", "/v1/quote", json=body)
    conformity.validate("quote", 400, answer.json(), headers=answer.headers, strict=True)
    error = answers.refusal(400, answer.headers, answer.content, asked="quote")
    assert isinstance(error, APIError)
    hints: Any = error.extras["params"]
    [hint] = hints
    body["params"][hint["id"]] = hint["options"][0]["value"]
    assert call("POST", "/v1/quote", json=body).status_code == 200
