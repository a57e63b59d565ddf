"""Check what a person wrote against a JSON Schema of the catalogue, and say what is wrong in words that help."""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jsonschema
from jsonschema.exceptions import best_match

from airflow_provider_learning360.api.input_errors import describe_choice, did_you_mean, format_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema.exceptions import ValidationError

    from airflow_provider_learning360.api.catalogue.operation import JsonSchema

_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
ID_PATTERN = "^[a-fA-F0-9]{24}$"
_FORMATS = {
    "date-time": "a date and time in UTC, such as 2026-03-01T08:00:00.000Z",
    "date": "a date, such as 2026-03-01",
    "email": "a mail address",
    "uri": "an address that begins with https://",
}
_OPEN = ("$ref", "properties", "allOf", "anyOf")


class SchemaProblem(NamedTuple):
    """
    What is wrong with a value.

    :param path: Where: names of fields and numbers of items.
    :param text: What is wrong there, without the place.
    """

    path: tuple[str | int, ...]
    text: str


def find_schema_problems(
    schema: JsonSchema, schemas: Mapping[str, JsonSchema], value: Any, skip: Callable[[Any], bool]
) -> Iterator[SchemaProblem]:
    """
    Yield what is wrong with a value, also fields that the schema does not know.

    :param schema: The schema.
    :param schemas: The schemas to which it refers, by name.
    :param value: A value of plain JSON.
    :param skip: Whether a part of the value is not known yet, such as a template.
    """
    closed = close_schema({**schema, "schemas": dict(schemas)})
    validator = jsonschema.Draft202012Validator(closed, format_checker=_format_checker())
    for error in validator.iter_errors(value):
        error = best_match([error]) or error  # of several allowed shapes, the nearest one
        if _depends_on_known_names(error) or not skip(error.instance):
            yield from _describe(error, closed)


def close_schema(schema: JsonSchema) -> JsonSchema:
    """
    Return a schema that refuses fields that it does not name, at every level: a misspelt field would be ignored.

    :param schema: The schema, with those to which it refers under `schemas`.
    """
    closed = _close(schema)
    if "schemas" in schema:
        # What another schema includes stays open; what holds a value is closed by its place.
        closed["schemas"] = {name: _close_parts(one) for name, one in schema["schemas"].items()}
    return closed


def _close(schema: JsonSchema) -> JsonSchema:
    parts = _close_parts(schema)
    if any(word in schema for word in _OPEN) and "additionalProperties" not in schema:
        parts["unevaluatedProperties"] = False
    return parts


def _close_parts(schema: JsonSchema) -> JsonSchema:
    parts = dict(schema)
    if "properties" in schema:
        parts["properties"] = {name: _close(one) for name, one in schema["properties"].items()}
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            parts[word] = _close(schema[word])
    for word in ("allOf", "anyOf"):
        if word in schema:
            parts[word] = [_close_parts(one) for one in schema[word]]
    return parts


def _depends_on_known_names(error: ValidationError) -> bool:
    """Whether an error is about names of fields, which are known also where values are not."""
    return error.validator in ("required", "unevaluatedProperties", "additionalProperties") and isinstance(
        error.instance, dict
    )


def _describe(error: ValidationError, root: JsonSchema) -> Iterator[SchemaProblem]:
    path, value, rule = tuple(error.absolute_path), error.instance, error.validator_value
    match error.validator:
        case "unevaluatedProperties" | "additionalProperties":
            known = known_fields(error.schema, root)
            for name in value:
                if name not in known:
                    yield SchemaProblem((*path, name), f"there is no such field{_list_fields(name, known)}")
        case "required":
            # The library yields one error for each missing field; its text begins with the name.
            name = re.match(r"'([^']*)'", error.message)
            yield SchemaProblem((*path, name[1] if name else ""), "it is missing")
        case "enum":
            yield SchemaProblem(path, describe_choice(value, [str(one) for one in rule]))
        case "type":
            kinds = rule if isinstance(rule, list) else [rule]
            yield SchemaProblem(path, f"{format_value(value)} is not {' or '.join(_TYPES[one] for one in kinds)}")
        case "pattern":
            wanted = "an ID: 24 characters of 0-9 and a-f" if rule == ID_PATTERN else f"of the form {rule}"
            yield SchemaProblem(path, f"{format_value(value)} is not {wanted}")
        case "format":
            yield SchemaProblem(path, f"{format_value(value)} is not {_FORMATS.get(rule, rule)}")
        case "minimum" | "maximum":
            word = "less than" if error.validator == "minimum" else "more than"
            yield SchemaProblem(path, f"{format_value(value)} is {word} {rule}")
        case "minItems" | "maxItems" | "minLength" | "maxLength":
            unit = "items" if "Items" in error.validator else "characters"
            word = "fewer than" if "min" in error.validator else "more than"
            yield SchemaProblem(path, f"it has {word} {rule} {unit}")
        case _:
            yield SchemaProblem(path, f"{format_value(value)} has none of the allowed shapes")


def _list_fields(name: str, known: list[str]) -> str:
    return f"; known are {', '.join(known)}{did_you_mean(name, known)}" if known else ""


def known_fields(schema: Mapping[str, Any], root: JsonSchema) -> list[str]:
    """
    Return the names of the fields that an object may have.

    :param schema: The schema of the object.
    :param root: The schema that has those to which it refers under `schemas`.
    """
    names = list(schema.get("properties", ()))
    if "$ref" in schema:
        names += known_fields(root["schemas"][schema["$ref"].rpartition("/")[2]], root)
    for word in ("allOf", "anyOf"):
        for one in schema.get(word, ()):
            names += known_fields(one, root)
    return list(dict.fromkeys(names))


@cache
def _format_checker() -> jsonschema.FormatChecker:
    """Return checks of the formats that the catalogue uses; the library's own need further packages."""
    checker = jsonschema.FormatChecker(formats=())
    checker.checks("date-time", raises=ValueError)(lambda one: not isinstance(one, str) or _parse_moment(one))
    checker.checks("date", raises=ValueError)(lambda one: not isinstance(one, str) or bool(date.fromisoformat(one)))
    checker.checks("email")(lambda one: not isinstance(one, str) or "@" in one.strip("@"))
    return checker


def _parse_moment(text: str) -> bool:
    return bool(datetime.fromisoformat(text))
