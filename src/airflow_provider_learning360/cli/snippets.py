"""A call of an operation, ready to paste: as a command, in Python, and as a step in YAML."""

from __future__ import annotations

import json
import shlex
from textwrap import indent
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.example import example_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_learning360.api.catalogue.operation import Operation

BLUEPRINT = "learning360_operation"
WIDTH = 100  # characters of a line
NAME = 20  # of them for the name of an argument or a field


def write_command(operation: Operation) -> str:
    """
    Return the command that calls an operation.

    :param operation: The operation.
    """
    example = example_call(operation)
    options = [
        ("-p", f"{key}={text}") for key, value in example.get("parameters", {}).items() for text in _to_texts(value)
    ]
    if "body" in example:
        options.append(("--body", json.dumps(example["body"], ensure_ascii=False)))
    parts = [f"airflow learning360 call {operation.name}", *(f"{flag} {shlex.quote(value)}" for flag, value in options)]
    if "replaces" in operation.data:
        parts.append("--replace")
    line = " ".join(parts)
    return line if len(line) <= WIDTH else " \\\n  ".join(parts)


def write_python(operation: Operation) -> str:
    """
    Return the task that calls an operation, in Python.

    :param operation: The operation.
    """
    arguments = "".join(f"    {name}={_to_python(value)},\n" for name, value in _arguments(operation))
    return f'LearningOperationOperator(\n    task_id="{operation.name.replace("-", "_")}",\n{arguments})'


def write_yaml_step(operation: Operation) -> str:
    """
    Return the step that calls an operation, as a DAG file in YAML has it.

    :param operation: The operation.
    """
    import yaml

    step = {operation.name.replace("-", "_"): {"blueprint": BLUEPRINT, **dict(_arguments(operation))}}
    return "steps:\n" + indent(yaml.safe_dump(step, sort_keys=False, width=WIDTH, allow_unicode=True), "  ").rstrip()


def _arguments(operation: Operation) -> Iterator[tuple[str, Any]]:
    example = example_call(operation)
    yield "operation", operation.name
    if parameters := example.get("parameters"):
        yield "parameters", parameters
    if "body" in example:
        yield "body", example["body"]
    if "replaces" in operation.data:
        yield "replace", True


def _to_python(value: Any, level: int = 1) -> str:
    """Return a value in Python, formatted as Black does: on one line, or each part on a line of its own."""
    line = _to_line(value)
    if len(line) + 4 * level <= WIDTH - NAME or not isinstance(value, dict | list):
        return line
    inside = "    " * (level + 1)
    if isinstance(value, list):
        parts = [_to_python(one, level + 1) for one in value]
    else:
        parts = [f"{_to_line(name)}: {_to_python(one, level + 1)}" for name, one in value.items()]
    first, last = "[]" if isinstance(value, list) else "{}"
    return first + "\n" + "".join(f"{inside}{one},\n" for one in parts) + "    " * level + last


def _to_line(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_to_line, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_to_line(name)}: {_to_line(one)}" for name, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _to_texts(value: Any) -> list[str]:
    """Return a value as the command line takes it; an option for each item of a list."""
    if isinstance(value, list):
        return [text for one in value for text in _to_texts(one)]
    return [value if isinstance(value, str) else json.dumps(value)]
