"""How an answer differs from its documented schema: names of fields, never their content."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_learning360.api.catalogue.differences import find_differences, resolve

SCHEMAS: dict[str, Any] = {
    "Person": {
        "type": "object",
        "required": ["_id", "name"],
        "properties": {"_id": {"type": "string"}, "name": {"type": "string"}, "age": {"type": "integer"}},
    },
    "Boss": {
        "allOf": [
            {"$ref": "#/schemas/Person"},
            {"properties": {"team": {"type": "array", "items": {"type": "string"}}}},
        ]
    },
    "Pending": {"type": "object", "properties": {"status": {"type": "string", "enum": ["pending"]}}},
    "Done": {
        "type": "object",
        "required": ["endedAt"],
        "properties": {"status": {"type": "string", "enum": ["done"]}, "endedAt": {"type": "string"}},
    },
}
PERSON = {"$ref": "#/schemas/Person"}
EITHER = {"anyOf": [{"$ref": "#/schemas/Pending"}, {"$ref": "#/schemas/Done"}]}


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        (PERSON, {"_id": "1", "name": "secret", "age": 3}, ""),
        (PERSON, {"_id": "1", "name": "secret", "age": 3.0}, ""),
        (PERSON, {"_id": "1", "nick": "secret"}, "unknown: nick; missing: name"),
        (PERSON, {"_id": "1", "name": "secret", "age": True}, "other type: age"),
        (PERSON, "secret", "other type: answer"),
        ({"type": "array", "items": PERSON}, [{"_id": 1, "name": "x"}] * 2, "other type: []._id"),
        ({"$ref": "#/schemas/Boss"}, {"_id": "1", "name": "x", "team": [1]}, "other type: team[]"),
        (EITHER, {"status": "done", "endedAt": "x"}, ""),
        (EITHER, {"status": "pending"}, ""),
        (EITHER, {"status": "paused"}, "new values: status paused"),
        ({"type": ["string", "null"]}, None, ""),
        ({"type": "object", "properties": {}, "additionalProperties": True}, {"x": 1}, ""),
        ({}, {"x": 1}, ""),
    ],
)
def test_differences_are_names(schema: Any, value: Any, text: str) -> None:
    assert str(find_differences(schema, SCHEMAS, value)) == text


def test_parts_are_put_together() -> None:
    whole = resolve({"$ref": "#/schemas/Boss"}, SCHEMAS)
    assert list(whole["properties"]) == ["_id", "name", "age", "team"]
    assert whole["required"] == ["_id", "name"]
