"""Validate bodies against the OpenAPI document, for the tests of the client and of the sandbox alike.

    from tests.support import conformity

    operation = conformity.operation_for("GET", "/v1/tasks/1c7e4d90")      # "getTask"
    conformity.validate(operation, 200, answer.json(), headers=answer.headers)
    conformity.validate_schema("Task", task)

`validate` raises `ConformityError` (an AssertionError, so a plain test failure) that lists every problem with
its location. It checks the status (documented for the operation), the body and, if `headers` are given, the
media type and the headers that the document requires (`Retry-After`).

**Strict.** The documentation abbreviates some examples, so the document cannot require every field that a
server sends. With `strict=True` a schema's `x-always` fields are required too. Use it for a server's
responses:

    conformity.validate(operation, status, body, strict=True)
    for pointer in conformity.deletable_fields(operation, status, body):
        with pytest.raises(conformity.ConformityError):
            conformity.validate(operation, status, conformity.without(body, pointer), strict=True)

`deletable_fields` yields the JSON pointer of every field in the body, array entries included, that the
document knows and that must be present. A schema cannot detect that an optional field is missing
(`x-optional`: a param's `default`, a price's `note`): compare those with their source. A body may be any JSON
value; text responses are `str`.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

import zooop_nb.contract

DOCUMENT = Path(zooop_nb.contract.__file__).with_name("openapi.yaml")
EXAMPLES = Path(__file__).with_name("examples")

_ROOT = "urn:zooop:v1"
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class ConformityError(AssertionError):
    """A body, status or header that the document does not allow; `problems` lists what and where."""

    def __init__(self, subject: str, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(
            "\n".join([f"{subject} does not conform:", *(f"  {problem}" for problem in problems)])
        )


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    id: str
    method: str
    """In upper case."""
    path: str
    """With its params in braces."""
    place: str
    """The JSON pointer within the document."""
    statuses: tuple[int, ...]
    """The documented statuses."""
    authenticated: bool


@dataclass(frozen=True)
class Example:
    """One file of `examples/`; exactly one of `status`, `schema` and `is_body` says what it is."""

    name: str
    body: Any
    operation_id: str | None = None
    status: int | None = None
    schema: str | None = None
    is_body: bool = False

    @property
    def complete(self) -> bool:
        """Whether it has every field that a server sends."""
        return not self.name.endswith("-abbreviated")

    def validate(self, *, strict: bool = False) -> None:
        """Validate the example as what its name declares. Raise `ConformityError` if it does not conform."""
        if self.schema is not None:
            validate_schema(self.schema, self.body, strict=strict)
        elif self.operation_id is not None and self.status is not None:
            validate(self.operation_id, self.status, self.body, strict=strict)
        elif self.operation_id is not None:
            validate_body(self.operation_id, self.body)


@cache
def document(*, strict: bool = False) -> dict[str, Any]:
    """Return the OpenAPI document; with `strict`, merge every `x-always` into its schema's `required`."""
    if strict:
        merged: dict[str, Any] = _required_always(document())
        return merged
    loaded: dict[str, Any] = yaml.load(DOCUMENT.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return loaded


@cache
def operations() -> Mapping[str, Operation]:
    """Return every operation of the document, by operationId."""
    found = {}
    for path, methods in document()["paths"].items():
        for method in _METHODS:
            if method not in methods:
                continue
            operation = methods[method]
            found[operation["operationId"]] = Operation(
                id=operation["operationId"],
                method=method.upper(),
                path=path,
                place=f"/paths/{_escaped(path)}/{method}",
                statuses=tuple(int(status) for status in operation["responses"]),
                authenticated=bool(operation.get("security", document()["security"])),
            )
    return found


def operation_for(method: str, path: str) -> str:
    """Return the operationId for a method and a path (concrete or a template).

    Raise LookupError if there is none.
    """
    bare = path.partition("?")[0]
    for operation in operations().values():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(operation.path))
        if operation.method == method.upper() and re.fullmatch(pattern, bare):
            return operation.id
    raise LookupError(f"the document has no {method.upper()} {bare}")


