"""Print the answer of an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.cli.output import write, write_json, write_rows, write_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping


def write_field(value: Any, field: str) -> None:
    """
    Print one field of an answer: of a list, that of each item on a line.

    :param value: The answer.
    :param field: Name of the field.
    :raises FixArgumentError: The answer is an object without this field.
    """
    if isinstance(value, list):
        for one in value:
            _write_value(one.get(field) if isinstance(one, dict) else None)
    elif isinstance(value, dict) and field in value:
        _write_value(value[field])
    else:
        raise FixArgumentError(f"This answer has no {field}: 360Learning did not send it. The field may be optional.")


def write_answer(value: Any, output: str) -> None:
    """
    Print an answer.

    :param value: The answer, as plain JSON.
    :param output: `json`, `yaml` or `table`. A table of a list has a column for each field that is neither a list nor
        an object; that of an object has a row for each field.
    """
    if output == "json":
        write_json(value, indent=2)
    elif output == "yaml":
        write_yaml(value)
    elif isinstance(value, dict):
        write_rows([{"field": name, "value": one} for name, one in value.items()], output)
    else:
        write_rows(_build_rows(value if isinstance(value, list) else [value]), output)


def _build_rows(items: list[Any]) -> list[Mapping[str, Any]]:
    objects = [one if isinstance(one, dict) else {"value": one} for one in items]
    # Items lack optional fields; each row needs all columns.
    columns = dict.fromkeys(
        name for one in objects for name, value in one.items() if not isinstance(value, list | dict)
    )
    return [{name: _cell(one.get(name)) for name in columns} for one in objects]


def _cell(value: Any) -> Any:
    return None if isinstance(value, list | dict) else value


def _write_value(value: Any) -> None:
    if isinstance(value, str):
        write(value)
    else:
        write_json(value)
