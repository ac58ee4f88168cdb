"""The sandbox against the specification: no documented field may be missing, and no input may break it."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import CAPPED, TEAM_A, Api
from tests.support import conformity
from zooop_nb.sandbox.process import SandboxProcess

ROOT = Path(__file__).resolve().parents[2]
UNLIMITED = dict.fromkeys(
    ("tasks", "quote", "uploads", "uploadPoll", "me", "aiTools", "templates", "describe"), 1_000_000
)


def gathered(api: Api, picture: bytes, clip: bytes) -> list[tuple[str, int, Any]]:
    """Return one complete response of each kind that the document knows."""
    url = api.upload(picture, "image/png").json()["url"]
    blocked = api.upload(clip + b"sandbox-block:porn;", "video/mp4").json()["uploadId"]
    errored = api.upload(clip + b"sandbox-error:late;", "video/mp4").json()["uploadId"]
    ready = api.upload(clip, "video/mp4").json()["uploadId"]
    api.settle(blocked)
    api.settle(errored)
    api.settle(ready)
    task_id = api.submit(key="k")["taskId"]
    api.finish(task_id)
    failed = api.submit(name="Ideogram V3")["taskId"]
    api.finish(failed)
    repeat = {"headers": {"Idempotency-Key": "k"}}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/v1/me", {}),
        ("GET", "/v1/me", {"token": TEAM_A}),
        ("GET", "/v1/me", {"token": CAPPED}),
        ("GET", "/v1/models", {}),
        ("GET", "/v1/models", {"params": {"type": "image", "subtype": "default"}}),
        ("GET", "/v1/models", {"params": {"type": "audio", "subtype": "text-to-speech"}}),
        ("GET", "/v1/ai-tools", {}),
        ("GET", "/v1/ai-tools/style-transfer", {}),
        ("GET", "/v1/templates", {}),
        ("GET", "/v1/templates/superhero-movie-poster", {}),
        ("POST", "/v1/quote", {"json": api.order()}),
        ("POST", "/v1/quote", {"json": api.order("Seedream 4.5")}),
        ("POST", "/v1/tasks", {"json": api.order(), **repeat}),
        ("GET", f"/v1/tasks/{task_id}", {}),
        ("GET", f"/v1/tasks/{failed}", {}),
        ("POST", "/v1/uploads", {"content": picture, "headers": {"content-type": "image/png"}}),
        ("POST", "/v1/uploads", {"content": clip, "headers": {"content-type": "video/mp4"}}),
        (
            "POST",
            "/v1/uploads",
            {"content": picture + b"sandbox-block:x;", "headers": {"content-type": "image/png"}},
        ),
        ("GET", f"/v1/uploads/{ready}", {}),
        ("GET", f"/v1/uploads/{blocked}", {}),
        ("GET", f"/v1/uploads/{errored}", {}),
        ("POST", "/v1/describe-image", {"json": {"imageUrl": url}}),
    ]
    answers = []
    for method, path, options in calls:
        response = api.call(method, path, **options)
        answers.append((conformity.operation_for(method, path), response.status_code, response.json()))
    return answers


def one_entry_each(body: Any) -> list[Any]:
    """Split a list response into responses with one entry each, for its first three entries.

    The entries are alike, and checking a long list again for each of its thousand fields takes too long.
    Other responses are returned whole.
    """
    [(name, value), *rest] = body.items()
    if rest or not isinstance(value, list):
        return [body]
    return [{name: [entry]} for entry in value[:3]]


def test_deleting_any_documented_field_of_an_answer_would_be_noticed(
    api: Api, picture: bytes, clip: bytes
) -> None:
    seen = set()
    for operation, status, body in gathered(api, picture, clip):
        conformity.validate(operation, status, body, strict=True)
        for part in one_entry_each(body):
            pointers = list(conformity.deletable_fields(operation, status, part))
            assert pointers
            for pointer in pointers:
                with pytest.raises(conformity.ConformityError):
                    conformity.validate(operation, status, conformity.without(part, pointer), strict=True)
        seen.add(operation)
    texts = {name for name, each in conformity.operations().items() if not each.path.startswith("/v1/")}
    assert seen == set(conformity.operations()) - texts


def test_every_operation_of_the_document_has_a_route(api: Api) -> None:
    for operation in conformity.operations().values():
        path = operation.path.replace("{", "").replace("}", "")
        response = httpx.request(operation.method, f"{api.url}{path}")
        assert response.status_code == (401 if path.startswith("/v1/") else 200), operation.id


def settled_books(url: str) -> Any:
    """Wait until no task is running, and return the books."""
    while True:
        books = httpx.get(f"{url}/_sandbox/books").json()
        if not any(wallet["running"] for wallet in books["wallets"]):
            return books
        time.sleep(0.05)


@pytest.mark.timeout(600)
def test_schemathesis_finds_nothing() -> None:
    """Run generated requests, and sequences along the document's links, with a token.

    `schemathesis.toml` configures the run. The books show that the links were followed: tasks ended, and
    pictures were uploaded and described.
    """
    world = {"limits": UNLIMITED, "tokens": [{"token": "zpk_test_generated", "balance": 10**9}]}
    with SandboxProcess.start(world=world, speed=0, control=True) as sandbox:
        found = subprocess.run(
            [
                str(Path(sys.executable).with_name("st")),
                "--config-file=tests/sandbox/schemathesis.toml",
                "run",
                f"{sandbox.url}/openapi.json",
                "--no-color",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
            cwd=ROOT,
            env={**os.environ, "SANDBOX_TOKEN": "zpk_test_generated", "PYTHONPATH": str(ROOT)},
        )
        books = settled_books(sandbox.url)
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
    assert {task["status"] for task in books["tasks"]} == {"succeeded"}
    assert {"image/png", "video/mp4"} <= {each["contentType"] for each in books["uploads"] if each["url"]}
    assert {"charge", "describe"} <= {charge["kind"] for charge in books["charges"]}
