"""The operations of the catalogue for the page: all of them in short, and one with its documentation."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.catalogue.example import example_answer, example_call
from airflow_provider_learning360.api.catalogue.masking import has_people
from airflow_provider_learning360.api.catalogue.operation import JSON_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_learning360.api.catalogue.operation import JsonSchema, Operation, Parameter
    from airflow_provider_learning360.ui.responses import (
        BodyDescription,
        OperationDetail,
        OperationExample,
        OperationItem,
        OperationList,
        OptionName,
        ParameterDescription,
        ValueType,
    )

# The ID of a path session, under the names of both versions of the API.
SESSION_PARAMETERS = frozenset({"sessionId", "session_id"})

_TYPES: Mapping[str, ValueType] = {"boolean": "boolean", "integer": "number", "number": "number", "array": "list"}


@cache
def list_operations() -> OperationList:
    """Return all operations in short, in the order of the catalogue."""
    operations = load_operations().values()
    return {
        "operations": [_describe_in_short(one) for one in operations],
        "topics": list(dict.fromkeys(one.data["topic"] for one in operations)),
    }


@cache
def describe_operation(operation: Operation) -> OperationDetail:
    """
    Return the documentation of an operation.

    :param operation: The operation.
    """
    data = operation.data
    return {
        **_describe_in_short(operation),
        "replaces": data.get("replaces"),
        "asynchronous": operation.is_asynchronous,
        "confidence": data["confidence"],
        "warning": data.get("warning"),
        "counterpart": data.get("counterpart"),
        "page_size": data.get("page_size"),
        "reference": data.get("reference"),
        "parameters": [_describe_parameter(key, one) for key, one in operation.keys],
        "body": None if operation.body is None else _describe_body(operation),
        "answer": {
            "status": data["answer"]["status"],
            "type": data["answer"].get("type", JSON_TYPE),
            "schema": _bundle(operation, data["answer"].get("schema")),
        },
        "example_answer": example_answer(operation),
        "example": build_example_call(operation),
        "errors": data.get("errors", {}),
        "options": list_options(operation),
    }


def build_example_call(operation: Operation) -> OperationExample:
    """
    Return arguments with which an operation can be called.

    :param operation: The operation.
    """
    example = example_call(operation)
    return {"parameters": example.get("parameters", {}), "body": example.get("body")}


def list_options(operation: Operation) -> list[OptionName]:
    """
    Return the names of the options that `LearningOperationOperator` takes for an operation.

    :param operation: The operation.
    """

    def names() -> Iterator[OptionName]:
        if operation.has_pages:
            yield "pages"
        if "schema" in operation.data["answer"]:
            yield "fields"
            yield "contract"
        if not operation.is_read:
            yield "dry_run"
        if "replaces" in operation.data:
            yield "replace"
        if operation.is_asynchronous:
            yield "wait_for"

    return list(names())


def _describe_in_short(operation: Operation) -> OperationItem:
    data = operation.data
    return {
        "name": operation.name,
        "version": operation.version,
        "method": operation.method,
        "path": operation.path,
        "topic": data["topic"],
        "text": data["text"],
        "repeat": operation.repeat,
        "usual": data.get("usual", False),
        "people": has_people(operation),
        "scope": data.get("scope"),
    }


def _describe_parameter(key: str, parameter: Parameter) -> ParameterDescription:
    schema = parameter.schema_of(key)
    one = schema.get("items", {}) if schema.get("type") == "array" else schema
    kind = _name_type(schema)
    choices = one.get("enum")
    return {
        "key": key,
        "name": parameter.name,
        "operator": key.partition("[")[2].removesuffix("]") or None if parameter.operators else None,
        "place": parameter.place,
        "required": parameter.required,
        "type": kind,
        "items": _name_type(one) if kind == "list" else None,
        "choices": None if choices is None else [str(choice) for choice in choices],
        "text": parameter.text or None,
        "finds": "session" if parameter.name in SESSION_PARAMETERS else None,
    }


def _name_type(schema: JsonSchema) -> ValueType:
    if "enum" in schema:
        return "choice"
    if "24" in schema.get("pattern", ""):
        return "id"
    if schema.get("format") == "date-time":
        return "date-time"
    if schema.get("format") == "date":
        return "date"
    return _TYPES.get(str(schema.get("type")), "text")


def _describe_body(operation: Operation) -> BodyDescription:
    body = operation.body
    assert body is not None  # noqa: S101 - callers check that
    return {"type": body.get("type", JSON_TYPE), "schema": _bundle(operation, body["schema"])}


def _bundle(operation: Operation, schema: JsonSchema | None) -> JsonSchema | None:
    """Return a schema together with those that it needs, under `schemas`."""
    if schema is None:
        return None
    needed: dict[str, JsonSchema] = {}
    left = list(_references(schema))
    while left:
        name = left.pop()
        if name not in needed:
            needed[name] = operation.schemas[name]
            left += _references(needed[name])
    return {**schema, "schemas": needed} if needed else schema


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].rpartition("/")[2]
        for one in schema.values():
            yield from _references(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from _references(one)
