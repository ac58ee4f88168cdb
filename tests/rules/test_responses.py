"""From an HTTP response to a shape or an error."""

import email.utils
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import conformity
from zooop_nb.client import responses as answers
from zooop_nb.client.files import check_upload, extension, ready_url, short, upload_waits
from zooop_nb.contract.codes import CODES, Code
from zooop_nb.contract.shapes import Quote, Uploaded
from zooop_nb.errors import Action, APIError, BadMedia, InvalidResponse, ZooopError, class_for

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def refused(status: int, error: object, **headers: str) -> Any:
    body = json.dumps({"error": error}).encode()
    return answers.refusal(status, headers, body, asked="POST /v1/tasks")


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.code)
def test_every_documented_code_becomes_its_class_with_all_that_it_carries(code: Code) -> None:
    for status in code.statuses:
        extras = {name: ["something"] for name in code.extras}
        error = refused(
            status, {"message": "No.", "type": code.type, "code": code.code, "param": "prompt", **extras}
        )
        assert type(error) is class_for(status, code.type, code.code)
        assert (error.status, error.type, error.code, error.param) == (status, code.type, code.code, "prompt")
        assert (error.message, error.extras) == ("No.", extras)


@pytest.mark.parametrize(
    "example",
    [each for each in conformity.examples() if each.status is not None and each.status >= 400],
    ids=lambda example: example.name,
)
def test_every_documented_refusal_is_read_whole(example: conformity.Example) -> None:
    assert example.status is not None
    said = example.body["error"]
    error = refused(example.status, said)
    assert isinstance(error, APIError)
    known = {"message": error.message, "type": error.type, "code": error.code}
    assert {**known, **error.extras, **({"param": error.param} if error.param else {})} == said


def test_an_unknown_code_and_family_are_kept_as_they_came() -> None:
    error = refused(418, {"message": "m", "type": "a_new_family", "code": "a_new_code", "hint": [1]})
    assert (error.type, error.code, error.extras) == ("a_new_family", "a_new_code", {"hint": [1]})


def test_an_envelope_that_lacks_everything_is_still_a_refusal() -> None:
    error = refused(402, {})
    assert isinstance(error, APIError)
    assert (error.message, error.type, error.code) == ("HTTP 402", "unknown", "unknown")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b"", "nothing at all"),
        (404, b"<html><body>nginx</body></html>", "<html>"),
        (400, b'{"error": "text"}', '{"error": "text"}'),
        (400, b'{"error": null}', "null"),
        (400, b"[1]", "[1]"),
        (400, b"\xff\xfe\x00", "\ufffd"),
        (400, b"x" * 5000, "xxx…"),
    ],
)
def test_what_is_not_the_apis_envelope_is_nonsense_and_quoted_shortly(
    status: int, body: bytes, said: str
) -> None:
    error = answers.refusal(status, {}, body, asked="GET /v1/me")
    assert type(error) is InvalidResponse
    assert said in str(error)
    assert str(status) in str(error)
    assert len(str(error)) < 200
    assert error.maybe_arrived


@pytest.mark.parametrize("status", [429, 502, 503, 504, 520, 526])
def test_a_proxys_page_with_a_transient_status_is_transient(status: int) -> None:
    error = answers.refusal(status, {"retry-after": "5"}, b"<html>Bad gateway</html>", asked="GET /v1/me")
    assert isinstance(error, InvalidResponse)
    assert error.transient
    assert error.retry_after == 5
    assert error.maybe_arrived


@pytest.mark.parametrize(
    ("status", "arrived"),
    [(400, False), (402, False), (429, False), (500, True), (502, True), (503, False), (504, True)],
)
def test_a_refusal_tells_whether_the_order_may_have_arrived_all_the_same(status: int, arrived: bool) -> None:
    assert refused(status, {"message": "m", "code": "c"}).maybe_arrived is arrived


