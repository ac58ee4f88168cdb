"""The OpenAPI document is sound and agrees with the API documentation."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from openapi_spec_validator import validate as validate_document
from schemathesis.core.result import Ok

from tests.support import conformity
from zooop_nb.contract.categories import CATEGORIES
from zooop_nb.contract.codes import CODES, TYPES, Code

EXAMPLES = list(conformity.examples())
COMPLETE_ANSWERS = [example for example in EXAMPLES if example.status is not None and example.complete]

MAY_BE_ABSENT = {
    "Param": {"displayName", "default", "options", "enumValues", "constraints", "maxLength"},
    "Option": {"previewUrl"},
    "Constraints": {"maxCount", "maxLength"},
    "TypicalPrice": {"note"},
    "Submitted": {"idempotent"},
    "Output": {"thumbnailUrl"},
    "UploadReady": {"size"},
    "UploadProcessing": {"uploadId", "pollUrl"},
    "DescribeBody": {"language"},
    "Error/properties/error": {"param", "params", "validCategories", "cap", "spent", "labels"},
}
"""Schema -> the only fields that a response may omit, unless a condition in the schema requires them."""

UNSEEN = {"displayName", "default", "constraints", "maxLength", "maxCount", "note", "param", "idempotent"}
"""Fields of the complete examples whose absence no schema can detect."""

OPERATIONS = {
    "me": ("GET", "/v1/me"),
    "listModels": ("GET", "/v1/models"),
    "listTools": ("GET", "/v1/ai-tools"),
    "getTool": ("GET", "/v1/ai-tools/{slug}"),
    "listTemplates": ("GET", "/v1/templates"),
    "getTemplate": ("GET", "/v1/templates/{slug}"),
    "quote": ("POST", "/v1/quote"),
    "submitTask": ("POST", "/v1/tasks"),
    "getTask": ("GET", "/v1/tasks/{id}"),
    "upload": ("POST", "/v1/uploads"),
    "getUpload": ("GET", "/v1/uploads/{uploadId}"),
    "describeImage": ("POST", "/v1/describe-image"),
    "llms": ("GET", "/llms.txt"),
    "llmsFull": ("GET", "/llms-full.txt"),
    "apiDocs": ("GET", "/api-docs.md"),
    "skill": ("GET", "/skills/zooop/SKILL.md"),
}

RATE_LIMITS = {
    "submitTask": ("tasks", 60),
    "quote": ("quote", 120),
    "upload": ("uploads", 30),
    "getUpload": ("upload-poll", 120),
    "me": ("me", 120),
    "listTools": ("ai-tools", 120),
    "getTool": ("ai-tools", 120),
    "listTemplates": ("templates", 120),
    "getTemplate": ("templates", 120),
    "describeImage": ("describe-image", 10),
}

SCHEMA_KEYWORDS = {
    *("$ref", "title", "description", "type", "format", "enum", "const", "default", "examples", "pattern"),
    *(
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "required",
        "properties",
        "items",
    ),
    *("additionalProperties", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
    *("x-always", "x-optional", "x-known-values"),
}


def name_of(example: conformity.Example) -> str:
    return example.name


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema and subschema of the document, with a name for messages."""

    def below(name: str, schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        if not isinstance(schema, dict):
            return
        yield name, schema
        for key in ("items", "additionalProperties", "not", "if", "then", "else"):
            yield from below(f"{name}/{key}", schema.get(key))
        for key in ("allOf", "anyOf", "oneOf"):
            for index, part in enumerate(schema.get(key, ())):
                yield from below(f"{name}/{key}/{index}", part)
        for key, part in schema.get("properties", {}).items():
            yield from below(f"{name}/properties/{key}", part)

    def holders(place: str, node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        if isinstance(node, list):
            for entry in node:
                yield from holders(place, entry)
        elif isinstance(node, dict):
            for key, value in node.items():
                if key == "schema":
                    yield from below(f"{place}/schema", value)
                else:
                    yield from holders(f"{place}/{key}", value)

    document = conformity.document()
    for name, schema in document["components"]["schemas"].items():
        yield from below(name, schema)
    yield from holders("", {"paths": document["paths"]})
    yield from holders("", {key: part for key, part in document["components"].items() if key != "schemas"})


def required_somewhere(schema: dict[str, Any]) -> set[str]:
    """Return the names that a schema requires, including those that its conditions require."""
    names = {*schema.get("required", ()), *schema.get("x-always", ())}
    parts = [part for key in ("allOf", "anyOf", "oneOf") for part in schema.get(key, ())]
    parts += [schema[key] for key in ("then", "else") if key in schema]
    for part in parts:
        names |= required_somewhere(part)
    return names


def is_conditional(name: str) -> bool:
    """Return whether a schema only extends another one, which declares its properties."""
    return bool(re.search(r"/(allOf|anyOf|oneOf)/\d+|/(if|then|else)(/|$)", name))


def test_the_document_is_valid_openapi() -> None:
    document = conformity.document()
    assert document["openapi"].startswith("3.1.")
    validate_document(document)


def test_every_schema_is_built_of_known_keywords() -> None:
    unknown = {name: sorted(schema.keys() - SCHEMA_KEYWORDS) for name, schema in schemas()}
    assert {name: keys for name, keys in unknown.items() if keys} == {}


def test_it_names_every_endpoint_and_no_other() -> None:
    found = {
        operation.id: (operation.method, operation.path) for operation in conformity.operations().values()
    }
    assert found == OPERATIONS


def test_every_endpoint_under_v1_asks_for_a_token_and_the_pages_do_not() -> None:
    for operation in conformity.operations().values():
        assert operation.authenticated == operation.path.startswith("/v1/"), operation.id
        assert (401 in operation.statuses) == operation.authenticated, operation.id


def test_an_operation_is_found_by_a_concrete_path_and_by_its_template() -> None:
    for operation in conformity.operations().values():
        assert conformity.operation_for(operation.method.lower(), operation.path) == operation.id
        concrete = re.sub(r"\{\w+\}", "some-thing", operation.path)
        assert conformity.operation_for(operation.method, f"{concrete}?type=image") == operation.id
    for method, path in [
        ("DELETE", "/v1/tasks/x"),
        ("GET", "/v1/tasks"),
        ("GET", "/v1/tasks/x/y"),
        ("GET", "/llms-txt"),
    ]:
        with pytest.raises(LookupError):
            conformity.operation_for(method, path)


def test_every_rate_limit_is_the_documented_one_and_has_its_429() -> None:
    found = {}
    for operation in conformity.operations().values():
        node = conformity.document()["paths"][operation.path][operation.method.lower()]
        if "x-rate-limit" in node:
            found[operation.id] = (node["x-rate-limit"]["bucket"], node["x-rate-limit"]["perMinute"])
            assert f"{node['x-rate-limit']['perMinute']} a minute" in node["description"], operation.id
        assert (429 in operation.statuses) == ("x-rate-limit" in node), operation.id
    assert found == RATE_LIMITS


@pytest.mark.parametrize("operation_id", RATE_LIMITS)
def test_a_429_without_retry_after_does_not_conform(operation_id: str) -> None:
    body = {"error": {"message": "Slow down", "type": "rate_limit_error", "code": "rate_limited"}}
    headers = {"content-type": "application/json"}
    conformity.validate(operation_id, 429, body, headers={**headers, "Retry-After": "12"})
    with pytest.raises(conformity.ConformityError, match="Retry-After is missing"):
        conformity.validate(operation_id, 429, body, headers=headers)
    with pytest.raises(conformity.ConformityError, match="Retry-After"):
        conformity.validate(operation_id, 429, body, headers={**headers, "Retry-After": "soon"})


def test_an_undocumented_status_code_or_media_type_does_not_conform() -> None:
    body = {"error": {"message": "No", "type": "invalid_request_error", "code": "unknown_task"}}
    conformity.validate("getTask", 404, body, headers={"Content-Type": "application/json"})
    with pytest.raises(conformity.ConformityError, match="knows only"):
        conformity.validate("getTask", 418, body)
    with pytest.raises(conformity.ConformityError, match=r"\$\.error\.code"):
        conformity.validate("getTool", 404, body)
    with pytest.raises(conformity.ConformityError, match="text/html"):
        conformity.validate("getTask", 404, body, headers={"Content-Type": "text/html; charset=utf-8"})


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_every_example_of_the_documentation_is_accepted(example: conformity.Example) -> None:
    example.validate()


@pytest.mark.parametrize("example", [example for example in EXAMPLES if example.complete], ids=name_of)
def test_every_complete_example_passes_strict_checks(example: conformity.Example) -> None:
    example.validate(strict=True)


@pytest.mark.parametrize("example", [example for example in EXAMPLES if not example.complete], ids=name_of)
def test_an_abbreviated_example_does_not_pass_strict_checks(example: conformity.Example) -> None:
    with pytest.raises(conformity.ConformityError, match="is a required property"):
        example.validate(strict=True)


@pytest.mark.parametrize("example", COMPLETE_ANSWERS, ids=name_of)
def test_deleting_any_field_of_a_complete_example_fails_strict_checks(example: conformity.Example) -> None:
    assert example.operation_id is not None
    assert example.status is not None
    pointers = list(conformity.deletable_fields(example.operation_id, example.status, example.body))
    assert pointers
    for pointer in pointers:
        poorer = conformity.without(example.body, pointer)
        assert poorer != example.body
        with pytest.raises(conformity.ConformityError):
            conformity.validate(example.operation_id, example.status, poorer, strict=True)


@pytest.mark.parametrize("example", COMPLETE_ANSWERS, ids=name_of)
def test_every_field_of_a_complete_example_is_one_whose_loss_is_seen_or_a_named_exception(
    example: conformity.Example,
) -> None:
    assert example.operation_id is not None
    assert example.status is not None

    def fields(body: Any, at: str = "") -> Iterator[str]:
        entries = (
            body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
        )
        for key, value in entries:
            if isinstance(body, dict):
                yield f"{at}/{key}"
            yield from fields(value, f"{at}/{key}")

    held = set(conformity.deletable_fields(example.operation_id, example.status, example.body))
    lost = {field.rpartition("/")[2] for field in fields(example.body) if field not in held}
    assert lost <= UNSEEN


def test_every_property_is_always_sent_or_on_the_short_list_of_those_that_may_be_absent() -> None:
    may_be_absent = {}
    for name, schema in schemas():
        if "properties" not in schema or is_conditional(name):
            continue
        optional = set(schema.get("x-optional", ()))
        if optional:
            may_be_absent[name] = optional
        firm = {*schema.get("required", ()), *schema.get("x-always", ())}
        assert firm.isdisjoint(optional), name
        assert optional | required_somewhere(schema) == set(schema["properties"]), name
    assert may_be_absent == MAY_BE_ABSENT


def test_answers_may_hold_fields_that_nobody_has_documented_yet() -> None:
    def enriched(body: Any) -> Any:
        if isinstance(body, list):
            return [enriched(entry) for entry in body]
        if isinstance(body, dict):
            return {**{key: enriched(value) for key, value in body.items()}, "laterAddition": {"a": [1]}}
        return body

    for example in COMPLETE_ANSWERS:
        assert example.operation_id is not None
        assert example.status is not None
        conformity.validate(example.operation_id, example.status, enriched(example.body), strict=True)


def test_a_param_of_a_type_that_nobody_has_documented_yet_is_accepted() -> None:
    conformity.validate_schema("Param", {"id": "mesh", "type": "mesh_url", "required": False}, strict=True)


def test_a_choice_without_its_choices_is_not_accepted() -> None:
    with pytest.raises(conformity.ConformityError):
        conformity.validate_schema("Param", {"id": "style", "type": "enum", "required": False})


def test_a_wallet_is_either_personal_or_a_teams() -> None:
    me = next(example.body for example in EXAMPLES if example.name == "me.200.no-cap-from-prose")
    with pytest.raises(conformity.ConformityError):
        conformity.validate("me", 200, conformity.without(me, "/user"))
    with pytest.raises(conformity.ConformityError):
        conformity.validate("me", 200, {**me, "team": {"id": "t1", "creditBalance": 1}})


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "failed", "cancelled"])
def test_the_five_public_states_of_a_task_are_accepted(state: str) -> None:
    task = next(example.body for example in EXAMPLES if example.name == "getTask.200.reference")
    conformity.validate("getTask", 200, {**task, "status": state})


