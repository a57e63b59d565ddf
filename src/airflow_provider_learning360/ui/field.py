"""What all trees of fields share: limits, notes, types in words, and the JSON of a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.sanitizer import sanitize
from airflow_provider_learning360.ui.text import ELLIPSIS, MAX_CHARACTERS, readable_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_learning360.ui.responses import Field, Note, NoteCode

MAX_ELEMENTS = 100  # of one list or object
MAX_DEPTH = 8  # levels
MAX_FIELDS = 5000  # of one document, at all levels

_MAX_EXACT = 2**53  # browsers round larger numbers
_PLURALS = {"true/false": "true/false values", "null": "nulls"}


def build_note(code: NoteCode, **values: str | float) -> Note:
    """
    Return a remark on a field.

    :param code: Names the text that the page shows.
    :param values: Values for the placeholders of the text.
    """
    return {"code": code, "values": values}


def show_value(value: Any) -> tuple[str | int | float | None, Note | None]:
    """
    Return what to show for a value that is not opened, and a note on it.

    :param value: The value.
    """
    if isinstance(value, str):
        return readable_text(value), _build_truncation_note(value)
    if isinstance(value, dict | list):
        return ELLIPSIS, build_note("too_deep")
    if value is None or abs(value) <= _MAX_EXACT:
        return value, None
    # JSON has no such number (NaN), or browsers would round it.
    return str(sanitize(value)), None


def type_in_words(value: Any) -> str:
    """
    Return the type of a value in words, as in the documentation.

    :param value: The value.
    """
    if isinstance(value, list):
        element_types = {type_in_words(element) if not isinstance(element, list) else "list" for element in value}
        return f"list of {plural(element_types.pop())}" if len(element_types) == 1 else "list"
    words = {dict: "object", str: "text", bool: "true/false", int: "number", float: "number", type(None): "null"}
    return words[type(value)]


def plural(word: str) -> str:
    """
    Return the plural of the name of a type.

    :param word: The name, such as `text`.
    """
    return _PLURALS.get(word, f"{word}s")


def json_of_fields(fields: Iterable[Field], more: int) -> dict[str, Any]:
    """
    Return the JSON of the fields of an object.

    :param fields: The fields.
    :param more: How many are left out.
    """
    rest = {ELLIPSIS: f"+{more}"} if more else {}
    return {field["name"]: json_of_field(field) for field in fields} | rest


def json_of_items(items: Iterable[Field], more: int) -> list[Any]:
    """
    Return the JSON of the items of a list.

    :param items: The items.
    :param more: How many are left out.
    """
    return [json_of_field(item) for item in items] + note_rest(more)


def json_of_field(field: Field) -> Any:
    """
    Return the JSON of a field.

    :param field: The field.
    """
    if "items" not in field:
        return field["value"]
    if "count" not in field:
        return json_of_fields(field["items"], field["more"])
    return json_of_items(field["items"], field["more"])


def note_rest(more: int) -> list[str]:
    """
    Return what stands for the items that are left out.

    :param more: How many are left out.
    """
    # A number and no words: it is part of the JSON, which has no language.
    return [f"{ELLIPSIS} +{more}"] if more else []


def _build_truncation_note(text: str) -> Note | None:
    return build_note("cut", shown=MAX_CHARACTERS, total=len(text)) if len(text) > MAX_CHARACTERS else None
