"""Error messages for a policy: which rule, which field, what was given, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import redact

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

MAX_PROBLEMS = 5  # in one message

_TYPES = {
    "string_type": "not a text; put it in quotes",
    "string_unicode": "not a text that can be stored",
    "tuple_type": "not a list",
    "bool_type": "neither true nor false",
    "bool_parsing": "neither true nor false",
    "int_type": "not a whole number",
    "int_parsing": "not a whole number",
    "int_from_float": "not a whole number",
    "finite_number": "not a whole number",
}
# By the name of the expected model.
_EXPECTED = {
    "Duration": "not a duration; write {days: 1}",
    "QuietHours": 'not quiet hours; write {from: "20:00", to: "08:00"}',
    "ReminderRule": "not a rule; write its fields",
}

Place = tuple[int | str, ...]


def did_you_mean(given: Any, known: Iterable[str]) -> str:
    """
    Return a question with the closest of the known words, or nothing.

    :param given: What was given.
    :param known: The known words.
    """
    close = get_close_matches(given, list(known), 1) if isinstance(given, str) else []
    return f"; did you mean {close[0]}?" if close else ""


def problems_of(error: ValidationError, data: Mapping[str, Any], models: Mapping[str, type[BaseModel]]) -> str:
    """
    Return the problems that pydantic found, as sentences.

    :param error: The error of pydantic.
    :param data: The data that it validated.
    :param models: The model of each field that has one; under "" the model of the whole.
    """
    details = error.errors(include_url=False)
    problems = [f"{_where(one['loc'], data)}{_what(one, models)}".rstrip(".?") for one in details[:MAX_PROBLEMS]]
    ends = ["?" if "did you mean" in one else "." for one in problems]
    told = " ".join(f"{problem}{end}" for problem, end in zip(problems, ends, strict=True))
    return told + (f" (And {len(details) - MAX_PROBLEMS} more.)" if len(details) > MAX_PROBLEMS else "")


def _where(place: Place, data: Mapping[str, Any]) -> str:
    """Return rule and field as the author names them."""
    rule = ""
    if len(place) > 1 and place[0] == "rules" and isinstance(place[1], int):
        rule, place = f"rule {_name_of(data['rules'][place[1]], place[1])}: ", place[2:]
    path = ".".join(part for part in place if isinstance(part, str))
    return rule + (f"{redact(path)}: " if path else "")


def _name_of(rule: Any, place: int) -> str:
    name = rule.get("name") if isinstance(rule, Mapping) else None
    return redact(repr(name)) if isinstance(name, str) and name else f"number {place + 1}"


def _what(detail: Any, models: Mapping[str, type[BaseModel]]) -> str:
    """Return one problem: what was given, what may be, what was probably meant."""
    kind, given = detail["type"], _shown(detail["input"])
    if kind == "missing":
        return "it is missing"
    if kind == "extra_forbidden":
        known = _fields(detail["loc"][:-1], models)
        return f"there is no such field; known are {', '.join(known)}{did_you_mean(detail['loc'][-1], known)}"
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        return f"{given} is not one of {', '.join(allowed)}{did_you_mean(detail['input'], allowed)}"
    if kind == "value_error":
        told = str(detail["ctx"]["error"])
        is_shown = isinstance(detail["input"], str | int | float) and detail["loc"][-1:] != ("to",)
        return f"{given}: {told}" if is_shown else told
    if kind in ("model_type", "model_attributes_type"):
        expected = _EXPECTED.get(_model_of(detail["loc"], models).__name__, "not a mapping")
        return f"{given} is {expected}; known are {', '.join(_fields(detail['loc'], models))}"
    if kind in _TYPES:
        return f"{given} is {_TYPES[kind]}"
    said = detail["msg"][:1].lower() + detail["msg"][1:]
    return f"{said}; {given} was given"


def _shown(given: Any) -> str:
    try:
        text = repr(given)
    except Exception:  # noqa: BLE001 - of any class; Python also writes no integer of more than 4,300 digits
        text = f"a value of type {type(given).__name__}"
    # An address may be in the wrong place.
    return "an address" if "@" in text else redact(text)


def _fields(place: Place, models: Mapping[str, type[BaseModel]]) -> list[str]:
    """Return the names of the fields that may be at a place."""
    return [field.alias or name for name, field in _model_of(place, models).model_fields.items()]


def _model_of(place: Place, models: Mapping[str, type[BaseModel]]) -> type[BaseModel]:
    inner = [part for part in place if isinstance(part, str) and part in models]
    return models[inner[-1] if inner else ""]
