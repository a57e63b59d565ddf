"""What is wrong with a value, in words that help: whatever schema the catalogue has."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.catalogue.schemas import find_schema_problems, known_fields
from airflow_provider_learning360.rendering import is_template

SCHEMAS: dict[str, Any] = {
    "Base": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
    "Dog": {"allOf": [{"$ref": "#/schemas/Base"}, {"type": "object", "properties": {"bark": {"type": "boolean"}}}]},
}
BODIES = [one for one in load_operations().values() if one.body is not None]


def problems(schema: Any, value: Any) -> list[str]:
    found = find_schema_problems(schema, SCHEMAS, value, is_template)
    return [f"{'.'.join(map(str, one.path))}: {one.text}" for one in found]


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"$ref": "#/schemas/Dog"}, {"id": "1", "bark": True}, []),
        ({"$ref": "#/schemas/Dog"}, {"id": "1", "brak": 1}, ["brak: there is no such field; known are id, bark"]),
        ({"$ref": "#/schemas/Dog"}, {"bark": 1}, ["id: it is missing", "bark: 1 is not true or false"]),
        ({"type": ["string", "null"]}, 5, [": 5 is not a text or null"]),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 5, [": 5 is not a text or null"]),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None, []),
        ({"anyOf": [{"type": "string", "minLength": 2}, {"type": "null"}]}, "x", [": it has fewer than 2 characters"]),
        ({"type": "array", "maxItems": 1, "items": {}}, [1, 2], [": it has more than 1 item"]),
        (
            {"type": "string", "format": "date-time"},
            "x",
            [": 'x' is not a date and time in UTC, such as 2026-03-01T08"],
        ),
        ({"type": "string", "format": "email"}, "x", [": 'x' is not a mail address"]),
        ({"type": "string", "pattern": "^a$"}, "x", [": 'x' is not of the form ^a$"]),
        ({"type": "number", "maximum": 2}, 3, [": 3 is more than 2"]),
        ({"type": "integer", "multipleOf": 2}, 3, [": 3 has none of the allowed shapes"]),
        ({"type": "object", "properties": {}}, {"x": 1}, ["x: there is no such field"]),
    ],
)
def test_words(schema: Any, value: Any, expected: list[str]) -> None:
    found = problems(schema, value)
    assert len(found) == len(expected)
    assert all(one.startswith(start) for one, start in zip(found, expected, strict=True))


def test_known_fields_of_several_shapes() -> None:
    schema = {"anyOf": [{"$ref": "#/schemas/Dog"}, {"type": "object", "properties": {"meow": {"type": "boolean"}}}]}
    root = {"schemas": SCHEMAS}
    assert known_fields(schema, root) == ["id", "bark", "meow"]
    assert known_fields(schema, root, {"meow": True, "x": 1}) == ["meow"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON, number=st.integers(0, len(BODIES) - 1), fields=st.lists(st.integers(0, 30), max_size=4))
def test_any_value_has_a_description_or_fits(value: Any, number: int, fields: list[int]) -> None:
    operation = BODIES[number]
    assert operation.body is not None
    schema = operation.body["schema"]
    known = known_fields({**schema}, {"schemas": dict(operation.schemas)})
    for body in (value, {known[one % len(known)]: value for one in fields} if known else {}):
        found = list(find_schema_problems(schema, operation.schemas, body, lambda _: False))
        assert all(one.text and "\n" not in one.text for one in found)
        json.dumps([one.path for one in found])
