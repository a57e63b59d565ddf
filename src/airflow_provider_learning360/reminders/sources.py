"""Sources of a policy: a mapping, a text in YAML or JSON, or a file with such a text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.yaml_loader import YamlError, load_json_or_yaml, read_yaml_file

if TYPE_CHECKING:
    from os import PathLike

_BOM = "\ufeff"  # some editors write it at the beginning of a file


def read_source(source: Mapping[str, Any] | str | PathLike[str]) -> tuple[Mapping[str, Any], str]:
    """
    Return the mapping in a source, and the name of the source for messages.

    :param source: A mapping, a text in YAML or JSON, or the path of a file with such a text. A text of one line that
        does not begin with `{` is a path.
    :raises FixArgumentError: The source cannot be read, or is not a mapping.
    """
    if isinstance(source, Mapping):
        return source, _label(source)
    if isinstance(source, str) and ("\n" in source or source.lstrip(f"{_BOM} ").startswith("{")):
        data, label = _parsed(source, "Reminder policy"), None
    else:
        path = _find_path(source)
        label = f"Reminder policy {path}"
        data = _parsed(_read_text(path), label)
    if not isinstance(data, Mapping):
        raise FixArgumentError(
            f"{label or 'Reminder policy'}: it is not a policy. A policy is a mapping with `name` and `rules`."
        )
    return data, label or _label(data)


def _label(data: Mapping[str, Any]) -> str:
    return f"Reminder policy {data['name']!r}" if isinstance(data.get("name"), str) else "Reminder policy"


def _find_path(source: Any) -> Path:
    try:
        return Path(source)
    except TypeError:
        pass
    raise FixArgumentError(
        f"Reminder policy: a value of type {type(source).__name__} is not a policy. Give a mapping, a text in YAML or "
        "JSON, or the path of a file."
    )


def _read_text(path: Path) -> str:
    try:
        return read_yaml_file(path)
    except OSError as error:
        problem = error.strerror or "it cannot be read"
    except UnicodeDecodeError:
        problem = "it is not text in UTF-8"
    except ValueError as error:  # YamlError; or a path with NUL in it
        problem = str(error)
    raise FixArgumentError(f"Reminder policy {path} cannot be read: {problem}. Give the path of a YAML or JSON file.")


def _parsed(text: str, label: str) -> Any:
    text = text.removeprefix(_BOM)
    try:
        return load_json_or_yaml(text)
    except YamlError as error:
        problem = redact(str(error))
    raise FixArgumentError(f"{label} is neither YAML nor JSON: {problem}.")
