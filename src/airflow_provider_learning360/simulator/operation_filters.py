"""The filters of a documented list, and items that meet them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.filters import (
    DATE,
    IDENTIFIER,
    TEXT,
    Condition,
    Kind,
    one_of,
    read_filters,
    read_moment,
)
from airflow_provider_learning360.simulator.sample_data import format_date
from airflow_provider_learning360.simulator.schema_samples import ID_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_learning360.simulator.documented import Documented, Schema

_HOUR = 3600


def read_conditions(operation: Documented, pairs: Iterable[tuple[str, str]]) -> tuple[Condition, ...]:
    """Return the conditions of a query.

    :param operation: the operation, which has the filters.
    :param pairs: the query, decoded.
    :raises ValueError: a parameter or an operator is unknown, or a value is not valid.
    """
    parameters = operation.parameters("query")
    plain = {one["name"]: _read_kind(one) for one in parameters if "operators" not in one}
    kinds = {one["name"]: _read_kind(one) for one in parameters if "operators" in one}
    filters = []
    for name, value in pairs:
        if name in plain:
            plain[name].read(value)
        else:
            filters.append((name, value))
    return read_filters(filters, kinds)


def _read_kind(parameter: Mapping[str, Any]) -> Kind:
    schema, operators = parameter["schema"], tuple(parameter.get("operators", ()))
    if "enum" in schema:
        return one_of(*schema["enum"], operators=operators)
    if schema.get("type") == "boolean":
        read_word = one_of("true", "false").read
        return Kind(operators, lambda text: read_word(text) == "true")
    if schema.get("pattern") == ID_PATTERN:
        return Kind(operators, IDENTIFIER.read)
    return Kind(operators, DATE.read if schema.get("format") == "date-time" else TEXT.read)


def count_items(conditions: Sequence[Condition], usual: int) -> int:
    """Return how many items a list has: at least one for each value that a filter names."""
    return max([usual, *(len(one.operand) for one in conditions if one.operator == "in")])


def fit_item(item: Any, schema: Schema, conditions: Sequence[Condition], place: int) -> bool:
    """Change the fields of a sample item until it meets the conditions; return whether it does.

    A filter that has no field in the item changes nothing.

    :param item: the item.
    :param schema: its schema, without references.
    :param conditions: the conditions.
    :param place: its place in the list.
    """
    known = [one for one in conditions if isinstance(item, dict) and one.name in item]
    for condition in known:
        if not _meets(condition, item[condition.name]):
            item[condition.name] = _choose(condition, item[condition.name], schema["properties"][condition.name], place)
    return all(_meets(one, item[one.name]) for one in known)


def _meets(condition: Condition, value: Any) -> bool:
    if condition.operator in ("gte", "lt"):
        return condition.accepts(read_moment(value))
    if isinstance(value, list):
        return any(condition.accepts(one) for one in value)
    return condition.accepts(value)


def _choose(condition: Condition, value: Any, schema: Schema, place: int) -> Any:
    """Return a value that meets a condition, if there is one."""
    operand = condition.operand
    match condition.operator:
        case "eq":
            chosen = operand
        case "in":
            chosen = sorted(operand)[place % len(operand)]
        case "gte":
            return _format(operand + (place + 1) * _HOUR)
        case "lt":
            return _format(operand - (place + 1) * _HOUR)
        case _:
            return next((one for one in schema.get("enum", ()) if condition.accepts(one)), value)
    return [chosen] if isinstance(value, list) else chosen


def _format(moment: float) -> str:
    return format_date(datetime.fromtimestamp(moment, UTC))
