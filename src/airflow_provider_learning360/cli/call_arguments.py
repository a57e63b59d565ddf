"""The arguments of `call`: parameters and a body, as a person types them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.catalogue.differences import resolve
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.input_errors import format_value
from airflow_provider_learning360.yaml_loader import MAX_BYTES, YamlError, load_json_or_yaml, read_yaml_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_learning360.api.catalogue.operation import JsonSchema, Operation

STDIN = "-"
_TYPED = ("boolean", "integer", "number")


def parse_parameters(operation: Operation, texts: Sequence[str]) -> dict[str, Any]:
    """
    Return the parameters that a command line gives, each with the type that the operation takes.

    :param operation: The operation.
    :param texts: The values of `-p`, such as `pathId=...`. A list is given item by item, or as JSON.
    :raises FixArgumentError: A text has no `=`, or a parameter that takes one value is given twice.
    """
    schemas = {key: resolve(one.schema_of(key), operation.schemas) for key, one in operation.keys}
    parameters: dict[str, Any] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            raise FixArgumentError(f"-p: {format_value(text)} has no value. Write KEY=VALUE.")
        schema = schemas.get(key, {})
        if schema.get("type") == "array":
            parameters[key] = [*parameters.get(key, ()), *_parse_items(value, schema)]
        elif key in parameters:
            raise FixArgumentError(f"-p: {format_value(key)} is given twice, and takes one value. Remove one of them.")
        else:
            parameters[key] = _parse_value(value, schema)
    return parameters


def read_body(given: str | None) -> Any:
    """
    Return the body that a command line gives.

    :param given: The value of `--body`: JSON or YAML, `@` with the path of a file, or `-` for standard input.
    :returns: The body; None if none is given.
    :raises FixArgumentError: It cannot be read, or is neither JSON nor YAML.
    """
    if given is None:
        return None
    try:
        body = load_json_or_yaml(_read_text(given))
    except OSError as error:
        problem = f"{given[1:]} cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        problem = "it is not in UTF-8"
    except YamlError as error:
        problem = str(error)
    else:
        if isinstance(body, str) and _is_file(given):
            problem = f"{given} is the name of a file. Write --body @{given}"
        else:
            return body
    raise FixArgumentError(f"--body: {problem}.")


def _read_text(given: str) -> str:
    if given == STDIN:
        content = sys.stdin.buffer.read(MAX_BYTES + 1)
        # The loader refuses a text that is too long. It may end in the middle of a character.
        return content.decode("utf-8", "replace" if len(content) > MAX_BYTES else "strict")
    return read_yaml_file(given[1:]) if given.startswith("@") else given


def _is_file(given: str) -> bool:
    try:
        return Path(given).is_file()
    except (OSError, ValueError):  # too long, or with a character that no path has
        return False


def _parse_items(text: str, schema: JsonSchema) -> list[Any]:
    if text.lstrip().startswith("["):
        try:
            items = json.loads(text)
        except (ValueError, RecursionError):
            items = None
        if isinstance(items, list):
            return items
    return [_parse_value(text, schema.get("items", {}))]


def _parse_value(text: str, schema: JsonSchema) -> Any:
    """Return a text as the type of its schema; unchanged if it is of another type, which the check reports."""
    if schema.get("type") not in _TYPED:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
