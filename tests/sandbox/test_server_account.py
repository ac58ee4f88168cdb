"""Tokens, wallets, caps and rate limits: who may call, how often, and who pays."""

import re
import time
from typing import Any

import pytest

from tests.sandbox.conftest import (
    ALICE,
    ARREARS,
    BANNED,
    BOB,
    CAPPED,
    EXPIRED,
    EXPIRING,
    PHONE,
    POOR,
    REVOKED,
    TEAM_A,
    TEAM_B,
    TEAM_IN_ARREARS,
    UNBOUND,
    Api,
    error,
)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "missing_token"),
        ("", "missing_token"),
        ("Bearer", "missing_token"),
        (f"Basic {ALICE}", "missing_token"),
        (ALICE, "missing_token"),
        ("Bearer zpk_test_nobody", "invalid_token"),
        (f"Bearer {REVOKED}", "invalid_token"),
        (f"Bearer {EXPIRED}", "invalid_token"),
    ],
)
def test_a_call_without_a_good_token_is_refused(api: Api, header: str | None, code: str) -> None:
    headers = {} if header is None else {"authorization": header}
    for method, path in (
        ("GET", "/v1/me"),
        ("GET", "/v1/models"),
        ("POST", "/v1/tasks"),
        ("GET", "/v1/tasks/x"),
    ):
        response = api.call(method, path, None, headers=headers)
        assert error(response) == (401, code)
        assert response.json()["error"]["type"] == "authentication_error"
        assert response.headers["www-authenticate"] == "Bearer"


def test_the_scheme_of_the_token_may_be_spelt_in_any_case(api: Api) -> None:
    assert api.get("/v1/me", None, headers={"authorization": f"bearer {ALICE}"}).status_code == 200


def test_a_token_expires_by_the_sandboxes_clock(api: Api) -> None:
    assert api.get("/v1/me", EXPIRING).json()["key"]["expiresAt"] == "2026-05-15T11:00:00.000Z"
    api.advance(3600)
    assert error(api.get("/v1/me", EXPIRING)) == (401, "invalid_token")


def test_me_shows_the_token_its_project_and_its_users_wallet(api: Api) -> None:
    response = api.get("/v1/me")
    assert list(response.json()) == ["key", "project", "user", "limits"]
    me: dict[str, Any] = response.json()
    assert me["project"] == {"id": "p1", "name": "Demo", "bound": True}
    assert me["user"] == {"creditBalance": 1000}
    assert me["limits"] == {"tasksPerMin": 60, "uploadsPerMin": 30, "uploadPollPerMin": 120}
    key = me["key"]
    assert list(key) == [
        "id",
        "prefix",
        "label",
        "createdAt",
        "expiresAt",
        "dailyCreditCap",
        "creditsSpentToday",
        "creditsRemainingToday",
    ]
    assert key["label"] == "laptop"
    assert key["createdAt"].startswith("2026-05-15T10:00:")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", key["createdAt"])
    assert (key["dailyCreditCap"], key["creditsSpentToday"], key["creditsRemainingToday"]) == (None, 0, None)
    assert ALICE not in response.text


def test_me_of_a_capped_token_says_what_is_left_of_the_day(api: Api) -> None:
    key = api.get("/v1/me", CAPPED).json()["key"]
    assert (key["dailyCreditCap"], key["creditsSpentToday"], key["creditsRemainingToday"]) == (10, 3, 7)


def test_me_of_a_team_token_shows_the_teams_pool_and_no_user(api: Api) -> None:
    me = api.get("/v1/me", TEAM_A).json()
    assert me["team"] == {"id": "t1", "creditBalance": 5000}
    assert "user" not in me


def test_me_of_a_token_whose_project_was_deleted_has_nulls(api: Api) -> None:
    assert api.get("/v1/me", UNBOUND).json()["project"] == {"id": None, "name": None, "bound": False}


def test_tokens_of_one_user_and_of_one_team_share_a_wallet(api: Api) -> None:
    cost = api.post("/v1/quote", json=api.order()).json()["credits"]
    api.submit(ALICE)
    api.submit(TEAM_A)
    assert api.balance(PHONE) == api.balance(ALICE) == 1000 - cost
    assert api.balance(TEAM_B) == api.balance(TEAM_A) == 5000 - cost
    assert api.balance(BOB) == 10000


@pytest.mark.parametrize(
    ("token", "status", "code", "type"),
    [
        (BANNED, 403, "account_banned", "permission_error"),
        (UNBOUND, 422, "token_project_unbound", "invalid_request_error"),
        (ARREARS, 402, "arrears", "permission_error"),
        (TEAM_IN_ARREARS, 402, "arrears", "permission_error"),
        (POOR, 402, "insufficient_credits", "permission_error"),
    ],
)
def test_an_account_that_may_not_spend_is_told_why_and_keeps_its_credits(
    api: Api, token: str, status: int, code: str, type: str
) -> None:
    before = api.balance(token)
    response = api.post("/v1/tasks", token, json=api.order("GPT Image 2.0"))
    assert error(response) == (status, code)
    assert response.json()["error"]["type"] == type
    assert api.balance(token) == before
    assert api.books()["tasks"] == api.books()["charges"] == []


