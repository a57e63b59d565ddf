"""Where a policy comes from: a mapping, a text in YAML or JSON, or a file with one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.yaml_loader import YamlError, load_json_or_yaml, read_yaml_file

if TYPE_CHECKING:
    from os import PathLike

_BOM = "\ufeff"  # some editors begin a file with it


def read_source(source: Mapping[str, Any] | str | PathLike[str]) -> tuple[Mapping[str, Any], str]:
    """
    Return the mapping that a source holds, and how to name the source in messages.

    :param source: A mapping, a text in YAML or JSON, or the path of a file with one. A text of one line that does not
        begin with `{` is a path.
    :raises FixArgumentError: It cannot be read, or holds no mapping.
    """
    if isinstance(source, Mapping):
        return source, _label(source)
    if isinstance(source, str) and ("\n" in source or source.lstrip(f"{_BOM} ").startswith("{")):
        data, label = _parsed(source, "Reminder policy"), None
    else:
        path = _path_of(source)
        label = f"Reminder policy {path}"
        data = _parsed(_text_of(path), label)
    if not isinstance(data, Mapping):
        raise FixArgumentError(
            f"{label or 'Reminder policy'}: it holds no policy. Write fields with `name` and `rules` first."
        )
    return data, label or _label(data)


def _label(data: Mapping[str, Any]) -> str:
    return f"Reminder policy {data['name']!r}" if isinstance(data.get("name"), str) else "Reminder policy"


def _path_of(source: Any) -> Path:
    try:
        return Path(source)
    except TypeError:
        pass
    raise FixArgumentError(
        f"Reminder policy: a value of type {type(source).__name__} is no policy. Give a mapping, a text in YAML or "
        "JSON, or the path of a file."
    )


def _text_of(path: Path) -> str:
    try:
        return read_yaml_file(path)
    except OSError as error:
        problem = error.strerror or "it cannot be read"
    except UnicodeDecodeError:
        problem = "it is no text in UTF-8"
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
