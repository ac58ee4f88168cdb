"""The documented limits, beside the sandbox's own reading of them."""

import pytest

from zooop_nb.contract.limits import (
    KEY_LIFETIME,
    LARGEST_UPLOAD,
    RATES,
    UPLOAD_DEADLINE,
    UPLOAD_POLLS,
    UPLOAD_TYPES,
    upload_problem,
)
from zooop_nb.sandbox.limits import PER_MINUTE
from zooop_nb.sandbox.tasks import KEY_LIFE
from zooop_nb.sandbox.uploads import SIZE_LIMIT

BUCKETS = {
    "POST /v1/tasks": "tasks",
    "POST /v1/quote": "quote",
    "POST /v1/uploads": "uploads",
    "GET /v1/uploads/{id}": "uploadPoll",
    "GET /v1/me": "me",
    "GET /v1/ai-tools": "aiTools",
    "GET /v1/templates": "templates",
    "POST /v1/describe-image": "describe",
}


def test_both_readings_of_the_rate_limits_agree() -> None:
    assert {BUCKETS[name]: rate for name, rate in RATES.items() if rate is not None} == dict(PER_MINUTE)
    assert {name for name, rate in RATES.items() if rate is None} == {"GET /v1/models", "GET /v1/tasks/{id}"}


def test_both_readings_of_the_key_and_of_an_uploads_size_agree() -> None:
    assert KEY_LIFE.total_seconds() == KEY_LIFETIME
    assert SIZE_LIMIT == LARGEST_UPLOAD


def test_a_clip_is_polled_after_five_seconds_and_within_half_an_hour() -> None:
    assert list(UPLOAD_POLLS) == [5, 10, 20, 20]
    assert float(UPLOAD_DEADLINE) == 1800


@pytest.mark.parametrize("content_type", UPLOAD_TYPES)
def test_a_file_of_each_allowed_type_is_fine_up_to_the_limit(content_type: str) -> None:
    assert upload_problem(1, content_type) is None
    assert upload_problem(LARGEST_UPLOAD, content_type) is None


def test_a_file_that_would_be_refused_has_a_reason() -> None:
    assert upload_problem(0, "image/png") == "is empty."
    assert "120 MB; the API takes up to 100 MB" in (upload_problem(120 * 1024 * 1024, "image/png") or "")
    assert "is image/bmp; the API takes image/png" in (upload_problem(1, "image/bmp") or "")
