"""An example of a call or an answer: that of the catalogue, or one made of the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.differences import resolve
from airflow_provider_learning360.api.catalogue.operation import ID_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.api.catalogue.operation import ExampleData, JsonSchema, Operation

MAX_LEVELS = 6  # of an answer that are shown with all fields
EXAMPLE_ID = "65f0c1d2e3a4b5c6d7e8f901"
_FORMATS = {
    "date-time": "2027-01-11T08:00:00.000Z",
    "date": "2027-01-11",
    "email": "ada@example.com",
    "uri": "https://www.example.com/",
    "binary": "path/to/file",
}
_VALUES: dict[str, Any] = {"boolean": True, "null": None, "string": "text"}


def example_call(operation: Operation) -> ExampleData:
    """
    Return arguments with which an operation can be called.

    :param operation: The operation.
    :returns: Those of the catalogue; else all that is required, with values that the schema allows.
    """
    if "example" in operation.data:
        return operation.data["example"]
    required = {key: one for key, one in operation.keys if one.required}
    example: ExampleData = {}
    if required:
        example["parameters"] = {
            key: example_value(one.schema_of(key), operation.schemas) for key, one in required.items()
        }
    if operation.body is not None:
        example["body"] = example_value(operation.body["schema"], operation.schemas)
    return example


def example_answer(operation: Operation) -> Any:
    """
    Return an answer of an operation, with all fields that are documented.

    :param operation: The operation.
    :returns: The answer; None if it has no body.
    """
    schema = operation.data["answer"].get("schema")
    return None if schema is None else example_value(schema, operation.schemas, levels=MAX_LEVELS)


def example_value(schema: JsonSchema, schemas: Mapping[str, JsonSchema], levels: int = 0) -> Any:
    """
    Return a value that a schema allows: of an object its required fields, or the first one if none is required.

    :param schema: The schema.
    :param schemas: The schemas to which it refers, by name.
    :param levels: Down to which level objects have all their fields: a schema may contain itself. Default none.
    """
    resolved = resolve(schema, schemas)
    for word in ("enum", "anyOf"):
        if word in resolved:
            first = resolved[word][0]
            return first if word == "enum" else example_value({**_without(resolved, word), **first}, schemas, levels)
    given = resolved.get("type", "object" if "properties" in resolved else "string")
    kind = given[0] if isinstance(given, list) else given
    if kind == "object":
        properties = resolved.get("properties", {})
        names = list(properties) if levels > 0 else resolved.get("required") or list(properties)[:1]
        return {name: example_value(properties.get(name, {}), schemas, levels - 1) for name in names}
    if kind == "array":
        return [example_value(resolved.get("items", {}), schemas, levels)]
    if kind in ("integer", "number"):
        return resolved.get("minimum", 1)
    return _example_text(resolved) if kind == "string" else _VALUES[kind]


def _without(schema: JsonSchema, word: str) -> JsonSchema:
    return {name: one for name, one in schema.items() if name != word}


def _example_text(schema: JsonSchema) -> str:
    if schema.get("pattern") == ID_PATTERN:
        return EXAMPLE_ID
    return _FORMATS.get(schema.get("format", ""), "text")
