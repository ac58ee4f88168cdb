"""Uploads over HTTP: what is accepted, what is refused, and who may see them."""

import io
import re
from collections.abc import Callable, Iterator
from uuid import UUID

import httpx
import pytest
from PIL import Image

from tests.sandbox.conftest import ALICE, BOB, PHONE, Api, error
from tests.support.samples import encoded

ALLOWED = [
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/gif",
    "audio/mpeg",
    "audio/wav",
    "audio/webm",
    "audio/ogg",
    "video/mp4",
    "video/webm",
    "video/quicktime",
]
LIMIT = 100 * 1024 * 1024


@pytest.mark.parametrize(
    ("format", "content_type", "ending"),
    [
        ("PNG", "image/png", "png"),
        ("JPEG", "image/jpeg", "jpg"),
        ("WEBP", "image/webp", "webp"),
        ("GIF", "image/gif", "gif"),
    ],
)
def test_a_picture_is_ready_at_once_under_its_users_and_projects_folder(
    api: Api, format: str, content_type: str, ending: str
) -> None:
    data = encoded(Image.new("RGB", (40, 30), "teal"), format)
    response = api.upload(data, content_type)
    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == ["status", "url", "size", "contentType"]
    assert (answer["status"], answer["size"], answer["contentType"]) == ("ready", len(data), content_type)
    assert re.fullmatch(rf"{re.escape(api.url)}/u1/p1/[0-9a-f-]{{36}}\.{ending}", answer["url"])
    served = httpx.get(answer["url"])
    assert (served.content, served.headers["content-type"]) == (data, content_type)
    assert httpx.head(answer["url"]).headers["content-type"] == content_type


def test_sound_is_ready_at_once(api: Api, sound: bytes) -> None:
    answer = api.upload(sound, "audio/wav").json()
    assert (answer["status"], answer["contentType"]) == ("ready", "audio/wav")


def test_a_parameter_of_the_media_type_is_ignored_and_never_sent_back(api: Api, sound: bytes) -> None:
    answer = api.upload(sound, "Audio/WAV; codecs=1").json()
    assert answer["contentType"] == "audio/wav"
    assert httpx.head(answer["url"]).headers["content-type"] == "audio/wav"


@pytest.mark.parametrize("content_type", ["text/plain", "image/svg+xml", "application/octet-stream", ""])
def test_another_type_is_refused_with_the_list_of_those_allowed(
    api: Api, picture: bytes, content_type: str
) -> None:
    response = api.upload(picture, content_type)
    assert error(response) == (400, "invalid_payload")
    assert response.json()["error"]["allowedContentTypes"] == ALLOWED


@pytest.mark.parametrize("content_type", ["image/png", "audio/mpeg", "video/mp4"])
def test_an_empty_body_is_refused(api: Api, content_type: str) -> None:
    response = api.upload(b"", content_type)
    assert error(response) == (400, "invalid_payload")
    assert "empty" in response.json()["error"]["message"]


def test_bytes_that_are_not_what_their_type_says_are_refused(api: Api, picture: bytes, sound: bytes) -> None:
    for data, content_type in (
        (b"hello", "image/png"),
        (picture, "image/jpeg"),
        (picture[:60], "image/png"),
        (picture, "audio/wav"),
        (sound, "audio/mpeg"),
    ):
        assert error(api.upload(data, content_type)) == (400, "invalid_payload")
    assert api.books()["uploads"] == []


@pytest.mark.parametrize(
    ("mark", "refusal", "labels"),
    [
        (b"sandbox-block:porn;", (451, "moderation_blocked"), "porn"),
        (b"sandbox-block:gore,violence;", (451, "moderation_blocked"), "gore,violence"),
        (b"sandbox-error:disk full;", (502, "storage_upload_failed"), None),
        (b"sandbox-unmoderated;", (503, "moderation_unavailable"), None),
    ],
)
def test_a_marked_picture_meets_its_outcome(
    api: Api, picture: bytes, mark: bytes, refusal: tuple[int, str], labels: str | None
) -> None:
    response = api.upload(picture + mark, "image/png")
    assert error(response) == refusal
    assert response.json()["error"].get("labels") == labels
    assert response.json()["error"]["type"] == ("api_error" if refusal[0] >= 500 else "invalid_request_error")


def test_a_clip_is_checked_in_its_own_time_and_then_ready(api: Api, clip: bytes) -> None:
    response = api.upload(clip, "video/mp4")
    assert response.status_code == 202
    answer = response.json()
    assert list(answer) == ["status", "uploadId", "pollUrl"]
    assert answer["status"] == "processing"
    assert str(UUID(answer["uploadId"])) == answer["uploadId"]
    assert answer["pollUrl"] == f"/v1/uploads/{answer['uploadId']}"
    polled = api.get(answer["pollUrl"])
    assert (polled.status_code, polled.json()) == (202, {"status": "processing"})
    ready = api.settle(answer["uploadId"])
    assert list(ready) == ["status", "url", "contentType"]
    assert (ready["status"], ready["contentType"]) == ("ready", "video/mp4")
    assert httpx.get(ready["url"]).content == clip


