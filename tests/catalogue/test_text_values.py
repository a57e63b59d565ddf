"""Texts in arguments: times are sent as the API writes them, and what a template gave becomes what the schema says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_learning360.api.catalogue.arguments import build_request, find_problems
from airflow_provider_learning360.api.catalogue.catalogue import find_operation, load_operations
from airflow_provider_learning360.api.catalogue.operation import Parameter
from airflow_provider_learning360.api.catalogue.preview import describe_request
from airflow_provider_learning360.api.catalogue.text_values import parse_texts, write_times

ID, OTHER = "60b8d2956e20ae1a0f8e44f1", "60b8d2956e20ae1a0f8e44f2"
SESSION = {"pathId": ID, "sessionId": OTHER}
PARIS = timezone(timedelta(hours=1))

TIMES = [
    ("2026-03-01T09:00:00+01:00", "2026-03-01T08:00:00.000Z"),
    ("2026-03-01 08:00:00+00:00", "2026-03-01T08:00:00.000Z"),
    ("2026-03-01T08:00:00Z", "2026-03-01T08:00:00.000Z"),
    ("2026-03-01T08:00", "2026-03-01T08:00:00.000Z"),
    ("20260301T080000", "2026-03-01T08:00:00.000Z"),
    ("2026-03-01", "2026-03-01T00:00:00.000Z"),
    (date(2026, 3, 1), "2026-03-01T00:00:00.000Z"),
    (datetime(2026, 3, 1, 9, tzinfo=PARIS), "2026-03-01T08:00:00.000Z"),
]
FILTERS = [
    (operation, key, parameter)
    for operation in load_operations().values()
    for key, parameter in operation.keys
    if parameter.schema.get("format") == "date-time" and parameter.place == "query"
]


@pytest.mark.parametrize(("given", "sent"), TIMES)
def test_time_is_sent_as_the_api_writes_it(given: Any, sent: str) -> None:
    listed = build_request(find_operation("list-path-sessions"), {"createdAt[gte]": given}, None)
    assert listed.query == (("createdAt[gte]", sent),)
    edited = build_request(find_operation("edit-path-session"), SESSION, {"name": "2026-03-01", "endDate": given})
    assert json.loads(edited.body or b"") == {"name": "2026-03-01", "endDate": sent}
    shown = describe_request(find_operation("edit-path-session"), SESSION, {"endDate": given})
    assert shown.endswith(f'{{"endDate": "{sent}"}}')


@pytest.mark.parametrize(("operation", "key", "parameter"), FILTERS, ids=lambda one: getattr(one, "name", one))
def test_no_filter_has_milliseconds(operation: Any, key: str, parameter: Parameter) -> None:
    given = {one: ID for one, other in operation.keys if other.place == "path"}
    request = build_request(operation, {**given, key: "2026-03-01T09:00:00.987+01:00"}, None)
    assert dict(request.query)[key] == "2026-03-01T08:00:00.000Z"


def test_milliseconds_of_a_body_are_kept() -> None:
    body = {"endDate": "2026-03-01T09:00:00.987654+01:00"}
    request = build_request(find_operation("edit-path-session"), SESSION, body)
    assert json.loads(request.body or b"") == {"endDate": "2026-03-01T08:00:00.987Z"}


@pytest.mark.parametrize("given", ["soon", "9999-12-31T23:00:00-05:00", "{{ ts }}", ""])
def test_what_is_no_time_stays_and_is_named(given: str) -> None:
    assert write_times({"type": "string", "format": "date-time"}, {}, given) == given
    problem = str(find_problems(find_operation("list-path-sessions"), {"createdAt[gte]": given}, None)[0])
    assert problem == (
        f"parameters.createdAt[gte]: {given!r} is not a date and time in UTC, such as 2026-03-01T08:00:00.000Z"
    )


def test_text_that_may_be_more_than_a_time_stays() -> None:
    either = {"anyOf": [{"type": "string"}, {"type": "string", "format": "date-time"}]}
    nested = {"$ref": "#/schemas/Rows"}
    schemas = {"Rows": {"type": "array", "items": {"properties": {"at": {"type": "string", "format": "date-time"}}}}}
    assert write_times(either, {}, "2026-03-01") == "2026-03-01"
    assert write_times(nested, schemas, [{"at": "2026-03-01", "on": "2026-03-01"}]) == [
        {"at": "2026-03-01T00:00:00.000Z", "on": "2026-03-01"}
    ]


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, " false ", False),
        ({"type": "boolean"}, "yes", "yes"),
        ({"type": "boolean"}, "1", "1"),
        ({"type": "integer"}, "12", 12),
        ({"type": "integer"}, "True", "True"),
        ({"type": "integer"}, "", ""),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "number"}, "NaN", "NaN"),
        ({"type": "number"}, "9" * 5000, "9" * 5000),
        ({"type": ["integer", "null"]}, "3", 3),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, "True", True),
        ({"anyOf": [{"type": "boolean"}, {"type": "string"}]}, "True", "True"),
        ({"type": "string"}, "12", "12"),
        ({}, "12", "12"),
        ({"type": "array", "items": {"type": "integer"}}, ["1", "x"], [1, "x"]),
        ({"type": "object", "additionalProperties": {"type": "boolean"}}, {"a": "True"}, {"a": True}),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, {"a": "1", "b": "2"}, {"a": 1, "b": "2"}),
    ],
)
def test_text_becomes_what_its_schema_asks_for(schema: Any, text: Any, value: Any) -> None:
    found = parse_texts(schema, {}, text)
    assert found == value
    assert type(found) is type(value)


def test_boolean_of_python_is_sent_as_json() -> None:
    operation = find_operation("list-groups")
    made_up = replace(
        operation,
        data={**operation.data, "parameters": [{"name": "deep", "place": "query", "schema": {"type": "boolean"}}]},
    )
    assert build_request(made_up, {"deep": "True"}, None).query == (("deep", "true"),)
