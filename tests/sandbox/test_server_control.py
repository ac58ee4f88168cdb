"""The control plane: faults, books, the clock and reset."""

import time
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import ALICE, BOB, Api, error


def test_an_answer_can_be_any_status_with_any_code_and_the_server_does_not_act(api: Api) -> None:
    fault = {
        "method": "POST",
        "path": "/v1/tasks",
        "do": {"status": 503, "code": "moderation_unavailable", "retryAfter": 2, "extras": {"labels": "x"}},
    }
    api.faults(fault)
    response = api.post("/v1/tasks", json=api.order())
    assert error(response) == (503, "moderation_unavailable")
    assert response.headers["retry-after"] == "2"
    assert response.json()["error"]["type"] == "api_error"
    assert response.json()["error"]["labels"] == "x"
    assert api.books()["charges"] == []
    assert "taskId" in api.submit()


def test_an_answer_without_a_code_is_a_proxys_page(api: Api) -> None:
    api.faults({"path": "/v1/me", "do": {"status": 520}})
    response = api.get("/v1/me")
    assert (response.status_code, response.headers["content-type"]) == (520, "text/html")
    assert response.text.startswith("<!DOCTYPE html>")


def test_a_connection_dropped_before_leaves_nothing_done(api: Api) -> None:
    order = api.order()
    api.faults({"method": "POST", "path": "/v1/tasks", "do": "drop_before"})
    with pytest.raises(httpx.RemoteProtocolError):
        api.post("/v1/tasks", json=order)
    assert api.books()["tasks"] == []


def test_a_connection_dropped_after_leaves_a_paid_task_that_the_key_finds(api: Api) -> None:
    order = api.order()
    api.faults({"method": "POST", "path": "/v1/tasks", "do": "drop_after"})
    with pytest.raises(httpx.RemoteProtocolError):
        api.post("/v1/tasks", json=order, headers={"Idempotency-Key": "k"})
    books = api.books()
    assert [task["idempotencyKey"] for task in books["tasks"]] == ["k"]
    again = api.post("/v1/tasks", json=order, headers={"Idempotency-Key": "k"}).json()
    assert (again["taskId"], again["idempotent"]) == (books["tasks"][0]["taskId"], True)
    assert len(api.books()["charges"]) == 1


def test_garbage_is_a_success_that_nobody_can_read_and_nothing_is_done(api: Api) -> None:
    order = api.order()
    api.faults({"path": "/v1/tasks", "do": "garbage"})
    response = api.post("/v1/tasks", json=order)
    assert response.status_code == 200
    with pytest.raises(ValueError, match=r"."):
        response.json()
    assert api.books()["tasks"] == []


def test_a_truncated_answer_names_its_whole_length_and_breaks_off(api: Api) -> None:
    url = api.finish(api.submit()["taskId"])["outputs"][0]["url"]
    whole = len(httpx.get(url).content)
    api.faults({"path": "/cdn-cgi/*", "do": {"truncate": 1000}})
    arrived: list[bytes] = []
    with httpx.stream("GET", url) as response:
        assert response.headers["content-length"] == str(whole)
        with pytest.raises(httpx.RemoteProtocolError):
            arrived.extend(response.iter_raw())
    assert len(b"".join(arrived)) == 1000
    assert len(httpx.get(url).content) == whole


def test_an_answer_shorter_than_the_cut_arrives_whole(api: Api) -> None:
    api.faults({"path": "/v1/me", "do": {"truncate": 100_000}})
    assert api.get("/v1/me").status_code == 200


def test_a_truncated_json_answer_breaks_off_too(api: Api) -> None:
    api.faults({"path": "/v1/me", "do": {"truncate": 10}})
    with pytest.raises(httpx.RemoteProtocolError):
        api.get("/v1/me")


def test_a_delayed_answer_comes_later(api: Api) -> None:
    api.faults({"path": "/v1/me", "do": {"delay": 0.2}})
    before = time.monotonic()
    assert api.get("/v1/me").status_code == 200
    assert time.monotonic() - before >= 0.2


