"""A JSON Schema as an outline for people: each field on a line, with its type and what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.differences import resolve
from airflow_provider_learning360.api.catalogue.operation import ID_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_learning360.api.catalogue.operation import JsonSchema

_TYPES = {
    "string": ("text", "texts"),
    "integer": ("whole number", "whole numbers"),
    "number": ("number", "numbers"),
    "boolean": ("true or false", "true or false"),
    "array": ("list", "lists"),
    "object": ("object", "objects"),
    "null": ("null", "null"),
}
_FORMATS = {
    "date-time": ("date and time", "dates and times"),
    "date": ("date", "dates"),
    "email": ("mail address", "mail addresses"),
    "uri": ("address", "addresses"),
    "binary": ("file", "files"),
}
_LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}
INDENT = "  "
FEW = 2  # values that are joined by a word


def outline_schema(schema: JsonSchema, schemas: Mapping[str, JsonSchema], level: int = 0) -> Iterator[str]:
    """
    Yield the fields of an object, or of the items of a list, each on a line and those inside it below.

    :param schema: The schema.
    :param schemas: The schemas to which it refers, by name.
    :param level: How far the lines are indented; default not at all.
    """
    resolved = resolve(schema, schemas)
    for inner in ("items", "additionalProperties"):
        if isinstance(resolved.get(inner), dict):
            yield from outline_schema(resolved[inner], schemas, level)
    required = resolved.get("required", ())
    for name, one in resolved.get("properties", {}).items():
        mark = " (required)" if name in required else ""
        text = resolve(one, schemas).get("description", "")
        yield f"{INDENT * level}{name}{mark}: {describe_type(one, schemas)}{'. ' if text else ''}{text}"
        yield from outline_schema(one, schemas, level + 1)
    shapes = [one for one in _shapes(resolved, schemas) if _has_fields(one, schemas)]
    for number, shape in enumerate(shapes):
        if len(shapes) > 1:
            yield f"{INDENT * level}{'or' if number else 'either'}"
        yield from outline_schema(shape, schemas, level + (len(shapes) > 1))


def describe_type(schema: JsonSchema, schemas: Mapping[str, JsonSchema], *, plural: bool = False) -> str:
    """
    Return the type of a value in words, such as `list of IDs, at most 100 items`.

    :param schema: The schema of the value.
    :param schemas: The schemas to which it refers, by name.
    :param plural: Whether there are several such values; default no.
    """
    resolved = resolve(schema, schemas)
    if "enum" in resolved:
        return _name_values(resolved["enum"], plural)
    if "anyOf" in resolved:
        names = dict.fromkeys(describe_type(one, schemas, plural=plural) for one in resolved["anyOf"])
        return " or ".join(names)
    given = resolved.get("type", "object" if "properties" in resolved else "string")
    kinds = given if isinstance(given, list) else [given]
    limits = [_name_limit(name, resolved[name]) for name in _LIMITS if resolved.get(name) not in (None, 0)]
    return ", ".join([" or ".join(_name_type(kind, resolved, schemas, plural) for kind in kinds), *limits])


def _name_type(kind: str, schema: JsonSchema, schemas: Mapping[str, JsonSchema], plural: bool) -> str:
    if kind == "array" and schema.get("items"):
        return f"{_TYPES[kind][plural]} of {describe_type(schema['items'], schemas, plural=True)}"
    if kind == "string" and schema.get("pattern") == ID_PATTERN:
        return ("ID", "IDs")[plural]
    names = _FORMATS.get(schema.get("format", ""), _TYPES[kind]) if kind == "string" else _TYPES[kind]
    return names[plural]


def _name_values(values: list[Any], plural: bool) -> str:
    names = ["null" if one is None else str(one) for one in values]
    if len(names) <= FEW:
        return " or ".join(names)
    return f"{'any' if plural else 'one'} of {', '.join(names)}"


def _name_limit(name: str, limit: float) -> str:
    return "not empty" if name in ("minLength", "minItems") and limit == 1 else _LIMITS[name].format(limit)


def _shapes(schema: JsonSchema, schemas: Mapping[str, JsonSchema]) -> list[JsonSchema]:
    return [resolve(one, schemas) for one in schema.get("anyOf", ())]


def _has_fields(schema: JsonSchema, schemas: Mapping[str, JsonSchema]) -> bool:
    resolved = resolve(schema, schemas)
    inner = [one for one in (resolved.get("items"), resolved.get("additionalProperties")) if isinstance(one, dict)]
    return bool(resolved.get("properties")) or any(
        _has_fields(one, schemas) for one in (*inner, *_shapes(resolved, schemas))
    )