def codes(operation_id: str, status: int) -> frozenset[str] | None:
    """Return the error codes documented for a status of an operation, or None if the document names none."""
    schema = _schema_of(operation_id, status, "application/json")
    found = frozenset(
        code
        for part in (_at(schema).get("allOf", ()) if schema else ())
        for code in part.get("properties", {})
        .get("error", {})
        .get("properties", {})
        .get("code", {})
        .get("enum", ())
    )
    return found or None


def validate(
    operation_id: str,
    status: int,
    body: object,
    *,
    headers: Mapping[str, str] | None = None,
    strict: bool = False,
) -> None:
    """Validate a response against the document. `headers`, if given, are checked case-insensitively.

    Raise `ConformityError` if it does not conform, LookupError if the document does not have the operation.
    """
    operation = _operation(operation_id)
    subject = f"{operation_id} {status}"
    if status not in operation.statuses:
        known = ", ".join(map(str, operation.statuses))
        raise ConformityError(subject, [f"the document knows only {known} here"])
    response, place = _response(operation_id, status)
    given = None if headers is None else {name.lower(): value for name, value in headers.items()}
    media_types: Mapping[str, Any] = response["content"]
    media_type = next(iter(media_types))
    problems = []
    if given is not None:
        media_type = given.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in media_types:
            raise ConformityError(
                subject, [f"Content-Type is {media_type!r}, not {' or '.join(media_types)}"]
            )
        problems += _header_problems(response.get("headers", {}), given)
    problems += _problems(f"{place}/content/{_escaped(media_type)}/schema", body, strict)
    if problems:
        raise ConformityError(subject, problems)


def validate_body(operation_id: str, body: object) -> None:
    """Validate a JSON request body against the document. Raise `ConformityError` if it does not conform."""
    place = f"{_operation(operation_id).place}/requestBody"
    _, place = _followed(_at(place), place)
    problems = _problems(f"{place}/content/{_escaped('application/json')}/schema", body, strict=False)
    if problems:
        raise ConformityError(f"{operation_id}'s body", problems)


def validate_schema(name: str, body: object, *, strict: bool = False) -> None:
    """Validate a value against one schema of the document.

    Raise `ConformityError` if it does not conform, LookupError if there is no such schema.
    """
    if name not in document()["components"]["schemas"]:
        raise LookupError(f"the document has no schema {name}")
    problems = _problems(f"/components/schemas/{name}", body, strict)
    if problems:
        raise ConformityError(name, problems)


def deletable_fields(operation_id: str, status: int, body: object) -> Iterator[str]:
    """Yield the JSON pointer of each field of a response whose deletion fails the strict validation.

    The body must conform. Text responses yield nothing.
    """
    schema = _schema_of(operation_id, status, "application/json")
    yield from sorted(_held(schema, body, "")) if schema else ()


def without(body: Any, pointer: str) -> Any:
    """Return a copy of a body without the field (or array entry) at a JSON pointer.

    Raise LookupError if there is none.
    """
    changed = copy.deepcopy(body)
    *parents, last = (_unescaped(step) for step in pointer.split("/")[1:])
    holder = changed
    for step in parents:
        holder = holder[int(step)] if isinstance(holder, list) else holder[step]
    del holder[int(last) if isinstance(holder, list) else last]
    return changed


def examples() -> Iterator[Example]:
    """Yield every JSON example of the documentation; `examples/README.md` explains the file names."""
    for path in sorted(EXAMPLES.glob("*.json")):
        subject, kind, _ = path.stem.split(".", 2)
        body = json.loads(path.read_text(encoding="utf-8"))
        if subject == "schema":
            yield Example(path.stem, body, schema=kind)
        elif kind == "body":
            yield Example(path.stem, body, operation_id=subject, is_body=True)
        else:
            yield Example(path.stem, body, operation_id=subject, status=int(kind))