@pytest.mark.parametrize(
    ("mark", "answer"),
    [
        (
            b"sandbox-block:porn;",
            {"status": "blocked", "labels": "porn", "error": "Uploaded content violates content policy"},
        ),
        (b"sandbox-error:workflow timed out;", {"status": "errored", "reason": "workflow timed out"}),
    ],
)
def test_a_marked_clip_meets_its_outcome(api: Api, clip: bytes, mark: bytes, answer: dict[str, str]) -> None:
    upload_id = api.upload(clip + mark, "video/mp4").json()["uploadId"]
    assert api.settle(upload_id) == answer
    assert api.get(f"/v1/uploads/{upload_id}").status_code == 200


def test_a_clip_marked_for_refusal_is_ready_and_refused_in_a_task(api: Api, clip: bytes) -> None:
    marked = api.settle(api.upload(clip + b"sandbox-refuse:gore;", "video/mp4").json()["uploadId"])
    response = api.post("/v1/tasks", json={"aiTool": "video-upscale", "params": {"video_url": marked["url"]}})
    assert error(response) == (422, "moderation_blocked")


def test_a_clip_that_is_none_ends_errored(api: Api, picture: bytes) -> None:
    answer = api.settle(api.upload(picture, "video/mp4").json()["uploadId"])
    assert answer["status"] == "errored"
    assert "video/mp4" in answer["reason"]


def test_a_clip_is_polled_by_the_token_that_sent_it_alone(api: Api, clip: bytes) -> None:
    upload_id = api.upload(clip, "video/mp4").json()["uploadId"]
    for token in (PHONE, BOB):
        assert error(api.get(f"/v1/uploads/{upload_id}", token)) == (404, "unknown_upload")
    assert error(api.get("/v1/uploads/none")) == (404, "unknown_upload")
    assert api.get(f"/v1/uploads/{upload_id}").status_code == 202


def test_the_measured_length_of_a_clip_is_priced(api: Api, clip: bytes) -> None:
    url = api.settle(api.upload(clip, "video/mp4").json()["uploadId"])["url"]
    body = {"aiTool": "video-upscale", "params": {"video_url": url}}
    once = api.post("/v1/quote", json=body)
    assert once.status_code == 200, once.text
    assert once.json()["breakdown"]["multiplier"] in (2, 20)


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(
    raw_call: Callable[[bytes], bytes], api: Api
) -> None:
    answer = raw_call(_head(LIMIT + 1))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"file_too_large"' in answer
    assert b"100 Continue" not in answer


def test_a_body_that_grows_too_large_is_refused(api: Api) -> None:
    def chunks() -> Iterator[bytes]:
        block = bytes(1024 * 1024)
        for _ in range(101):
            yield block

    headers = {"content-type": "image/png", "authorization": f"Bearer {ALICE}"}
    response = httpx.post(f"{api.url}/v1/uploads", content=chunks(), headers=headers, timeout=60)
    assert error(response) == (413, "file_too_large")
    assert api.books()["uploads"] == []


def test_a_client_that_waits_is_told_to_go_on(raw_call: Callable[[bytes], bytes], api: Api) -> None:
    # The body is sent at once: what matters is that the server sends 100 before its final response.
    data = encoded(Image.new("RGB", (8, 8), "red"), "PNG")
    answer = raw_call(_head(len(data)) + data)
    interim, _, final = answer.partition(b"\r\n\r\n")
    assert interim.startswith(b"HTTP/1.1 100 ")
    assert final.startswith(b"HTTP/1.1 200 ")
    assert b'"status":"ready"' in final


def _head(length: int) -> bytes:
    return (
        "POST /v1/uploads HTTP/1.1\r\n"
        "Host: 127.0.0.1\r\n"
        f"Authorization: Bearer {ALICE}\r\n"
        "Content-Type: image/png\r\n"
        f"Content-Length: {length}\r\n"
        "Expect: 100-continue\r\n"
        "Connection: close\r\n\r\n"
    ).encode()


def test_a_client_that_hangs_up_half_way_leaves_nothing(api: Api, picture: bytes) -> None:
    import socket

    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(_head(len(picture)).replace(b"Expect: 100-continue\r\n", b"") + picture[:50])
    assert api.get("/v1/me").status_code == 200
    assert api.books()["uploads"] == []


def test_the_same_bytes_may_be_sent_twice(api: Api, picture: bytes) -> None:
    first, second = (api.upload(picture, "image/png").json()["url"] for _ in range(2))
    assert first != second
    assert Image.open(io.BytesIO(httpx.get(first).content)).size == (96, 64)