def test_after_lets_calls_pass_and_times_says_how_many_go_wrong(api: Api) -> None:
    api.faults(
        {"method": "GET", "path": "/v1/me", "after": 1, "times": 2, "do": {"status": 502, "code": "x"}}
    )
    assert [api.get("/v1/me").status_code for _ in range(4)] == [200, 502, 502, 200]


def test_a_fault_may_last_for_good(api: Api) -> None:
    api.faults({"path": "/v1/me", "times": None, "do": {"status": 502}})
    assert [api.get("/v1/me").status_code for _ in range(5)] == [502] * 5


def test_paths_are_whole_prefixed_or_globs_and_methods_count(api: Api) -> None:
    for path in ("/v1/tasks", "/v1/tasks/", "/v1/tasks/*", "/v1/*", "*/none", "/v1/task?/none"):
        api.faults({"path": path, "do": {"status": 500}})
        assert api.get("/v1/tasks/none").status_code == 500, path
    for fault in ({"path": "/v1/task"}, {"path": "/v1/tasks/no"}, {"path": "/v1", "method": "post"}):
        api.faults({**fault, "do": {"status": 500}})
        assert api.get("/v1/tasks/none").status_code == 404, fault


def test_faults_take_turns_in_their_order(api: Api) -> None:
    api.faults(
        {"path": "/v1/me", "do": {"status": 502}},
        {"path": "/v1/me", "do": {"status": 503}},
        {"path": "/v1/me", "after": 2, "do": {"status": 504}},
    )
    assert [api.get("/v1/me").status_code for _ in range(4)] == [502, 503, 504, 200]


def test_a_new_list_replaces_the_old_one_and_the_list_shows_what_is_left(api: Api) -> None:
    api.faults({"path": "/v1/me", "times": 5, "do": "drop_before"})
    api.faults({"path": "/v1/me", "times": 2, "do": {"status": 502}})
    api.get("/v1/me")
    assert api.get("/_sandbox/faults", None).json() == {
        "faults": [{"method": None, "path": "/v1/me", "after": 0, "times": 1, "do": {"status": 502}}]
    }
    api.faults()
    assert api.get("/v1/me").status_code == 200


@pytest.mark.parametrize(
    ("fault", "param"),
    [
        ({}, "[0].path"),
        ({"path": "v1/me", "do": "garbage"}, "[0].path"),
        ({"path": "/v1/me"}, "[0].do"),
        ({"path": "/v1/me", "do": "explode"}, "[0].do"),
        ({"path": "/v1/me", "do": {"status": 42}}, "[0].do"),
        ({"path": "/v1/me", "do": {"delay": -1}}, "[0].do"),
        ({"path": "/v1/me", "do": {"truncate": 1.5}}, "[0].do"),
        ({"path": "/v1/me", "do": {"status": 500, "kode": "x"}}, "[0].do"),
        ({"path": "/v1/me", "do": "garbage", "times": 0}, "[0].times"),
        ({"path": "/v1/me", "do": "garbage", "after": -1}, "[0].after"),
        ({"path": "/v1/me", "do": "garbage", "method": 5}, "[0].method"),
        ({"path": "/v1/me", "do": "garbage", "time": 1}, "[0].time"),
        ("garbage", "[0]"),
    ],
)
def test_a_fault_that_cannot_be_read_is_refused_by_its_key(api: Api, fault: Any, param: str) -> None:
    response = api.post("/_sandbox/faults", None, json=[fault])
    assert error(response) == (400, "invalid_payload")
    assert response.json()["error"]["param"] == param
    assert api.get("/v1/me").status_code == 200


def test_a_fault_on_an_upload_leaves_the_connection_usable(api: Api, picture: bytes) -> None:
    api.faults({"path": "/v1/uploads", "do": {"status": 502, "code": "storage_upload_failed"}})
    assert error(api.upload(picture, "image/png")) == (502, "storage_upload_failed")
    assert api.upload(picture, "image/png").status_code == 200