def _required_always(node: Any) -> Any:
    if isinstance(node, list):
        return [_required_always(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    changed = {name: _required_always(value) for name, value in node.items()}
    if "x-always" in changed:
        changed["required"] = [*changed.get("required", ()), *changed["x-always"]]
    return changed


@cache
def _registry(strict: bool) -> Registry[Any]:
    resource = Resource.from_contents(document(strict=strict), default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource(_ROOT, resource)
    return registry


@cache
def _validator(place: str, strict: bool) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"{_ROOT}#{place}"},
        registry=_registry(strict),
        format_checker=FormatChecker(["uuid", "date-time"]),
    )


def _problems(place: str, body: object, strict: bool) -> list[str]:
    errors = sorted(_validator(place, strict).iter_errors(body), key=lambda error: error.json_path)
    return [f"{error.json_path}: {error.message}" for error in errors]


def _header_problems(documented: Mapping[str, Any], given: Mapping[str, str]) -> list[str]:
    problems = []
    for name, reference in documented.items():
        header, place = _followed(reference, "")
        value = given.get(name.lower())
        if value is None:
            problems += [f"the header {name} is missing"] if header.get("required") else []
        else:
            number = int(value) if value.isdecimal() else value
            problems += [
                f"{name}: {problem}" for problem in _problems(f"{place}/schema", number, strict=False)
            ]
    return problems


def _operation(operation_id: str) -> Operation:
    try:
        return operations()[operation_id]
    except KeyError:
        raise LookupError(f"the document has no operation {operation_id}") from None


def _response(operation_id: str, status: int) -> tuple[dict[str, Any], str]:
    place = f"{_operation(operation_id).place}/responses/{status}"
    return _followed(_at(place), place)


def _schema_of(operation_id: str, status: int, media_type: str) -> str | None:
    response, place = _response(operation_id, status)
    return f"{place}/content/{_escaped(media_type)}/schema" if media_type in response["content"] else None


def _at(place: str, *, strict: bool = False) -> Any:
    node: Any = document(strict=strict)
    for step in place.split("/")[1:]:
        node = node[int(step)] if isinstance(node, list) else node[_unescaped(step)]
    return node


def _followed(node: dict[str, Any], place: str) -> tuple[dict[str, Any], str]:
    while "$ref" in node:
        place = node["$ref"].removeprefix("#")
        node = _at(place)
    return node, place


def _held(place: str, body: object, at: str) -> set[str]:
    """Return the pointers of the fields in `body` that the schema at `place` requires in strict mode."""
    schema = _at(place, strict=True)
    if not isinstance(schema, dict):
        return set()
    found: set[str] = set()
    if "$ref" in schema:
        found |= _held(schema["$ref"].removeprefix("#"), body, at)
    if isinstance(body, dict):
        found |= {f"{at}/{_escaped(name)}" for name in schema.get("required", ()) if name in body}
        for name in schema.get("properties", {}):
            if name in body:
                found |= _held(f"{place}/properties/{_escaped(name)}", body[name], f"{at}/{_escaped(name)}")
    if isinstance(body, list) and "items" in schema:
        for index, entry in enumerate(body):
            found |= _held(f"{place}/items", entry, f"{at}/{index}")
    for branch in _branches(place, schema, body):
        found |= _held(branch, body, at)
    return found


def _branches(place: str, schema: Mapping[str, Any], body: object) -> Iterator[str]:
    """Yield the further subschemas that apply to `body`; an alternative only if no other one matches."""
    yield from (f"{place}/allOf/{index}" for index in range(len(schema.get("allOf", ()))))
    for keyword in ("oneOf", "anyOf"):
        choices = [f"{place}/{keyword}/{index}" for index in range(len(schema.get(keyword, ())))]
        met = [choice for choice in choices if _validator(choice, True).is_valid(body)]
        if len(met) == 1:
            yield met[0]
    if "if" in schema:
        branch = "then" if _validator(f"{place}/if", True).is_valid(body) else "else"
        if branch in schema:
            yield f"{place}/{branch}"


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")
