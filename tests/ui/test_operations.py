"""The list of operations, and the documentation of one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from airflow_provider_learning360.api.catalogue.arguments import find_problems
from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.catalogue.differences import find_differences
from airflow_provider_learning360.ui import operations
from case_samples import each_name

Login = Callable[[str | None], TestClient]

API = "/learning360/api"
OPERATIONS = load_operations()
MAX_LIST_BYTES = 60_000


def detail_of(name: str) -> Any:
    return operations.describe_operation(OPERATIONS[name])


def test_list_has_every_operation_in_order_and_is_small(login: Login) -> None:
    response = login("vera").get(f"{API}/operations")
    listed = response.json()["operations"]
    assert [one["name"] for one in listed] == list(OPERATIONS)
    assert response.json()["topics"] == list(dict.fromkeys(one["topic"] for one in listed))
    assert len(response.content) < MAX_LIST_BYTES


def test_list_is_computed_once() -> None:
    assert operations.list_operations() is operations.list_operations()


@pytest.mark.parametrize("path", ["operations", "operations/list-path-sessions"])
def test_operations_need_a_login(login: Login, path: str) -> None:
    assert login(None).get(f"{API}/{path}").status_code == 401


def test_unknown_operation_is_not_found(login: Login) -> None:
    response = login("vera").get(f"{API}/operations/list-everything")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "no_operation")


@each_name(OPERATIONS)
def test_detail_has_every_parameter(login: Login, name: str) -> None:
    detail = login("vera").get(f"{API}/operations/{name}").json()
    assert [one["key"] for one in detail["parameters"]] == [key for key, _ in OPERATIONS[name].keys]


@each_name(OPERATIONS)
def test_schemas_have_all_that_they_refer_to(name: str) -> None:
    detail = detail_of(name)
    for schema in (detail["answer"]["schema"], (detail["body"] or {}).get("schema")):
        if schema is not None:
            jsonschema.Draft202012Validator.check_schema(schema)
            references = {one.rpartition("/")[2] for one in find_references(schema)}
            assert references == schema.get("schemas", {}).keys()


def find_references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [found for one in schema for found in find_references(one)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
    return own + [found for one in schema.values() for found in find_references(one)]


@each_name(OPERATIONS)
def test_example_call_is_valid(name: str) -> None:
    example = detail_of(name)["example"]
    assert find_problems(OPERATIONS[name], example["parameters"], example["body"]) == []


@each_name(OPERATIONS)
def test_example_answer_is_as_documented(name: str) -> None:
    operation, example = OPERATIONS[name], detail_of(name)["example_answer"]
    schema = operation.data["answer"].get("schema")
    assert (example is None) is (schema is None)
    if schema is not None:
        assert not find_differences(schema, operation.schemas, example)
        json.dumps(example, allow_nan=False)


def test_parameters_say_what_a_form_needs() -> None:
    described = {one["key"]: one for one in detail_of("list-path-sessions")["parameters"]}
    assert described["modifiedAt[gte]"]["type"] == "date-time"
    assert described["modifiedAt[gte]"]["operator"] == "gte"
    path_ids = described["pathId[in]"]
    assert (path_ids["type"], path_ids["items"], path_ids["required"]) == ("list", "id", False)
    session = {one["key"]: one for one in detail_of("get-path-session")["parameters"]}["sessionId"]
    assert (session["finds"], session["place"], session["type"], session["required"]) == ("session", "path", "id", True)
    assert session["operator"] is None


def test_allowed_values_are_choices() -> None:
    described = {one["key"]: one for one in detail_of("list-users")["parameters"]}
    choices = [one for one in described.values() if one["choices"]]
    assert choices
    assert all(one["type"] in ("choice", "list") for one in choices)


def test_options_are_those_that_apply() -> None:
    assert detail_of("list-path-sessions")["options"] == ["pages", "fields", "contract"]
    assert detail_of("get-path-session")["options"] == ["fields", "contract"]
    assert "dry_run" in detail_of("create-user")["options"]
    asynchronous = next(one.name for one in OPERATIONS.values() if one.is_asynchronous)
    assert "wait_for" in detail_of(asynchronous)["options"]
    assert "pages" not in detail_of(asynchronous)["options"]