def test_the_books_hold_wallets_tasks_charges_and_uploads(api: Api, picture: bytes) -> None:
    api.upload(picture, "image/png", BOB)
    task_id = api.submit(key="k")["taskId"]
    books = api.books()
    assert {"wallets", "tasks", "charges", "uploads"} <= set(books)
    [charge] = books["charges"]
    assert {"taskId", "credits", "token", "kind", "at"} <= set(charge)
    assert (charge["taskId"], charge["token"], charge["kind"]) == (task_id, ALICE, "charge")
    assert charge["credits"] == books["tasks"][0]["creditsCharged"] == books["tasks"][0]["debited"]
    assert books["tasks"][0]["params"] == {"prompt": "a red panda"}
    assert [upload["token"] for upload in books["uploads"]] == [BOB]
    wallet = next(wallet for wallet in books["wallets"] if wallet["id"] == "u1")
    assert (wallet["balance"], wallet["running"]) == (1000 - charge["credits"], 1)


@pytest.mark.parametrize(
    "body", [{}, {"advance": -1}, {"advance": "1"}, {"advance": True}, [], {"advance": 1e10}]
)
def test_the_clock_goes_forward_only(api: Api, body: object) -> None:
    assert error(api.post("/_sandbox/clock", None, json=body)) == (400, "invalid_payload")


def test_the_clock_starts_at_the_worlds_now(api: Api) -> None:
    assert (
        api.post("/_sandbox/clock", None, json={"advance": 0}).json()["now"].startswith("2026-05-15T10:00:")
    )
    assert (
        api.post("/_sandbox/clock", None, json={"advance": 86400})
        .json()["now"]
        .startswith("2026-05-16T10:00:")
    )


def test_reset_goes_back_to_the_worlds_beginning(api: Api, picture: bytes, clip: bytes) -> None:
    url = api.upload(picture, "image/png").json()["url"]
    api.upload(clip, "video/mp4")
    tasks = [api.submit()["taskId"] for _ in range(5)]
    api.advance(3600)
    api.faults({"path": "/v1/me", "do": {"status": 502}})
    api.reset()
    assert api.balance() == 1000
    books = api.books()
    assert books["tasks"] == books["charges"] == books["uploads"] == []
    assert books["now"].startswith("2026-05-15T10:00:")
    assert httpx.get(url).status_code == 404
    assert error(api.get(f"/v1/tasks/{tasks[0]}")) == (404, "unknown_task")
    assert api.finish(api.submit()["taskId"])["status"] == "succeeded"


def test_every_response_is_dated_once_by_the_sandboxs_clock(api: Api) -> None:
    def dates(*responses: httpx.Response) -> set[str]:
        found = [response.headers.get_list("date") for response in responses]
        assert all(len(each) == 1 for each in found)
        # The same second, or the next one.
        return {each[0][:22] for each in found}

    api.faults(
        {"path": "/v1/quote", "do": {"status": 502}},
        {"path": "/v1/tasks", "do": {"status": 503, "code": "no_provider"}},
        {"path": "/v1/ai-tools", "do": "garbage"},
    )
    assert dates(
        api.get("/v1/me"),
        api.get("/v1/nothing"),
        api.get("/llms.txt"),
        api.get("/_sandbox/books"),
        api.post("/v1/quote", json={}),
        api.post("/v1/tasks", json={}),
        api.get("/v1/ai-tools"),
    ) == {"Fri, 15 May 2026 10:00"}
    api.advance(25 * 3600)
    assert dates(api.get("/v1/me")) == {"Sat, 16 May 2026 11:00"}


def test_what_came_too_fast_is_in_the_books(api: Api) -> None:
    assert api.books()["rateLimited"] == 0
    statuses = [api.post("/v1/describe-image", json={}).status_code for _ in range(12)]
    assert (statuses.count(429), api.books()["rateLimited"]) == (2, 2)
    api.reset()
    assert api.books()["rateLimited"] == 0
