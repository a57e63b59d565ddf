"""Examples can be sent as they are."""

from __future__ import annotations

from airflow_provider_learning360.api.catalogue.arguments import find_problems
from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.catalogue.example import example_call, example_value
from airflow_provider_learning360.api.catalogue.inlining import inline_schema
from airflow_provider_learning360.api.catalogue.operation import Operation
from case_samples import each_operation

OPERATIONS = load_operations()


@each_operation(OPERATIONS.values())
def test_every_operation_has_a_valid_example(operation: Operation) -> None:
    example = example_call(operation)
    assert find_problems(operation, example.get("parameters"), example.get("body")) == []


def test_example_of_the_catalogue_wins() -> None:
    operation = OPERATIONS["get-user"]
    example = {"parameters": {"userId": "1" * 24}}
    data = {**operation.data, "example": example}
    assert example_call(Operation("get-user", "v2", data, operation.schemas)) == example  # type: ignore[arg-type]


def test_first_field_is_given_if_none_is_required() -> None:
    schema = {"properties": {"name": {"type": ["string", "null"]}, "size": {"type": "integer", "minimum": 3}}}
    assert example_value(schema, {}) == {"name": "text"}
    assert example_value({**schema, "required": ["size"]}, {}) == {"size": 3}


def test_references_are_replaced_at_every_level() -> None:
    schemas = {
        "Outer": {"type": "object", "properties": {"inner": {"$ref": "#/schemas/Inner", "description": "Own."}}},
        "Inner": {"type": "array", "items": {"$ref": "#/schemas/Item"}, "description": "Shared."},
        "Item": {"type": "object", "properties": {"$ref": {"type": "string"}}},
    }
    inner = {"type": "array", "items": schemas["Item"], "description": "Own."}
    assert inline_schema({"$ref": "#/schemas/Outer"}, schemas) == {"type": "object", "properties": {"inner": inner}}


def test_no_reference_is_left() -> None:
    for operation in OPERATIONS.values():
        schema = operation.data["answer"].get("schema", {})
        assert "#/schemas/" not in str(inline_schema(schema, operation.schemas))
