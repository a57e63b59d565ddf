"""The answer of an operation as a tree with the documentation of each field; people's data is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.differences import describe_child, resolve, resolve_for
from airflow_provider_learning360.api.catalogue.masking import MASK, AnswerMask, has_people, masked_name
from airflow_provider_learning360.ui.document import describe_drift
from airflow_provider_learning360.ui.field import (
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_FIELDS,
    build_note,
    json_of_field,
    plural,
    show_value,
    type_in_words,
)
from airflow_provider_learning360.ui.text import ELLIPSIS, readable_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_learning360.api.catalogue.answers import Answer
    from airflow_provider_learning360.api.catalogue.operation import JsonSchema, Operation
    from airflow_provider_learning360.api.contract import Drift
    from airflow_provider_learning360.ui.responses import AnswerDescription, DriftReport, Field, FieldState, Note

_TYPES = {"string": "text", "integer": "number", "boolean": "true/false", "array": "list"}


def describe_answer(operation: Operation, answer: Answer, *, reveal: bool) -> AnswerDescription:
    """
    Return an answer for the page.

    What is left out for its size is counted in `fields`, and marked with "…" in `document`.

    :param operation: The operation.
    :param answer: Its answer.
    :param reveal: Whether to show people's data.
    """
    builder = _TreeBuilder(operation, AnswerMask(has_people(operation), reveal))
    root = builder.build(answer.value)
    return {
        "fields": root.get("items", []),
        "more_fields": root.get("more", 0),
        "document": _without_missing(root),
        "drift": _describe_drift(answer.drift, builder.mask),
        "items": len(answer.value) if isinstance(answer.value, list) else None,
        "more": answer.has_more,
        "has_hidden": builder.has_hidden,
    }


@dataclass(frozen=True)
class _Position:
    """
    Where a value is.

    :param field: Name of the nearest field, as it was sent.
    :param documented_as: Its path in the schema, from an item of the list if the answer is one.
    :param schema: Its schema; None if it is not documented.
    """

    name: str
    path: str
    field: str
    documented_as: str
    schema: JsonSchema | None
    depth: int

    @property
    def state(self) -> FieldState:
        return "documented" if self.schema else "unknown"


class _TreeBuilder:
    """Builds the fields of one answer, `MAX_FIELDS` at most."""

    def __init__(self, operation: Operation, mask: AnswerMask) -> None:
        self.mask = mask
        self._everyone = AnswerMask(mask.has_people)  # what would be hidden, also where it is shown
        self.has_hidden = False
        self._operation = operation
        self._schemas = operation.schemas
        self._left = MAX_FIELDS

    def build(self, value: Any) -> Field:
        """Return the answer as one field; that of a list has the first items."""
        schema = self._operation.data["answer"].get("schema", {})
        return self._build_field(_Position("", "", "", "", schema, 0), value)

    def _build_field(self, position: _Position, value: Any) -> Field:
        self._left -= 1
        schema = None if position.schema is None else resolve_for(position.schema, self._schemas, value)
        if isinstance(value, dict | list):
            if position.depth < MAX_DEPTH:
                return self._build_container(position, schema, value)
            field = self._describe(position, schema, value, build_note("too_deep"))
            field["value"] = ELLIPSIS
            return field
        is_hidden = self.mask.hides(position.field, schema, value)
        self.has_hidden |= is_hidden
        shown, note = (MASK, None) if is_hidden else show_value(value)
        field = self._describe(position, schema, value, note)
        field["value"] = shown
        field["people"] = is_hidden or self._everyone.hides(position.field, schema, value)
        return field

    def _build_container(
        self, position: _Position, schema: JsonSchema | None, value: dict[str, Any] | list[Any]
    ) -> Field:
        items: list[Field] = []
        for child, element in islice(self._children(position, schema, value), MAX_ELEMENTS):
            if self._left <= 0:
                break
            items.append(self._build_field(child, element))
        more = len(value) - len(items)
        note = build_note("too_large") if more and len(items) < MAX_ELEMENTS else None
        if isinstance(value, dict):
            items += self._missing_fields(position, schema, value)
        field = self._describe(position, schema, value, note)
        field["items"], field["more"] = items, more
        if isinstance(value, list):
            field["count"] = len(value)
        return field

    def _children(
        self, parent: _Position, schema: JsonSchema | None, value: dict[str, Any] | list[Any]
    ) -> Iterator[tuple[_Position, Any]]:
        depth = parent.depth + 1
        if isinstance(value, list):
            items = None if schema is None else schema.get("items", {})
            documented_as = f"{parent.documented_as}[]" if parent.documented_as else ""
            for index, element in enumerate(value):
                path = f"{parent.path}[{index}]"
                yield _Position(str(index), path, parent.field, documented_as, items, depth), element
            return
        for index, (name, element) in enumerate(value.items()):
            child = describe_child(schema, name)
            is_hidden = self.mask.hides_name(name, is_key=child.is_key)
            self.has_hidden |= is_hidden
            shown = masked_name(index) if is_hidden else readable_name(name)
            yield self._position_in(parent, shown, name, child.schema), element

    def _position_in(self, parent: _Position, shown: str, name: str, schema: JsonSchema | None) -> _Position:
        path = f"{parent.path}.{shown}".removeprefix(".")
        documented_as = f"{parent.documented_as}.{shown}".removeprefix(".")
        return _Position(shown, path, name, documented_as, schema, parent.depth + 1)

    def _missing_fields(self, parent: _Position, schema: JsonSchema | None, value: dict[str, Any]) -> Iterator[Field]:
        """Yield the documented fields that the object lacks; of an item of a list, the required ones."""
        properties, required = (schema or {}).get("properties", {}), (schema or {}).get("required", ())
        for name, one in properties.items():
            if name in value or (parent.depth and name not in required):
                continue
            position = self._position_in(parent, name, name, one)
            note = None if name in required else build_note("conditional")
            field = self._describe(position, resolve(one, self._schemas), None, note)
            field["state"] = "missing"
            yield field

    def _describe(self, position: _Position, schema: JsonSchema | None, value: Any, note: Note | None) -> Field:
        return {
            "name": position.name,
            "path": position.path,
            "type": _describe_type(schema, self._operation) or type_in_words(value),
            "state": position.state,
            "documented_as": (position.documented_as or None) if schema else None,
            "meaning": (schema or {}).get("description"),
            "notes": [note] if note else [],
            "people": False,
        }


def _describe_type(schema: JsonSchema | None, operation: Operation) -> str | None:
    """Return the documented type in words, or None if it is not documented or not the same for all values."""
    kind = (schema or {}).get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    if schema is None or kind is None:
        return None
    if kind == "array":
        element = _describe_type(resolve(schema.get("items", {}), operation.schemas), operation)
        return f"list of {plural(element)}" if element and "list" not in element else "list"
    if kind == "string" and schema.get("format") in ("date", "date-time"):
        return "date"
    return _TYPES.get(kind, kind)


def _describe_drift(drift: Drift, mask: AnswerMask) -> DriftReport:
    report = describe_drift(drift)
    if not mask.reveal:
        # A value that is not documented may be anything, and so may a name that is the key of a map.
        report["new_values"] = [f"{one.partition(' ')[0]} {MASK}" for one in report["new_values"]]
        report["unknown"] = [one if _is_plain_path(one) else MASK for one in report["unknown"]]
    return report


def _is_plain_path(path: str) -> bool:
    return all(part.isidentifier() for part in path.replace("[]", "").split("."))


def _without_missing(field: Field) -> Any:
    return json_of_field(_drop_missing(field))


def _drop_missing(field: Field) -> Field:
    if "items" not in field:
        return field
    return {**field, "items": [_drop_missing(one) for one in field["items"] if one["state"] != "missing"]}
