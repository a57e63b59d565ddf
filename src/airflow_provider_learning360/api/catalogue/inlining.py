"""Schemas without references, for readers that take one schema by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.api.catalogue.operation import JsonSchema


def inline_schema(schema: JsonSchema, schemas: Mapping[str, JsonSchema]) -> JsonSchema:
    """
    Return a schema in which each reference is replaced by what it refers to.

    :param schema: The schema.
    :param schemas: The schemas to which it refers, by name. None refers to itself.
    """
    inlined: JsonSchema = _inline(schema, schemas)
    return inlined


def _inline(value: Any, schemas: Mapping[str, JsonSchema]) -> Any:
    if isinstance(value, list):
        return [_inline(one, schemas) for one in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    # A field of an object may have this name, too. Then its value is a schema.
    if isinstance(reference, str):
        own = {name: one for name, one in value.items() if name != "$ref"}
        return {**_inline(schemas[reference.rpartition("/")[2]], schemas), **_inline(own, schemas)}
    return {name: _inline(one, schemas) for name, one in value.items()}