@pytest.mark.parametrize("state", ["pending", "processing", "uploading", "moderating"])
def test_the_internal_states_of_a_task_are_not_accepted(state: str) -> None:
    task = next(example.body for example in EXAMPLES if example.name == "getTask.200.reference")
    with pytest.raises(conformity.ConformityError):
        conformity.validate("getTask", 200, {**task, "status": state})


@pytest.mark.parametrize(
    "body",
    [
        {"interfaceId": "m", "versionId": "standard", "params": {}, "aiTool": "upscale"},
        {"template": "poster", "aiTool": "upscale", "params": {}},
        {"interfaceId": "m", "params": {}},
        {"params": {"prompt": "a red panda"}},
        {"aiTool": "upscale", "params": []},
        [],
    ],
)
def test_a_body_that_names_no_target_or_two_is_not_accepted(body: object) -> None:
    for operation_id in ("quote", "submitTask"):
        with pytest.raises(conformity.ConformityError):
            conformity.validate_body(operation_id, body)


def test_every_code_stands_in_the_document_with_its_statuses_and_the_document_has_no_other() -> None:
    found: dict[str, set[int]] = defaultdict(set)
    for operation in conformity.operations().values():
        for status in operation.statuses:
            for code in conformity.codes(operation.id, status) or ():
                found[code].add(status)
    assert dict(found) == {code.code: set(code.statuses) for code in CODES.values()}


