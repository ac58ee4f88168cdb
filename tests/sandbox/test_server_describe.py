"""describe-image over HTTP: it costs 1 credit, and failures are refunded."""

import httpx
import pytest

from tests.sandbox.conftest import ARREARS, BANNED, CAPPED, POOR, Api, error

FIELDS = ["subject", "composition", "style", "lighting", "palette", "mood", "camera", "overallDescription"]


def test_a_picture_is_described_for_one_credit(api: Api, picture: bytes) -> None:
    url = api.upload(picture, "image/png").json()["url"]
    answer = api.post("/v1/describe-image", json={"imageUrl": url}).json()
    assert list(answer) == ["credits", *FIELDS]
    assert answer["credits"] == 1
    assert answer["overallDescription"]
    assert api.balance() == 999
    assert [(charge["kind"], charge["credits"], charge["taskId"]) for charge in api.books()["charges"]] == [
        ("describe", 1, None)
    ]


def test_the_language_is_the_callers_and_english_where_it_is_unknown(api: Api, picture: bytes) -> None:
    url = api.upload(picture, "image/png").json()["url"]

    def words(**more: str) -> str:
        return str(
            api.post("/v1/describe-image", json={"imageUrl": url, **more}).json()["overallDescription"]
        )

    assert words(language="xx") == words()
    assert any("\u4e00" <= sign <= "\u9fff" for sign in words(language="zh"))


def test_an_output_of_the_sandbox_can_be_described(api: Api) -> None:
    url = api.finish(api.submit()["taskId"])["outputs"][0]["url"]
    assert api.post("/v1/describe-image", json={"imageUrl": url}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"imageUrl": None},
        {"imageUrl": 5},
        {"imageUrl": ""},
        {"imageUrl": "https://example.com/cat.png"},
        {"imageUrl": "https://storage.zooop.ai/none/none/none.png"},
        {"imageUrl": "https://storage.zooop.ai/x", "language": 5},
        [],
    ],
)
def test_anything_but_one_of_its_own_pictures_is_refused(api: Api, body: object) -> None:
    assert error(api.post("/v1/describe-image", json=body)) == (400, "invalid_payload")
    assert api.books()["charges"] == []


def test_a_sound_is_refused(api: Api, sound: bytes) -> None:
    url = api.upload(sound, "audio/wav").json()["url"]
    response = api.post("/v1/describe-image", json={"imageUrl": url})
    assert error(response) == (400, "invalid_payload")
    assert "audio/wav" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("code", "status"),
    [("policy_violation", 422), ("upstream_rate_limited", 429), ("vision_unavailable", 503)],
)
def test_what_fails_is_refunded(api: Api, picture: bytes, code: str, status: int) -> None:
    url = api.upload(picture + f"sandbox-vision:{code};".encode(), "image/png").json()["url"]
    response = api.post("/v1/describe-image", json={"imageUrl": url})
    assert error(response) == (status, code)
    assert ("retry-after" in response.headers) == (status == 429)
    assert api.balance() == 1000
    assert [charge["kind"] for charge in api.books()["charges"]] == ["describe", "refund"]


def test_an_empty_wallet_is_not_charged(api: Api, picture: bytes) -> None:
    url = api.upload(picture, "image/png").json()["url"]

    def described(token: str) -> httpx.Response:
        return api.post("/v1/describe-image", token, json={"imageUrl": url})

    assert described(POOR).status_code == 200
    assert error(described(POOR)) == (402, "insufficient_credits")
    assert error(described(ARREARS)) == (402, "arrears")
    assert error(described(BANNED)) == (403, "account_banned")
    assert [charge["kind"] for charge in api.books()["charges"]] == ["describe"]


def test_it_counts_towards_the_daily_cap(api: Api, picture: bytes) -> None:
    url = api.upload(picture, "image/png").json()["url"]
    for _ in range(7):
        assert api.post("/v1/describe-image", CAPPED, json={"imageUrl": url}).status_code == 200
    refused = api.post("/v1/describe-image", CAPPED, json={"imageUrl": url})
    assert error(refused) == (429, "token_daily_cap_reached")
