"""Check what a person wrote against a JSON Schema of the catalogue, and say what is wrong in words that help."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jsonschema

from airflow_provider_learning360.api.catalogue.differences import resolve
from airflow_provider_learning360.api.catalogue.masking import SECRET_FIELDS
from airflow_provider_learning360.api.catalogue.operation import ID_PATTERN
from airflow_provider_learning360.api.catalogue.shared_schemas import find_used
from airflow_provider_learning360.api.catalogue.text_values import rewrite_moment
from airflow_provider_learning360.api.input_errors import describe_choice, format_value, list_known

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
    # All of them would take ten times as long, and a DAG file may check hundreds of mapped values.
    used = {name: schemas[name] for name in find_used(schema, schemas)}
    closed = close_schema({**schema, "schemas": used})
    validator = jsonschema.Draft202012Validator(closed, format_checker=_format_checker())
    for error in validator.iter_errors(value):
        yield from _explain(error, closed, skip)


def _explain(error: Any, root: JsonSchema, skip: Callable[[Any], bool]) -> Iterator[SchemaProblem]:
    if error.validator == "anyOf":
        yield from _explain_variants(error, root, skip)
    elif _depends_on_known_names(error) or not skip(error.instance):
        yield from _describe(error, root)


def _explain_variants(error: Any, root: JsonSchema, skip: Callable[[Any], bool]) -> Iterator[SchemaProblem]:
    """Yield what is wrong with a value that may have several shapes, by the shape that was probably meant."""
    value, variants = error.instance, dict(enumerate(resolve(one, root["schemas"]) for one in error.validator_value))
    if not isinstance(value, dict) and skip(value):
        return
    for name, choices in _choices_of(variants).items() if isinstance(value, dict) else ():
        if name not in value:
            yield SchemaProblem((*error.absolute_path, name), f"it is missing; write one of {', '.join(choices)}")
            return
        if skip(value[name]):
            return
        if value[name] not in choices:
            yield SchemaProblem((*error.absolute_path, name), describe_choice(value[name], choices))
            return
        variants = {key: one for key, one in variants.items() if value[name] in one["properties"][name]["enum"]}
    found = [[one for one in error.context or () if one.schema_path[0] == number] for number in variants]
    if all(one.validator == "type" and not one.path for errors in found for one in errors):
        types = [kind for one in error.context or () for kind in _as_list(one.validator_value)]
        path = tuple(error.absolute_path)
        yield SchemaProblem(path, _describe_type(_show_value(path, value), types))
        return
    for one in min(found, key=_distance):
        yield from _explain(one, root, skip)


def _choices_of(variants: Mapping[int, JsonSchema]) -> dict[str, list[str]]:
    """Return the fields that tell the shapes apart, such as `type`, each with all its values."""
    names = set.intersection(*(set(one.get("properties", ())) for one in variants.values()))
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        enums = [one["properties"][name].get("enum", ()) for one in variants.values()]
        # The same values in each shape tell nothing.
        if all(enums) and any(one != enums[0] for one in enums):
            found[name] = list(dict.fromkeys(value for one in enums for value in one))
    return found


def _distance(errors: list[ValidationError]) -> tuple[bool, int]:
    return any(one.validator == "type" and not one.path for one in errors), len(errors)


def close_schema(schema: JsonSchema) -> JsonSchema:
    """
    Return a schema that refuses fields that it does not name, at every level. Otherwise, a misspelt field is ignored.

    :param schema: The schema, with those to which it refers under `schemas`.
    """
    closed = _close(schema)
    if "schemas" in schema:
        # Shared schemas stay open, because others include them. The place that uses one for a value closes it.
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


def _describe(error: Any, root: JsonSchema) -> Iterator[SchemaProblem]:
    path, value, rule = tuple(error.absolute_path), error.instance, error.validator_value
    match error.validator:
        case "unevaluatedProperties" | "additionalProperties":
            known = known_fields(error.schema, root, value)
            for name in value:
                if name not in known:
                    yield SchemaProblem((*path, name), f"there is no such field{_list_fields(name, known)}")
        case "required":
            # The library yields one error for each missing field; its text begins with the name.
            name = re.match(r"'([^']*)'", error.message)
            yield SchemaProblem((*path, name[1] if name else ""), "it is missing")
        case "enum":
            yield SchemaProblem(path, describe_choice(value, [str(one) for one in rule]))
        case _:
            yield SchemaProblem(path, _describe_value(error.validator, _show_value(path, value), rule))


def _show_value(path: tuple[str | int, ...], value: Any) -> str:
    """Return a value as an error may show it: no password, and of a list or mapping not what is in it."""
    if not SECRET_FIELDS.isdisjoint(path):
        return "the value"
    if isinstance(value, dict | list) and value:
        return _TYPES["object" if isinstance(value, dict) else "array"]
    return format_value(value)


def _describe_value(kind: str, shown: str, rule: Any) -> str:
    match kind:
        case "type":
            return _describe_type(shown, _as_list(rule))
        case "pattern":
            wanted = "an ID: 24 characters of 0-9 and a-f" if rule == ID_PATTERN else f"of the form {rule}"
            return f"{shown} is not {wanted}"
        case "format":
            return f"{shown} is not {_FORMATS.get(rule, rule)}"
        case "minimum" | "maximum":
            return f"{shown} is {'less' if kind == 'minimum' else 'more'} than {rule}"
        case "minItems" | "maxItems" | "minLength" | "maxLength":
            unit = "item" if "Items" in kind else "character"
            return f"it has {'fewer' if 'min' in kind else 'more'} than {rule} {unit}{'' if rule == 1 else 's'}"
        case _:
            return f"{shown} has none of the allowed shapes"


def _describe_type(shown: str, kinds: list[str]) -> str:
    return f"{shown} is not {' or '.join(dict.fromkeys(_TYPES[one] for one in kinds))}"


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _list_fields(name: str, known: list[str]) -> str:
    return f"; known are {list_known(name, known)}" if known else ""


def known_fields(schema: Mapping[str, Any], root: JsonSchema, value: Any = None) -> list[str]:
    """
    Return the names of the fields that an object may have.

    :param schema: The schema of the object.
    :param root: The schema that has those to which it refers under `schemas`.
    :param value: The object. If the schema allows several shapes, only those that fit it count. Default: all count.
    """
    names = list(schema.get("properties", ()))
    if "$ref" in schema:
        names += known_fields(root["schemas"][schema["$ref"].rpartition("/")[2]], root, value)
    for one in schema.get("allOf", ()):
        names += known_fields(one, root, value)
    variants = schema.get("anyOf", ())
    fitting = [one for one in variants if value is not None and _fits(one, root, value)]
    for one in fitting or variants:
        names += known_fields(one, root, value)
    return list(dict.fromkeys(names))


def _fits(schema: JsonSchema, root: JsonSchema, value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator({**schema, "schemas": root["schemas"]}).is_valid(value))


@cache
def _format_checker() -> jsonschema.FormatChecker:
    """Return checks of the formats that the catalogue uses; the library's own need further packages."""
    checker = jsonschema.FormatChecker(formats=())
    checker.checks("date-time", raises=ValueError)(lambda one: not isinstance(one, str) or bool(rewrite_moment(one)))
    checker.checks("date", raises=ValueError)(lambda one: not isinstance(one, str) or bool(date.fromisoformat(one)))
    checker.checks("email")(lambda one: not isinstance(one, str) or "@" in one.strip("@"))
    return checker
