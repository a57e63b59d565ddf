"""Texts in the arguments of a call, by schema: times as the API writes them, and what templates gave as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_learning360.api.catalogue.differences import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_learning360.api.catalogue.operation import JsonSchema

    Change = Callable[[str, list[JsonSchema]], Any]

_BOOLEANS = {"true": True, "false": False}  # Python writes them with a capital letter
_NUMBERS = {"integer", "number"}


def format_moment(moment: datetime, *, whole_seconds: bool = False) -> str:
    """
    Write a time as the API does: in UTC, with milliseconds and `Z`.

    :param moment: The time; without a zone it is UTC.
    :param whole_seconds: Whether milliseconds are written as 0; default False.
    """
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    known = known.replace(microsecond=0) if whole_seconds else known
    return known.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rewrite_moment(text: str, *, whole_seconds: bool = False) -> str:
    """
    Return a time as the API writes it.

    :param text: The time in any form of ISO 8601; without a zone it is UTC, and a date is its midnight.
    :param whole_seconds: Whether milliseconds are written as 0; default False.
    :raises ValueError: It is no time, or one that UTC does not have.
    """
    try:
        return format_moment(datetime.fromisoformat(text), whole_seconds=whole_seconds)
    except OverflowError:
        raise ValueError("the time is out of range") from None


def write_times(
    schema: JsonSchema, schemas: Mapping[str, JsonSchema], value: Any, *, whole_seconds: bool = False
) -> Any:
    """
    Return a value in which texts that are times are written as the API does: it refuses other forms.

    :param schema: The schema of the value.
    :param schemas: The schemas to which it refers, by name.
    :param value: The value; a text that is no time stays as it is.
    :param whole_seconds: Whether milliseconds are written as 0; default False.
    """
    change = partial(_write_time, whole_seconds=whole_seconds)
    return _change_texts(list(_shapes(schema, schemas)), schemas, value, change)


def parse_texts(schema: JsonSchema, schemas: Mapping[str, JsonSchema], value: Any) -> Any:
    """
    Return a value in which texts became the numbers and booleans that their schema asks for: a template gives texts.

    :param schema: The schema of the value.
    :param schemas: The schemas to which it refers, by name.
    :param value: The value; what may be a text, or cannot be read, stays as it is.
    """
    return _change_texts(list(_shapes(schema, schemas)), schemas, value, _parse_text)


def _shapes(schema: JsonSchema, schemas: Mapping[str, JsonSchema]) -> Iterator[JsonSchema]:
    """Yield the schemas of which a value must fit one."""
    resolved = resolve(schema, schemas)
    if "anyOf" not in resolved:
        yield resolved
    for one in resolved.get("anyOf", ()):
        yield from _shapes(one, schemas)


def _change_texts(shapes: list[JsonSchema], schemas: Mapping[str, JsonSchema], value: Any, change: Change) -> Any:
    if isinstance(value, str):
        return change(value, shapes)
    if isinstance(value, Mapping):
        return {
            name: _change_texts(list(_fields(shapes, schemas, name)), schemas, one, change)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        items = [inner for one in shapes if "items" in one for inner in _shapes(one["items"], schemas)]
        return [_change_texts(items, schemas, one, change) for one in value]
    return value


def _fields(shapes: list[JsonSchema], schemas: Mapping[str, JsonSchema], name: Any) -> Iterator[JsonSchema]:
    for one in shapes:
        schema = one.get("properties", {}).get(name, one.get("additionalProperties"))
        if isinstance(schema, dict):
            yield from _shapes(schema, schemas)


def _types(schema: JsonSchema) -> set[str]:
    # Without a type, it may be a text.
    kinds = schema.get("type", "string")
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _write_time(text: str, shapes: list[JsonSchema], *, whole_seconds: bool) -> str:
    texts = [one for one in shapes if "string" in _types(one)]
    if not texts or any(one.get("format") != "date-time" for one in texts):
        return text
    try:
        return rewrite_moment(text, whole_seconds=whole_seconds)
    except ValueError:
        return text


def _parse_text(text: str, shapes: list[JsonSchema]) -> Any:
    types = {kind for one in shapes for kind in _types(one)}
    if "string" in types:
        return text
    if "boolean" in types and text.strip().lower() in _BOOLEANS:
        return _BOOLEANS[text.strip().lower()]
    return _parse_number(text) if types & _NUMBERS else text


def _parse_number(text: str) -> Any:
    try:
        number = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text
    return number if isinstance(number, int | float) and not isinstance(number, bool) else text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
