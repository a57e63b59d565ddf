"""The sample answers of documented operations: they repeat what the request says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.operation_bodies import fits
from airflow_provider_learning360.simulator.operation_filters import count_items, fit_item
from airflow_provider_learning360.simulator.schema_samples import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from airflow_provider_learning360.simulator.documented import Documented, Match, Schema
    from airflow_provider_learning360.simulator.filters import Condition
    from airflow_provider_learning360.simulator.pages import Position

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\nxref\n0 4\n0000000000 65535 f \n"
    b"0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \ntrailer<</Size 4/Root 1 0 R>>\n"
    b"startxref\n164\n%%EOF\n"
)
"""A PDF with one empty page."""

_USUAL_ITEMS = 3
_PLAIN_ITEM = "itemIds"  # the texts of a list are IDs


def make_items(
    match: Match, today: date, conditions: Sequence[Condition], after: Position | None
) -> Iterator[tuple[Position, Any]]:
    """Yield the items of a list after a position.

    :param match: the operation, and the values in the path of the request.
    :param today: the day around which dates are.
    :param conditions: the filters; the items meet them.
    :param after: the position of the last item of the page before; None for none.
    """
    operation = match.operation
    schema = (operation.answer or {})["items"]
    sampler, resolved = Sampler(operation, today), operation.resolve(schema)
    first = 0 if after is None else after[0] + 1
    for place in range(first, count_items(conditions, _USUAL_ITEMS)):
        item = sampler.make(schema, f"{_seed(match)} {place}", _PLAIN_ITEM)
        _repeat_ids(item, match, is_whole=False)
        if fit_item(item, resolved, conditions, place):
            yield (place,), item


def make_answer(match: Match, today: date, body: Any, number: int) -> Any:
    """Return the answer of an operation that is not a list to be read.

    :param match: the operation, and the values in the path of the request.
    :param today: the day around which dates are.
    :param body: the body of the request; None for none.
    :param number: how often the operation was called before: what it creates has another ID each time.
    """
    operation = match.operation
    schema = operation.answer or {}
    seed = f"{_seed(match)} new {number}" if _is_new(operation) else _seed(match)
    answer = Sampler(operation, today).make(schema, seed)
    resolved = operation.resolve(schema)
    if isinstance(answer, list):
        return _repeat_list(operation, resolved, answer, body)
    _repeat_ids(answer, match, is_whole=not _is_new(operation))
    return _repeat_fields(operation, resolved, answer, body)


def _seed(match: Match) -> str:
    return f"{match.operation.data['topic']} {match.operation.path} {sorted(match.values.items())}"


def _is_new(operation: Documented) -> bool:
    """Return whether an operation creates what it returns. An upload returns the object that got the file."""
    return operation.method == "POST" and not operation.path.endswith("/media")


def _repeat_ids(value: Any, match: Match, is_whole: bool) -> None:
    """Put the IDs of the path where the object has them; the last one is that of the object itself, if it is whole."""
    if not isinstance(value, dict):
        return
    value.update({name: one for name, one in match.values.items() if name in value})
    if is_whole and "_id" in value and match.values:
        value["_id"] = list(match.values.values())[-1]


def _repeat_list(operation: Documented, schema: Schema, sample: list[Any], body: Any) -> list[Any]:
    """Return the list that a body gives, as far as the answer can hold its items; else the sample."""
    lists = [one for one in (body.values() if isinstance(body, dict) else [body]) if isinstance(one, list)]
    if len(lists) != 1 or not sample:
        return sample
    items = schema["items"]
    if not isinstance(sample[0], dict):
        return lists[0] if fits(operation, schema, lists[0]) else sample
    resolved = operation.resolve(items)
    return [_repeat_fields(operation, resolved, dict(sample[0]), one) for one in lists[0]]


def _repeat_fields(operation: Documented, schema: Schema, value: Any, body: Any) -> Any:
    """Put the fields of a body into an object, as far as the object can hold them. Null removes an optional field."""
    properties = schema.get("properties", {})
    if not isinstance(value, dict) or not isinstance(body, dict):
        return value
    for name, one in body.items():
        if name in properties and fits(operation, properties[name], one):
            value[name] = one
        elif one is None and name not in schema.get("required", ()):
            value.pop(name, None)
    return value