@given(st.integers(300, 599), st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_answer_whatever_it_holds_breaks_the_reader(status: int, body: bytes) -> None:
    assert isinstance(answers.refusal(status, {}, body, asked="GET /"), ZooopError)


@given(st.dictionaries(st.sampled_from(["message", "type", "code", "param", "params", "labels"]), JSON))
def test_no_envelope_whatever_it_holds_breaks_the_reader(envelope: dict[str, Any]) -> None:
    for code in (envelope.get("code"), "missing_required_params", "moderation_blocked"):
        error = refused(400, {**envelope, "code": code})
        assert isinstance(error, APIError)
        assert str(error)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_an_answer_is_the_shape_or_nonsense(body: bytes) -> None:
    try:
        found = answers.decode(body, Quote, asked="POST /v1/quote")
    except InvalidResponse as error:
        assert error.maybe_arrived
        assert "POST /v1/quote" in error.message
    else:
        assert json.loads(body)["credits"] == found.credits


def test_nonsense_quotes_no_more_than_the_beginning() -> None:
    with pytest.raises(InvalidResponse) as caught:
        answers.decode(b'{"credits": "' + b"a" * 9000, Quote, asked="POST /v1/quote")
    assert len(str(caught.value)) < 300


# Remedies.


@pytest.mark.parametrize(
    ("status", "code", "does"),
    [
        (401, "invalid_token", [Action.CREATE_TOKEN, Action.SET_KEY]),
        (422, "token_project_unbound", [Action.CREATE_TOKEN, Action.SET_KEY]),
        (422, "moderation_blocked", [Action.REWORD]),
        (451, "moderation_blocked", [Action.REWORD]),
        (402, "insufficient_credits", [Action.TOP_UP]),
        (402, "arrears", [Action.TOP_UP]),
        (404, "unknown_model", [Action.USE_ANOTHER_MODEL]),
        (403, "model_not_public", [Action.USE_ANOTHER_MODEL]),
        (503, "no_provider", [Action.USE_ANOTHER_MODEL]),
        (400, "invalid_payload", []),
    ],
)
def test_a_refusal_says_what_to_do(status: int, code: str, does: list[Action]) -> None:
    assert [each.action for each in refused(status, {"message": "m", "code": code}).remedies] == does


def test_missing_params_are_named_and_a_wait_is_told() -> None:
    params = [{"id": "aspect_ratio"}, {"id": "resolution"}, "odd"]
    error = refused(400, {"message": "m.", "code": "missing_required_params", "params": params})
    assert str(error) == "m. It takes: aspect_ratio, resolution."
    error = refused(429, {"message": "m.", "code": "rate_limited"}, **{"retry-after": "90"})
    assert str(error) == "m. Wait 90 s, then try again."


NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("30", 30.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("1e999", None),
        ("604800", 604_800.0),
        ("1e18", None),
        ("-1e18", 0.0),
        ("9" * 400, None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        (email.utils.formatdate(NOW + 30, usegmt=True), 30.0),
        (email.utils.formatdate(NOW + 30), 30.0),
        (email.utils.formatdate(NOW - 30, usegmt=True), 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert answers.retry_after(header, now=NOW) == seconds


def test_a_date_to_wait_for_is_by_the_servers_own_clock() -> None:
    headers = {"date": email.utils.formatdate(NOW + 7200, usegmt=True)}
    headers["retry-after"] = email.utils.formatdate(NOW + 7242, usegmt=True)
    error = answers.refusal(429, headers, b'{"error": {"code": "rate_limited"}}', asked="GET /v1/me")
    assert error.retry_after == 42


@given(st.text(max_size=30))
def test_no_retry_after_whatever_it_holds_breaks_the_reader(header: str) -> None:
    found = answers.retry_after(header, now=NOW)
    assert found is None or 0 <= found < float("inf")


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"date": "Sun, 06 Nov 2044 08:49:37 GMT"}, "2044-11-06T08:49:37+00:00"),
        ({"date": "Sun, 06 Nov 2044 08:49:37"}, "2044-11-06T08:49:37+00:00"),
        ({"date": "Sun, 06 Nov 1994 08:49:37 GMT"}, None),
        ({"date": "Thu, 01 Jan 1970 00:00:00 GMT"}, None),
        ({"date": "Sun, 06 Nov 2044 08:49:37 GMT", "age": "12"}, None),
        ({"date": "yesterday"}, None),
        ({"date": ""}, None),
        ({}, None),
    ],
)
def test_the_servers_time_is_its_date_where_that_can_be_believed(
    headers: dict[str, str], said: str | None
) -> None:
    found = answers.date(headers)
    assert (found and found.isoformat()) == said


@given(st.text(max_size=40))
def test_no_date_whatever_it_holds_breaks_the_reader(header: str) -> None:
    found = answers.date({"date": header})
    assert found is None or found.tzinfo


# Files.


@pytest.mark.parametrize(
    ("content_type", "ending"),
    [
        ("image/jpeg", ".jpg"),
        ("image/png", ".png"),
        ("IMAGE/PNG; charset=binary", ".png"),
        ("image/svg+xml", ".svg"),
        ("audio/mpeg", ".mp3"),
        ("video/quicktime", ".mov"),
        ("application/x-nothing", ".bin"),
        ("", ".bin"),
    ],
)
def test_the_extension_is_the_content_types(content_type: str, ending: str) -> None:
    assert extension(content_type) == ending


def test_an_upload_is_checked_before_a_byte_is_sent() -> None:
    check_upload("a.png", 100 * 1024 * 1024, "image/png")
    with pytest.raises(BadMedia, match=r"a\.png is empty"):
        check_upload("a.png", 0, "image/png")
    with pytest.raises(BadMedia, match=r"100 MB.*zooop\.ai and use its URL"):
        check_upload("a.png", 100 * 1024 * 1024 + 1, "image/png")
    with pytest.raises(BadMedia, match=r"a\.bmp is image/bmp; the API takes image/png"):
        check_upload("a.bmp", 5, "image/bmp")


def test_a_clips_upload_is_asked_about_as_documented_for_half_an_hour() -> None:
    waits = list(upload_waits())
    assert waits[:6] == [5, 10, 20, 20, 5, 10]
    assert 30 * 60 - 20 <= sum(waits) <= 30 * 60


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (Uploaded("blocked", labels="porn"), r"a\.mp4 cannot be used: its content was rejected \(porn\)"),
        (Uploaded("blocked"), "its content was rejected"),
        (Uploaded("errored", reason="no frames"), r"a\.mp4 could not be uploaded: no frames"),
        (Uploaded("processing"), "not ready 30 minutes"),
        (Uploaded("ready"), "could not be uploaded"),
        (Uploaded("a_new_status"), "a_new_status"),
    ],
)
def test_an_upload_that_is_not_ready_says_why(state: Uploaded, said: str) -> None:
    with pytest.raises(BadMedia, match=said):
        ready_url("a.mp4", state)
    assert ready_url("a.mp4", Uploaded("ready", url="https://z/1.mp4")) == "https://z/1.mp4"


def test_a_url_in_a_message_has_no_query() -> None:
    assert short("https://z.example/a/b.png?signature=secret#x") == "https://z.example/a/b.png"
