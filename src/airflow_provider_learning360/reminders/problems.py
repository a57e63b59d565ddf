"""Error messages for a policy: which rule, which field, what was given, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import redact
from airflow_provider_learning360.api.input_errors import describe_problem, format_value

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

MAX_PROBLEMS = 5  # in one message

# By the name of the expected model.
_EXPECTED = {
    "Duration": "not a duration; write {days: 1}",
    "QuietHours": 'not quiet hours; write {from: "20:00", to: "08:00"}',
    "ReminderRule": "not a rule; write its fields",
}

Place = tuple[int | str, ...]


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
    message = " ".join(f"{problem}{end}" for problem, end in zip(problems, ends, strict=True))
    return message + (f" (And {len(details) - MAX_PROBLEMS} more.)" if len(details) > MAX_PROBLEMS else "")


def list_problems(error: ValidationError, models: Mapping[str, type[BaseModel]]) -> list[tuple[str, str]]:
    """
    Return the problems that pydantic found, each with its place, for a form.

    :param error: The error of pydantic.
    :param models: The model of each field that has one; under "" the model of the whole.
    :returns: Place, such as `rules.0.before`, and text of each problem.
    """
    return [(".".join(map(str, one["loc"])), _what(one, models)) for one in error.errors(include_url=False)]


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
    kind, given, place = detail["type"], detail["input"], detail["loc"]
    if kind == "value_error":
        problem = str(detail["ctx"]["error"])
        is_shown = isinstance(given, str | int | float) and place[-1:] != ("to",)
        return f"{format_value(given)}: {problem}" if is_shown else problem
    if kind in ("model_type", "model_attributes_type"):
        expected = _EXPECTED.get(_model_of(place, models).__name__, "not a mapping")
        return f"{format_value(given)} is {expected}; known are {', '.join(_fields(place, models))}"
    return describe_problem(detail, _fields(place[:-1], models))


def _fields(place: Place, models: Mapping[str, type[BaseModel]]) -> list[str]:
    """Return the names of the fields that may be at a place."""
    return [field.alias or name for name, field in _model_of(place, models).model_fields.items()]


def _model_of(place: Place, models: Mapping[str, type[BaseModel]]) -> type[BaseModel]:
    inner = [part for part in place if isinstance(part, str) and part in models]
    return models[inner[-1] if inner else ""]
