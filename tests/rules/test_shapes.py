"""Shapes: every documented example decodes, and so do the additions that a growing API may make."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import conformity
from tests.support.shapes import OF_OPERATION, lost_fields
from zooop_nb.contract import shapes

OF_SCHEMA: dict[str, type[shapes.Shape]] = {
    "PersonalWallet": shapes.UserWallet,
    "TeamWallet": shapes.TeamWallet,
    "TypicalPrice": shapes.TypicalPrice,
}
EXAMPLES = [
    (example, OF_OPERATION[example.operation_id])
    for example in conformity.examples()
    if example.operation_id and example.status is not None and example.status < 400
] + [(example, OF_SCHEMA[example.schema]) for example in conformity.examples() if example.schema in OF_SCHEMA]
each_example = pytest.mark.parametrize(
    ("example", "shape"), EXAMPLES, ids=[each.name for each, _ in EXAMPLES]
)


def read(body: object, shape: type[Any]) -> Any:
    return msgspec.json.decode(json.dumps(body), type=shape)


def said(value: Any) -> Any:
    """Return a shape as it would be sent, without the fields at their defaults."""
    return json.loads(msgspec.json.encode(value))


def test_there_is_an_example_for_every_operation() -> None:
    found = {example.operation_id for example, _ in EXAMPLES}
    assert found >= set(OF_OPERATION)


@each_example
def test_every_documented_answer_is_read_and_no_field_of_it_is_lost(
    example: conformity.Example, shape: type[shapes.Shape]
) -> None:
    assert lost_fields(example.body, said(read(example.body, shape))) == []


KEPT_AS_THEY_COME = {"options", "constraints", "enumValues", "default", "limits", "error"}


def enriched(value: Any) -> Any:
    """Return the body with unknown fields added to every object that a shape reads."""
    if isinstance(value, dict):
        old = {name: each if name in KEPT_AS_THEY_COME else enriched(each) for name, each in value.items()}
        return old | {"aNewField": {"deep": [1]}, "new_2": None}
    return [enriched(each) for each in value] if isinstance(value, list) else value


@each_example
def test_fields_that_are_not_known_change_nothing(
    example: conformity.Example, shape: type[shapes.Shape]
) -> None:
    assert read(enriched(example.body), shape) == read(example.body, shape)


@pytest.mark.parametrize("status", ["queued", "running", "paused_by_moon", ""])
def test_a_status_that_is_not_known_passes(status: str) -> None:
    state = read({"taskId": "t", "status": status}, shapes.TaskState)
    assert state.status == status
    assert read({"taskId": "t", "status": status}, shapes.Submitted).status == status
    assert read({"status": status}, shapes.Uploaded).status == status


def test_a_param_type_that_is_not_known_passes_with_whatever_it_carries() -> None:
    param = read(
        {"id": "x", "type": "camera_path", "default": {"a": 1}, "options": {"b": 2}, "constraints": [3]},
        shapes.Param,
    )
    assert (param.type, param.default, param.options, param.constraints) == (
        "camera_path",
        {"a": 1},
        {"b": 2},
        [3],
    )


NULLS = [
    (
        shapes.KeyInfo,
        {"id": "k", "prefix": "p"},
        ["expiresAt", "dailyCreditCap", "creditsRemainingToday", "label"],
    ),
    (shapes.Project, {"bound": False}, ["id", "name"]),
    (shapes.Quote, {"credits": 1}, ["estimatedSeconds"]),
    (shapes.TaskState, {"taskId": "t", "status": "s"}, ["outputs", "error", "creditsCharged", "completedAt"]),
    (shapes.Description, {"credits": 1, "overallDescription": "x"}, ["camera", "mood", "palette", "subject"]),
    (shapes.TypicalPrice, {}, ["note", "typicalCredits"]),
    (
        shapes.Param,
        {"id": "x"},
        ["default", "options", "enumValues", "constraints", "maxLength", "displayName"],
    ),
    (shapes.Model, {"id": "m", "name": "M"}, ["description", "promptMaxLength"]),
    (shapes.Recipe, {"slug": "s"}, ["subType", "summary", "coverUrl", "typicalPrice", "official"]),
]


@pytest.mark.parametrize(("shape", "body", "names"), NULLS, ids=[each[0].__name__ for each in NULLS])
def test_null_stands_for_not_known_where_the_documentation_allows_it(
    shape: type[shapes.Shape], body: dict[str, Any], names: list[str]
) -> None:
    for name in names:
        assert read({**body, name: None}, shape) == read(body, shape)


def test_credits_keep_what_the_server_said() -> None:
    assert read({"credits": 8}, shapes.Quote).credits == 8
    assert isinstance(read({"credits": 8}, shapes.Quote).credits, int)
    assert read({"credits": 8.5}, shapes.Quote).credits == 8.5
    with pytest.raises(msgspec.ValidationError):
        read({"credits": None}, shapes.Quote)
    with pytest.raises(msgspec.ValidationError):
        read({"credits": "8"}, shapes.Quote)


@pytest.mark.parametrize("figure", [-1, -0.5, None, "8", True, [8]])
def test_a_quote_is_no_figure_that_a_budget_could_not_hold(figure: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.credits"):
        read({"credits": figure}, shapes.Quote)
    with pytest.raises(msgspec.ValidationError, match="credits"):
        read({}, shapes.Quote)


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        (None, []),
        ("prompt", []),
        ({"id": "x"}, []),
        ([None, 7, "prompt", [], {"id": "x", "displayName": "X"}, {}], ["x", None]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("shape", [shapes.Model, shapes.Recipe])
def test_params_that_cannot_be_read_leave_the_rest_of_the_list_readable(
    params: object, ids: list[object], shape: type[Any]
) -> None:
    found = read({"id": "m", "slug": "s", "name": "M", "params": params}, shape)
    assert [each.id for each in found.params] == ids
    assert all(isinstance(each, shapes.Param) for each in found.params)
    assert read(said(found) | {"id": "m", "slug": "s", "name": "M"}, shape) == found


def test_the_wallet_that_pays_is_the_one_that_is_there() -> None:
    key = {"id": "k", "prefix": "p"}
    mine = read({"key": key, "project": {}, "user": {"creditBalance": 5}}, shapes.Me)
    assert (mine.wallet, mine.balance) == ("personal", 5)
    ours = read({"key": key, "project": {}, "team": {"id": "t", "creditBalance": 7.5}}, shapes.Me)
    assert (ours.wallet, ours.balance) == ("team", 7.5)
    assert read({"key": key, "project": {}}, shapes.Me).balance is None


@given(st.text(max_size=20), st.booleans())
def test_a_submits_answer_keeps_its_task_whatever_else_it_says(task_id: str, known: bool) -> None:
    found = read({"taskId": task_id, "status": "queued", "idempotent": known}, shapes.Submitted)
    assert (found.task_id, found.idempotent) == (task_id, known)