@pytest.mark.parametrize("token", [BANNED, UNBOUND, ARREARS, POOR])
def test_a_quote_needs_no_credits(api: Api, token: str) -> None:
    assert api.post("/v1/quote", token, json=api.order()).status_code == 200


@pytest.mark.parametrize(
    ("token", "refusal"), [(BANNED, (403, "account_banned")), (UNBOUND, (422, "token_project_unbound"))]
)
def test_uploads_land_nowhere_for_a_banned_owner_or_a_deleted_project(
    api: Api, picture: bytes, token: str, refusal: tuple[int, str]
) -> None:
    assert error(api.upload(picture, "image/png", token)) == refusal


def test_a_submit_over_what_is_left_of_the_cap_is_refused_after_pricing(api: Api) -> None:
    order = api.order("Nano Banana Pro")
    cost = api.post("/v1/quote", json=order).json()["credits"]
    assert cost > 7
    response = api.post("/v1/tasks", CAPPED, json=order)
    assert error(response) == (402, "token_daily_cap_exceeded")
    assert (response.json()["error"]["cap"], response.json()["error"]["spent"]) == (10, 3)
    assert api.books()["charges"] == []


def test_a_cap_that_is_met_stops_submits_before_pricing_until_midnight_utc(api: Api) -> None:
    cost = api.post("/v1/quote", json=api.order()).json()["credits"]
    spent = 3
    while spent + cost <= 10:
        api.submit(CAPPED)
        spent += cost
    assert spent == 10, "the cheap model's price must meet the cap exactly"
    response = api.post("/v1/tasks", CAPPED, json=api.order())
    assert error(response) == (429, "token_daily_cap_reached")
    assert (response.json()["error"]["cap"], response.json()["error"]["spent"]) == (10, 10)
    assert 13 * 3600 < int(response.headers["retry-after"]) <= 14 * 3600
    api.advance(14 * 3600)
    assert api.get("/v1/me", CAPPED).json()["key"]["creditsSpentToday"] == 0
    api.submit(CAPPED)
    assert api.get("/v1/me", CAPPED).json()["key"]["creditsSpentToday"] == cost


def test_what_is_refunded_counts_no_more_towards_the_cap(api: Api) -> None:
    submitted = api.submit(CAPPED, name="Flux 2 Flash")
    assert api.get("/v1/me", CAPPED).json()["key"]["creditsSpentToday"] > 3
    assert api.post(f"/_sandbox/tasks/{submitted['taskId']}/cancel", None).status_code == 200
    assert api.get("/v1/me", CAPPED).json()["key"]["creditsSpentToday"] == 3


LIMITED = [
    ("GET", "/v1/me", 120),
    ("GET", "/v1/ai-tools", 120),
    ("GET", "/v1/templates", 120),
    ("POST", "/v1/quote", 120),
    ("POST", "/v1/tasks", 60),
    ("POST", "/v1/uploads", 30),
    ("GET", "/v1/uploads/none", 120),
    ("POST", "/v1/describe-image", 10),
]


@pytest.mark.parametrize(("method", "path", "limit"), LIMITED)
def test_each_bucket_holds_its_number_of_calls_in_any_60_seconds_of_one_token(
    api: Api, method: str, path: str, limit: int
) -> None:
    begun = time.monotonic()
    for _ in range(limit):
        assert api.call(method, path).status_code != 429
    refused = api.call(method, path)
    elapsed = time.monotonic() - begun
    assert error(refused) == (429, "rate_limited")
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert 60 - elapsed <= int(refused.headers["retry-after"]) <= 60
    assert api.call(method, path, BOB).status_code != 429
    for _, other, _ in LIMITED:
        if other != path:
            assert (
                api.call("POST" if other in ("/v1/quote", "/v1/tasks") else "GET", other).status_code != 429
            )
    api.advance(61)
    assert api.call(method, path).status_code != 429


def test_the_window_slides(api: Api) -> None:
    begun = time.monotonic()
    for _ in range(5):
        api.post("/v1/describe-image")
    api.advance(40)
    for _ in range(5):
        api.post("/v1/describe-image")
    refused = api.post("/v1/describe-image")
    assert refused.status_code == 429
    elapsed = time.monotonic() - begun
    assert 20 - elapsed <= int(refused.headers["retry-after"]) <= 20
    api.advance(21)
    for _ in range(5):
        assert api.post("/v1/describe-image").status_code == 400
    assert api.post("/v1/describe-image").status_code == 429


ONE_BY_SLUG = [
    ("/v1/ai-tools/background-removal", "/v1/ai-tools", "/v1/templates"),
    ("/v1/templates/superhero-movie-poster", "/v1/templates", "/v1/ai-tools"),
]


@pytest.mark.parametrize(("one", "listed", "other"), ONE_BY_SLUG)
def test_one_recipe_counts_with_the_list_of_its_kind(api: Api, one: str, listed: str, other: str) -> None:
    for _ in range(119):
        api.get(one)
    assert api.get(listed).status_code == 200
    for refused in (one, listed):
        assert error(api.get(refused)) == (429, "rate_limited")
    assert api.get(other).status_code == 200


def test_models_and_tasks_are_unbounded(api: Api) -> None:
    for _ in range(150):
        assert api.get("/v1/models").status_code == 400
        assert api.get("/v1/tasks/none").status_code == 404