def test_only_the_answers_whose_codes_the_documentation_does_not_name_leave_the_code_open() -> None:
    open_ones = {
        (operation.id, status)
        for operation in conformity.operations().values()
        for status in operation.statuses
        if status >= 400 and conformity.codes(operation.id, status) is None
    }
    assert open_ones == {("submitTask", 503), ("upload", 400)}


def test_the_families_and_extras_of_the_codes_are_the_documents() -> None:
    envelope = conformity.document()["components"]["schemas"]["Error"]["properties"]["error"]
    assert tuple(envelope["properties"]["type"]["enum"]) == TYPES
    assert {code.type for code in CODES.values()} == set(TYPES)
    extras = {extra for code in CODES.values() for extra in code.extras}
    assert extras == set(envelope["x-optional"]) - {"param"}


@pytest.mark.parametrize("code", [code for code in CODES.values() if code.extras], ids=lambda code: code.code)
def test_an_error_without_the_extras_that_its_code_carries_is_not_accepted(code: Code) -> None:
    status, operation_id = max(
        (status, operation.id)
        for operation in conformity.operations().values()
        for status in operation.statuses
        if code.code in (conformity.codes(operation.id, status) or ())
    )
    body = {"error": {"message": "No", "type": code.type, "code": code.code}}
    with pytest.raises(conformity.ConformityError, match="is a required property"):
        conformity.validate(operation_id, status, body, strict=True)


