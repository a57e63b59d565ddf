"""A name in a path that the documented answer does not have is an error; what is not documented is let through."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_learning360.api.catalogue.answers import answer_fields, check_fields
from airflow_provider_learning360.api.catalogue.catalogue import find_operation, load_operations
from airflow_provider_learning360.api.catalogue.differences import find_differences
from airflow_provider_learning360.api.catalogue.json_path import AnswerPath
from airflow_provider_learning360.api.catalogue.operation import Operation
from airflow_provider_learning360.api.catalogue.path_fields import check_names
from airflow_provider_learning360.api.errors import FixArgumentError

PERSON = {
    "type": "object",
    "properties": {
        "_id": {"type": "string"},
        "manager": {"anyOf": [{"$ref": "#/schemas/Manager"}, {"type": "null"}]},
        "either": {"anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"type": "object"}]},
        "custom": {"type": "object", "additionalProperties": True, "properties": {"known": {"type": "string"}}},
        "rooms": {"type": ["array", "null"], "items": {"type": ["object", "null"], "properties": {"name": {}}}},
        "tags": {"type": "array", "items": {"type": "string"}},
        "groups": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
    },
}
SCHEMAS = {
    "Person": PERSON,
    "Manager": {"allOf": [{"$ref": "#/schemas/Base"}, {"type": "object", "properties": {"level": {}}}]},
    "Base": {"type": "object", "properties": {"_id": {"type": "string"}}},
}


def check(path: str, schema: dict[str, Any]) -> None:
    data: Any = {"method": "GET", "path": "/", "repeat": "read", "answer": {"status": 200, "schema": schema}}
    check_names(AnswerPath(path, "until.path"), Operation("get-person", "v2", data, SCHEMAS))


ONE = {"$ref": "#/schemas/Person"}
LIST = {"type": "array", "items": ONE}


@pytest.mark.parametrize(
    "path",
    [
        "$",
        "_id",
        "manager._id",
        "manager.level",
        "either.anything",
        "custom.anything",
        "tags[0]",
        "rooms[0].name",
        "tags[0].anything",
        "groups[*].name",
        "groups[?(@.name == 'x')].name",
        "count(groups[?@.name])",
        "$..anything",
        "$['_id', 'tags']",
        "$['_id', 'tags'].anything",
        "$.*.anything",
    ],
)
def test_path_fits_an_object(path: str) -> None:
    check(path, ONE)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("id", "^until.path: id does not fit the answer of get-person: there is no field 'id'.*did you mean _id"),
        ("$['_id', 'tag']", "there is no field 'tag'.*did you mean tags"),
        ("manager.levle", "there is no field 'levle'; known are _id, level; did you mean level"),
        ("groups[0].nmae", "did you mean name"),
        ("groups[?(@.nmae == 'x')]", "did you mean name"),
        ("groups[?length(@.nmae) > 2]", "did you mean name"),
        ("count(groups[?@.nmae])", "did you mean name"),
        ("rooms[0].nmae", "did you mean name"),
        ("rooms.name", r"a list has no field name"),
        ("groups.name", r"a list has no field name; write \$\[\*\].name"),
        ("$[0]", "an object has no numbered items"),
        ("$[0:2]", "an object has no numbered items"),
        ("manager[0]._id", None),
    ],
)
def test_path_that_finds_nothing_in_an_object_is_an_error(path: str, problem: str | None) -> None:
    if problem is None:  # of several shapes, it is not known which one is there
        check(path, ONE)
        return
    with pytest.raises(FixArgumentError, match=problem):
        check(path, ONE)


@pytest.mark.parametrize("path", ["$", "$[*]._id", "$[-1]._id", "$[1:]._id", "[0]", "count($[*])", "$[?@.tags]._id"])
def test_path_fits_a_list(path: str) -> None:
    check(path, LIST)


@pytest.mark.parametrize("path", ["_id", "$[0].id", "$[?(@.id == 'x')]", "$[?(@.id == 'x')].manager"])
def test_path_that_finds_nothing_in_a_list_is_an_error(path: str) -> None:
    with pytest.raises(FixArgumentError, match=r"^until\.path: "):
        check(path, LIST)


def test_every_documented_field_of_every_operation_is_let_through() -> None:
    checked = 0
    for operation in load_operations().values():
        for name in answer_fields(operation):
            check_names(AnswerPath(f"$[*]['{name}']" if operation.is_list else f"$['{name}']"), operation)
            checked += 1
    assert checked > 400


def check_both(name: str, field: str) -> None:
    operation = find_operation(name)
    check_fields(operation, [field])
    check_names(AnswerPath(f"$[*].{field}" if operation.is_list else field), operation)


@pytest.mark.parametrize("name", ["get-program-session-v1", "list-program-sessions-v1", "list-users-v1", "get-path-v1"])
def test_misspelt_field_of_v1_is_refused(name: str) -> None:
    check_both(name, "_id")
    with pytest.raises(FixArgumentError, match="'_di'.*did you mean _id"):
        check_fields(find_operation(name), ["_di"])
    with pytest.raises(FixArgumentError, match="'_di'.*did you mean _id"):
        check_both(name, "_di")


@pytest.mark.parametrize(
    "name", ["get-user-v1", "list-path-sessions-v1", "list-program-templates-v1", "list-user-program-sessions-v1"]
)
def test_answer_that_is_documented_in_part_may_have_other_fields(name: str) -> None:
    check_both(name, "badge")
    operation = find_operation(name)
    schema = operation.data["answer"]["schema"]
    value = {"_id": "65f0c1d2e3a4b5c6d7e8f901", "badge": 3}
    assert not find_differences(schema, operation.schemas, [value] if operation.is_list else value)
