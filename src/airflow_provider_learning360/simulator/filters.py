"""The filters of API v2: ``name[operator]=value`` in the query, with both encodings of brackets and three of arrays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_NAME = re.compile(r"(\w+)\[(\w+)\](\[\d*\])?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.0{1,3})?Z)?")
_IDENTIFIER = re.compile(r"[0-9a-fA-F]{24}")
_LISTS = ("in", "nin")


@dataclass(frozen=True)
class Kind:
    """What a filter accepts.

    :param operators: the operators.
    :param read: reads one value; raises ValueError for a bad one.
    """

    operators: tuple[str, ...]
    read: Callable[[str], Any]


@dataclass(frozen=True)
class Condition:
    """One filter of a request: a name, an operator, and what to compare with."""

    name: str
    operator: str
    operand: Any

    def accepts(self, value: Any) -> bool:
        """Return whether a value meets the condition; no value is before or after no date."""
        return _OPERATORS[self.operator](value, self.operand)


def read_moment(text: object) -> float | None:
    """Return a date as seconds since 1970, or None for what is no date."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _read_date(text: str) -> float:
    moment = read_moment(text) if _DATE.fullmatch(text) else None
    if moment is None:
        raise ValueError(f"{text!r} is not a date such as 2026-06-01T08:00:00.000Z, with milliseconds set to 0")
    return moment


def _read_identifier(text: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise ValueError(f"{text!r} is not an ID of 24 hexadecimal digits")
    return text.lower()


def _read_text(text: str) -> str:
    if not text:
        raise ValueError("the value is empty")
    return text


def one_of(*choices: str, operators: tuple[str, ...] = ("eq",)) -> Kind:
    """Return the kind of filter that accepts some words only."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return Kind(operators, read)


DATE = Kind(("lt", "gte"), _read_date)
IDENTIFIER = Kind(("eq", "ne", "in", "nin"), _read_identifier)
TEXT = Kind(("eq", "ne", "in", "nin"), _read_text)

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": lambda value, operand: value is not None and value < operand,
    "gte": lambda value, operand: value is not None and value >= operand,
    "eq": lambda value, operand: bool(value == operand),
    "ne": lambda value, operand: bool(value != operand),
    "in": lambda value, operand: value in operand,
    "nin": lambda value, operand: value not in operand,
}


def read_filters(pairs: Iterable[tuple[str, str]], allowed: Mapping[str, Kind]) -> tuple[Condition, ...]:
    """Return the conditions of a query, sorted; ``next`` is left to others.

    :param pairs: the query, decoded, with repeated names.
    :param allowed: the filters of the route.
    :raises ValueError: a filter or an operator is unknown, or a value is not valid.
    """
    given: dict[tuple[str, str], list[str]] = {}
    for key, value in pairs:
        if key != "next":
            given.setdefault(_read_key(key, allowed), []).append(value)
    return tuple(_read_condition(*name, values, allowed) for name, values in sorted(given.items()))


def _read_key(key: str, allowed: Mapping[str, Kind]) -> tuple[str, str]:
    match = _NAME.fullmatch(key)
    if match is None or match[1] not in allowed:
        raise ValueError(f"unknown query parameter {key!r}; allowed: {', '.join(allowed) or 'none'}")
    name, operator, index = match.groups()
    if operator not in allowed[name].operators or (index and operator not in _LISTS):
        raise ValueError(f"unknown operator in {key!r}; allowed: {', '.join(allowed[name].operators)}")
    return name, operator


def _read_condition(name: str, operator: str, values: list[str], allowed: Mapping[str, Kind]) -> Condition:
    if operator not in _LISTS and len(values) > 1:
        raise ValueError(f"{name}[{operator}] takes one value")
    operands = [allowed[name].read(value) for value in values]
    return Condition(name, operator, frozenset(operands) if operator in _LISTS else operands[0])


def accepts_all(conditions: Iterable[Condition], values: Mapping[str, Any]) -> bool:
    """Return whether values meet all conditions."""
    return all(condition.accepts(values.get(condition.name)) for condition in conditions)
