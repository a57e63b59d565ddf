"""
What earlier steps returned, in the texts of a later step.

`steps.late.count` counts what the step `late` returned; `item.name` is a field of the item that a task is about.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, tzinfo
from functools import total_ordering
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow.providers.common.compat.sdk import BaseOperator, Context

# A text that is one reference: it gives the value itself, such as a list, and not its text.
_REFERENCE = re.compile(r"\s*\{\{-?\s*(steps|item)((?:\.\w+|\[\d+\])*)\s*-?\}\}\s*")
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_PART = re.compile(r"\w+")
_STEP = re.compile(r"""(?<![\w.])steps(?:\.(\w+)|\[\s*['"]([^'"]+)['"])""")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
COUNT = "count"
log = logging.getLogger(__name__)


@total_ordering
class StepValue:
    """
    A value of an earlier step, as a template sees it: texts, fields and items, and no methods.

    A field that is missing is empty, and the log says so where it is written. A field of a list is the list of that
    field of each item.

    :param value: The value, of plain JSON.
    :param zone: Time zone in which times are written.
    :param path: What the template names, for the log; default nothing, and no line in the log.
    """

    def __init__(self, value: Any, zone: tzinfo, path: str = "") -> None:
        self._value = value
        self._zone = zone
        self._path = path

    def __getattr__(self, name: str) -> StepValue:
        if name.startswith("_"):  # Jinja and Python ask for these themselves
            raise AttributeError(name)
        return self._find(name)

    def __getitem__(self, key: Any) -> StepValue:
        return self._find(str(key))

    def _find(self, name: str) -> StepValue:
        path = self._path and self._path + (f"[{name}]" if name.isdigit() else f".{name}")
        return StepValue(find_part(self._value, name), self._zone, path)

    def __iter__(self) -> Iterator[StepValue]:
        values = self._value if isinstance(self._value, list | dict) else []
        return (StepValue(one, self._zone) for one in values)

    def __len__(self) -> int:
        return len(self._value) if isinstance(self._value, str) else _count(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    # A condition such as `item.status == 'late'` would be false without these, and nobody would know why.
    def __eq__(self, other: object) -> bool:
        return bool(self._value == _unwrap(other))

    def __lt__(self, other: object) -> bool:
        return bool(self._value < _unwrap(other))

    def __contains__(self, other: object) -> bool:
        return isinstance(self._value, str | list | dict) and _unwrap(other) in self._value

    def __int__(self) -> int:
        return int(self._value)

    def __float__(self) -> float:
        return float(self._value)

    __hash__ = None  # type: ignore[assignment] # the value may be a list

    def __str__(self) -> str:
        return format_value(self.value, self._zone)

    @property
    def value(self) -> Any:
        """The value itself, to be written."""
        if self._path and is_missing(self._value):
            log.warning("%s is empty: what the step returned has no such field, or no value in it.", self._path)
        return self._value


class StepOutputs:
    """
    What the earlier steps of a DAG returned, by name.

    :param task: The task of the later step.
    :param context: Airflow's task context.
    :param zone: Time zone in which times are written; default UTC.
    """

    def __init__(self, task: BaseOperator, context: Context, zone: tzinfo = UTC) -> None:
        self._task, self._context, self._zone = task, context, zone
        self._read: dict[str, StepValue] = {}

    def __getattr__(self, name: str) -> StepValue:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._read:
            task = find_step_task(self._task.dag, name)
            value = None if task is None else _read_output(task, self._context)
            self._read[name] = StepValue(value, self._zone, f"steps.{name}")
        return self._read[name]


def find_step_task(dag: Any, step: str) -> Any:
    """
    Return the task whose output is that of a step: its only task, or the last one of its group; None if there is none.

    :param dag: The DAG.
    :param step: Name of the step.
    """
    known = dag.task_dict
    if step in known:
        return known[step]
    inside = {name: one for name, one in known.items() if name.startswith(f"{step}.")}
    return next((one for one in inside.values() if not one.downstream_task_ids & inside.keys()), None)


def find_step_names(value: Any) -> list[str]:
    """
    Return the names of the steps to which the texts of a value refer.

    :param value: A text, or a list or mapping with texts.
    """
    if isinstance(value, str):
        return [one[1] or one[2] for text in _EXPRESSION.findall(value) for one in _STEP.finditer(text)]
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return list(dict.fromkeys(name for one in values for name in find_step_names(one)))


def resolve_reference(text: str, names: Mapping[str, Any]) -> Any:
    """
    Return the value of a text that is one reference to an earlier step, such as a list; else the text itself.

    :param text: The text.
    :param names: `steps` and `item`.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None or found[1] not in names:
        return text
    value = names[found[1]]
    for part in _PART.findall(found[2]):
        value = getattr(value, part) if isinstance(value, StepOutputs) else value[part]
    return value.value if isinstance(value, StepValue) else text


def find_part(value: Any, name: str) -> Any:
    """
    Return a field of an object, an item of a list, the number of items (`count`), or a field of each item.

    :param value: The value.
    :param name: Name of the field, or number of the item, from 0.
    """
    if isinstance(value, dict):
        return value[name] if name in value else len(value) if name == COUNT else None
    if isinstance(value, list):
        if name.isdigit():
            return value[int(name)] if int(name) < len(value) else None
        return _count(value) if name == COUNT else [find_part(one, name) for one in flatten(value)]
    return None


def is_missing(value: Any) -> bool:
    """
    Whether a value is missing, or is missing in every item of a list.

    :param value: The value, of plain JSON.
    """
    return value is None or (isinstance(value, list) and bool(value) and all(one is None for one in value))


def flatten(values: Any) -> list[Any]:
    """
    Return the items of a list, and of the lists in it: a step that runs for each session returns a list of lists.

    :param values: The list; another value is its only item, and None none.
    """
    if not isinstance(values, list | tuple):
        return [] if values is None else [values]
    return [item for one in values for item in flatten(one)]


def format_value(value: Any, zone: tzinfo) -> str:
    """
    Return a value as people read it.

    :param value: The value, of plain JSON.
    :param zone: Time zone in which times are written.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return _format_moment(value, zone) if _MOMENT.fullmatch(value) else " ".join(value.split())
    if isinstance(value, list):
        return ", ".join(format_value(one, zone) for one in flatten(value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {format_value(one, zone)}" for name, one in value.items())
    return str(value)


def _unwrap(value: object) -> Any:
    return value.value if isinstance(value, StepValue) else value


def _count(value: Any) -> int:
    return len(flatten(value)) if isinstance(value, list) else len(value) if isinstance(value, dict) else 0


def _format_moment(text: str, zone: tzinfo) -> str:
    try:
        return f"{datetime.fromisoformat(text).astimezone(zone):%Y-%m-%d %H:%M} ({zone})"
    except (ValueError, OverflowError):
        return text


def _read_output(task: Any, context: Context) -> Any:
    value = task.output.resolve(context)
    if value is None or isinstance(value, str | int | float | bool | dict | list):
        return value
    # A mapped task gives a sequence, which logs an error if it is iterated to its end.
    return [value[number] for number in range(len(value))]
