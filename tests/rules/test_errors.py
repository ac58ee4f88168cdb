"""The error tree: one root, remedies as data, and errors that survive pickling between processes."""

import concurrent.futures
import multiprocessing
import pickle

import pytest

from zooop_nb import errors
from zooop_nb.contract.codes import CODES, Code
from zooop_nb.errors import Action, ZooopError, class_for, remedy


def every_class(root: type[ZooopError] = ZooopError) -> list[type[ZooopError]]:
    return [root, *(each for child in root.__subclasses__() for each in every_class(child))]


def an_error(kind: type[ZooopError]) -> ZooopError:
    if issubclass(kind, errors.UnknownName):
        return kind("model", "Kilng", nearest=["Kling V3"])
    if issubclass(kind, errors.APIError):
        return kind("no", status=402, type="permission_error", code="arrears", extras={"cap": 5})
    if issubclass(kind, errors.PaidTaskError):
        return kind("no", order_id="o1", task_id="t1", remedies=[remedy(Action.RESUME, order="o1")])
    return kind("no", value="v", remedies=[remedy(Action.TOP_UP)])


@pytest.mark.parametrize("kind", [each for each in every_class() if each.__module__ == errors.__name__])
def test_every_error_comes_back_from_a_pickle_as_it_was(kind: type[ZooopError]) -> None:
    error = an_error(kind)
    error.maybe_arrived = True
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert str(back) == str(error)
    assert back.__dict__ == error.__dict__


def refuse() -> None:
    raise errors.ModerationBlocked(
        "no", status=451, type="invalid_request_error", code="moderation_blocked", extras={"labels": "porn"}
    )


def test_an_error_of_a_worker_process_reaches_the_one_who_waits() -> None:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        waiting = pool.submit(refuse)
        with pytest.raises(errors.ModerationBlocked) as caught:
            waiting.result(timeout=60)
    assert caught.value.extras == {"labels": "porn"}


def test_the_text_is_the_message_and_then_what_to_do() -> None:
    error = errors.OverBudget(
        "This costs 9 credits.", remedies=[remedy(Action.RAISE_BUDGET), remedy(Action.TOP_UP)]
    )
    assert str(error) == (
        "This costs 9 credits. Raise budget= if you mean to spend it. Add credits at https://zooop.ai/pricing."
    )


def test_every_remedy_has_words_and_a_missing_value_would_be_seen() -> None:
    for do in Action:
        words = str(ZooopError("x", remedies=[errors.Remedy(do, AnyValue())]))
        assert words.startswith("x ")
        assert words.endswith((".", "?"))


class AnyValue(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"<{key}>"


def test_an_unknown_name_says_what_it_may_have_been() -> None:
    error = errors.UnknownName("model", "Kilng", nearest=["Kling V3", "Kling O3"])
    assert str(error) == "There is no model “Kilng”. Did you mean Kling V3 or Kling O3?"
    assert error.value == "Kilng"


def test_an_error_about_a_paid_task_never_says_to_try_again() -> None:
    for kind in (errors.TaskFailed, errors.DownloadFailed, errors.OrderUnknown):
        assert issubclass(kind, errors.PaidTaskError)
    for do in (Action.RESUME, Action.FOLLOW_AGAIN):
        text = str(errors.PaidTaskError("x", order_id="o1", remedies=[remedy(do, order="o1")]))
        assert 'studio.resume("o1")' in text
        assert "try again" not in text


@pytest.mark.parametrize(
    ("status", "type", "code", "kind"),
    [
        (400, "invalid_request_error", "invalid_payload", errors.InvalidRequest),
        (451, "invalid_request_error", "moderation_blocked", errors.ModerationBlocked),
        (422, "something_new", "policy_violation", errors.ModerationBlocked),
        (401, "authentication_error", "invalid_token", errors.AuthenticationFailed),
        (402, "permission_error", "insufficient_credits", errors.InsufficientCredits),
        (402, "invalid_request_error", "token_daily_cap_exceeded", errors.InsufficientCredits),
        (403, "permission_error", "account_banned", errors.PermissionRefused),
        (429, "rate_limit_error", "rate_limited", errors.RateLimited),
        (429, "rate_limit_error", "token_daily_cap_reached", errors.DailyCapReached),
        (503, "api_error", "vision_unavailable", errors.ServerFailed),
        (401, "a_new_family", "a_new_code", errors.AuthenticationFailed),
        (402, "a_new_family", "a_new_code", errors.InsufficientCredits),
        (403, "a_new_family", "a_new_code", errors.PermissionRefused),
        (429, "a_new_family", "a_new_code", errors.RateLimited),
        (418, "a_new_family", "a_new_code", errors.InvalidRequest),
        (599, "a_new_family", "a_new_code", errors.ServerFailed),
    ],
)
def test_a_refusal_has_its_class_by_code_then_type_then_status(
    status: int, type: str, code: str, kind: type[errors.APIError]
) -> None:
    assert class_for(status, type, code) is kind


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.code)
def test_every_documented_code_has_a_class_of_its_family(code: Code) -> None:
    families: dict[str, type[errors.APIError] | tuple[type[errors.APIError], ...]] = {
        "invalid_request_error": errors.InvalidRequest,
        "authentication_error": errors.AuthenticationFailed,
        "permission_error": (errors.PermissionRefused, errors.InsufficientCredits),
        "rate_limit_error": errors.RateLimited,
        "api_error": errors.ServerFailed,
    }
    for status in code.statuses:
        kind = class_for(status, code.type, code.code)
        assert issubclass(kind, families[code.type])
