"""Where a policy comes from: a mapping, a text in YAML or JSON, or a file with one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from airflow_provider_learning360.api.errors import FixArgumentError, redact

if TYPE_CHECKING:
    from os import PathLike

_REWRITTEN = frozenset(f"tag:yaml.org,2002:{one}" for one in ("bool", "int", "timestamp"))


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc] # PyYAML is not typed
    """Reads YAML as its users do: `on` is a word, 20:00 is a text, and a key that is there twice is an error."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - a class attribute of PyYAML
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REWRITTEN]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key.value, str) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} is there twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))


def read_source(source: Mapping[str, Any] | str | PathLike[str]) -> tuple[Mapping[str, Any], str]:
    """
    Return the mapping that a source holds, and how to name the source in messages.

    :param source: A mapping, a text in YAML or JSON, or the path of a file with one. A text of one line that does not
        begin with `{` is a path.
    :raises FixArgumentError: It cannot be read, or holds no mapping.
    """
    if isinstance(source, Mapping):
        return source, _label(source)
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{")):
        data, label = _parsed(source, "Reminder policy"), None
    else:
        label = f"Reminder policy {Path(source)}"
        data = _parsed(_text_of(Path(source)), label)
    if not isinstance(data, Mapping):
        raise FixArgumentError(
            f"{label or 'Reminder policy'}: it holds no policy. Write fields with `name` and `rules` first."
        )
    return data, label or _label(data)


def _label(data: Mapping[str, Any]) -> str:
    return f"Reminder policy {data['name']!r}" if isinstance(data.get("name"), str) else "Reminder policy"


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        problem = error.strerror or "it cannot be read"
    except ValueError:
        problem = "it is no text in UTF-8"
    raise FixArgumentError(f"Reminder policy {path} cannot be read: {problem}. Give the path of a YAML or JSON file.")


def _parsed(text: str, label: str) -> Any:
    try:
        return json.loads(text)  # JSON may be indented with tabs, which YAML refuses
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - derived from the safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = redact(f"{place}{error.problem}")
    except (yaml.YAMLError, RecursionError, ValueError):
        problem = "it holds signs that are not allowed"
    raise FixArgumentError(f"{label} is neither YAML nor JSON: {problem}.")
