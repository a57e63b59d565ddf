"""How an answer differs from its documented schema: names of fields, never their content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_learning360.api.contract import Drift

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_learning360.api.catalogue.operation import JsonSchema

# What was found, and where: ("unknown", "users[].badge").
Finding = tuple[str, str]

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


class Child(NamedTuple):
    """
    What is documented of a field of an object.

    :param schema: Its schema; None if the field is not documented.
    :param is_key: Whether its name is the key of a map, and not one that the API chose.
    """

    schema: JsonSchema | None
    is_key: bool


def find_differences(schema: JsonSchema, schemas: Mapping[str, JsonSchema], value: Any) -> Drift:
    """
    Compare an answer, or an item of a list, with its schema.

    :param schema: The schema.
    :param schemas: The schemas to which it refers, by name.
    :param value: The answer.
    :returns: The differences; falsy if there are none.
    """
    found = set(_compare(schema, schemas, value, ""))

    def names(kind: str) -> tuple[str, ...]:
        return tuple(sorted(name for one, name in found if one == kind))

    return Drift(names("unknown"), names("missing"), names("new_value"), other_types=names("type"))


def resolve(schema: JsonSchema, schemas: Mapping[str, JsonSchema]) -> JsonSchema:
    """
    Return a schema in which references and parts are put together.

    :param schema: The schema.
    :param schemas: The schemas to which it refers, by name.
    """
    if "$ref" in schema:
        own = {name: value for name, value in schema.items() if name != "$ref"}
        return {**resolve(schemas[schema["$ref"].rpartition("/")[2]], schemas), **own}
    if "allOf" not in schema:
        return schema
    merged: JsonSchema = {name: value for name, value in schema.items() if name != "allOf"}
    for part in (resolve(one, schemas) for one in schema["allOf"]):
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = [*merged.get("required", ()), *part.get("required", ())]
        merged = {**merged, **part, "properties": properties, "required": required}
    return merged


def resolve_for(schema: JsonSchema, schemas: Mapping[str, JsonSchema], value: Any) -> JsonSchema:
    """
    Return a schema as `resolve` does, and of several allowed shapes the one that a value differs from least.

    :param schema: The schema.
    :param schemas: The schemas to which it refers, by name.
    :param value: The value that it describes.
    """
    resolved = resolve(schema, schemas)
    if "anyOf" not in resolved:
        return resolved
    nearest = min(resolved["anyOf"], key=lambda one: len(list(_compare(one, schemas, value, ""))))
    own = {name: one for name, one in resolved.items() if name != "anyOf"}
    return {**own, **resolve_for(nearest, schemas, value)}


def has_documented_type(schema: JsonSchema, schemas: Mapping[str, JsonSchema], value: Any) -> bool:
    """
    Return whether a value has a type that its schema allows; what is in it does not count.

    :param schema: The schema.
    :param schemas: The schemas to which it refers, by name.
    :param value: The value.
    """
    resolved = resolve(schema, schemas)
    if "anyOf" in resolved:
        return any(has_documented_type(one, schemas, value) for one in resolved["anyOf"])
    return _has_type(resolved, value)


def describe_child(schema: JsonSchema | None, name: str) -> Child:
    """
    Return what is documented of a field of an object.

    :param schema: The schema of the object, as `resolve_for` returns it; None if it is not documented.
    :param name: Name of the field.
    """
    if schema is None:
        return Child(None, is_key=False)
    properties, others = schema.get("properties"), schema.get("additionalProperties")
    if properties is not None and name in properties:
        return Child(properties[name], is_key=False)
    if isinstance(others, dict):
        return Child(others, is_key=True)
    if properties is None:  # each field may be anything
        return Child({}, is_key=others is True)
    # An object with some documented fields is no map: 360Learning chose the names of the others, too.
    return Child(None, is_key=False)


def _compare(schema: JsonSchema, schemas: Mapping[str, JsonSchema], value: Any, path: str) -> Iterator[Finding]:
    resolved = resolve(schema, schemas)
    if "anyOf" in resolved:
        branches = [list(_compare(one, schemas, value, path)) for one in resolved["anyOf"]]
        yield from min(branches, key=len)
        return
    if not _has_type(resolved, value):
        yield "type", path or "answer"
        return
    if "enum" in resolved and value not in resolved["enum"]:
        yield "new_value", f"{path} {value}"
    if isinstance(value, dict) and "properties" in resolved:
        yield from _compare_fields(resolved, schemas, value, path)
    elif isinstance(value, list) and "items" in resolved:
        for one in value:
            yield from _compare(resolved["items"], schemas, one, f"{path}[]")


def _compare_fields(
    schema: JsonSchema, schemas: Mapping[str, JsonSchema], value: dict[str, Any], path: str
) -> Iterator[Finding]:
    properties = schema["properties"]
    for name, one in value.items():
        place = f"{path}.{name}".removeprefix(".")
        if name in properties:
            yield from _compare(properties[name], schemas, one, place)
        elif not schema.get("additionalProperties"):
            yield "unknown", place
    for name in schema.get("required", ()):
        if name not in value:
            yield "missing", f"{path}.{name}".removeprefix(".")


def _has_type(schema: JsonSchema, value: Any) -> bool:
    given = schema.get("type")
    if given is None:
        return True
    kinds = given if isinstance(given, list) else [given]
    if isinstance(value, bool):
        return "boolean" in kinds
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return True
    return any(isinstance(value, _PYTHON_TYPES[one]) for one in kinds)