def test_the_thirteen_categories_are_the_documents() -> None:
    named = conformity.document()["components"]["schemas"]
    pairs = [
        (branch["properties"]["type"]["const"], subtype)
        for branch in named["Category"]["oneOf"]
        for subtype in branch["properties"]["subType"]["enum"]
    ]
    assert pairs == [(category.type, category.subtype) for category in CATEGORIES]
    assert len(pairs) == 13
    assert named["SubType"]["enum"] == [subtype for _, subtype in pairs]


def test_a_model_of_a_pair_that_is_not_exposed_is_not_accepted() -> None:
    models = next(example.body for example in EXAMPLES if example.name == "listModels.200.reference")
    with pytest.raises(conformity.ConformityError):
        conformity.validate_schema("Model", {**models["models"][0], "type": "audio"})


def test_the_media_types_of_uploads_are_the_same_going_up_and_coming_back() -> None:
    document = conformity.document()
    sent = document["paths"]["/v1/uploads"]["post"]["requestBody"]["content"]
    assert list(sent) == document["components"]["schemas"]["UploadType"]["enum"]


def test_every_operation_can_be_exercised_from_the_document() -> None:
    loaded = schemathesis.openapi.from_dict(conformity.document())
    labels = set()
    for found in loaded.get_all_operations():
        assert isinstance(found, Ok), found
        labels.add(found.ok().label)
    assert labels == {f"{method} {path}" for method, path in OPERATIONS.values()}


def test_every_link_leads_to_an_operation_and_reads_a_field_that_the_answer_has() -> None:
    by_answer = {(example.operation_id, example.status): example.body for example in EXAMPLES}
    leads = set()
    for operation in conformity.operations().values():
        node = conformity.document()["paths"][operation.path][operation.method.lower()]
        for status, response in node["responses"].items():
            for link in response.get("links", {}).values():
                leads.add((operation.id, link["operationId"]))
                text = json.dumps([link.get("parameters"), link.get("requestBody")])
                pointers = re.findall(r"\$response\.body#([\w/]+)", text)
                assert pointers
                for pointer in pointers:
                    assert conformity.without(by_answer[operation.id, int(status)], pointer)
    assert {target for _, target in leads} <= set(OPERATIONS)
    assert {("submitTask", "getTask"), ("upload", "getUpload"), ("listTools", "getTool")} <= leads


def test_no_example_holds_a_token_beyond_the_documented_prefix() -> None:
    texts = [path.read_text(encoding="utf-8") for path in conformity.EXAMPLES.iterdir()]
    texts.append(conformity.DOCUMENT.read_text(encoding="utf-8"))
    tokens = {token for text in texts for token in re.findall(r"zpk_\w+…?", text)}
    assert tokens == {"zpk_live_aBcD…"}
