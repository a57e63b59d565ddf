"""Whether the names in a path are fields of the documented answer: a path with a misspelt name would find nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from jsonpath.filter import RelativeFilterQuery, walk
from jsonpath.segments import JSONPathRecursiveDescentSegment
from jsonpath.selectors import Filter, IndexSelector, NameSelector, SliceSelector

from airflow_provider_learning360.api.catalogue.differences import resolve
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.input_errors import end_sentence, format_value, list_known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_learning360.api.catalogue.json_path import AnswerPath
    from airflow_provider_learning360.api.catalogue.operation import JsonSchema, Operation


def check_names(path: AnswerPath, operation: Operation) -> None:
    """
    Check the names in a path, also those in its filters, as far as the answer is documented.

    :param path: The path.
    :param operation: The operation whose answer it searches.
    :raises FixArgumentError: The answer has no such field, or is a list where the path expects an object.
    """
    schema = operation.data["answer"].get("schema")
    if schema is not None:
        _Check(path, operation).follow(path.segments, schema)


class _Check:
    """The check of one path."""

    def __init__(self, path: AnswerPath, operation: Operation) -> None:
        self._path, self._operation = path, operation

    def follow(self, segments: Iterable[Any], schema: JsonSchema) -> None:
        """Check segments from an object or list on; what is not documented ends the check."""
        here: JsonSchema | None = schema
        for segment in segments:
            if here is None or isinstance(segment, JSONPathRecursiveDescentSegment):
                return
            below = [self._step(one, resolve(here, self._operation.schemas)) for one in segment.selectors]
            here = below[0] if len(below) == 1 else None

    def _step(self, selector: Any, schema: JsonSchema) -> JsonSchema | None:
        """Return the schema of what a selector finds; None if it is not documented."""
        items: JsonSchema | None = schema.get("items") if _is_only(schema, "array") else None
        if isinstance(selector, NameSelector):
            return self._find_field(selector.name, schema)
        if isinstance(selector, IndexSelector | SliceSelector) and _is_only(schema, "object"):
            self._refuse("an object has no numbered items; write the name of a field")
        if isinstance(selector, Filter) and items is not None:
            for one in walk(selector.expression):
                if isinstance(one, RelativeFilterQuery):
                    self.follow(one.path.segments, items)
        return items

    def _find_field(self, name: str, schema: JsonSchema) -> JsonSchema | None:
        if _is_only(schema, "array"):
            self._refuse(f"a list has no field {name}; write $[*].{name} for all items, or $[0].{name} for the first")
        fields = self._fields(schema)
        if fields and name not in fields:
            self._refuse(f"there is no field {format_value(name)}; known are {list_known(name, fields)}")
        return fields.get(name) if fields else None

    def _fields(self, schema: JsonSchema) -> dict[str, JsonSchema] | None:
        """Return the fields of an object, or of all shapes that it may have; None if it may have others."""
        shape = resolve(schema, self._operation.schemas)
        fields = dict(shape.get("properties", {}))
        for one in shape.get("anyOf", ()):
            more = self._fields(one)
            if more is None:
                if resolve(one, self._operation.schemas).get("type") == "null":
                    continue
                return None
            fields |= more
        return None if shape.get("additionalProperties") or not fields else fields

    def _refuse(self, problem: str) -> NoReturn:
        text = f"{self._path.argument}: {self._path} does not fit the answer of {self._operation.name}: {problem}"
        raise FixArgumentError(end_sentence(text))


def _is_only(schema: JsonSchema, kind: str) -> bool:
    """Whether a value is of one type, or null."""
    given = schema.get("type")
    return given == kind or (isinstance(given, list) and set(given) == {kind, "null"})
