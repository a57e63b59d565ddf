"""Lists that people write, and lists that arrive as one text from a template."""

from __future__ import annotations

import json
import re
from ast import literal_eval
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_learning360.api.errors import FixArgumentError

_SEPARATORS = re.compile(r"[\s,;]+")


def read_items(value: Any, argument: str) -> list[Any]:
    """
    Return the items of a list.

    :param value: A list; one item; or a text: JSON, what Jinja writes for a list, or items separated by commas,
        semicolons or blanks. None for no items.
    :param argument: Name of the argument, for the error.
    :returns: The items.
    :raises FixArgumentError: The value has another type.
    """
    if value is None:
        return []
    if isinstance(value, str):
        return _read_text(value.strip(), argument)
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return list(value)
    raise FixArgumentError(f"{argument}: a value of type {type(value).__name__} is not a list; write [one, another].")


def _read_text(text: str, argument: str) -> list[Any]:
    if not text.startswith(("[", "{")):
        return [one for one in _SEPARATORS.split(text) if one]
    for parse in (json.loads, literal_eval):
        try:
            return read_items(parse(text), argument)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    # Without the text: it may hold mail addresses.
    raise FixArgumentError(f"{argument}: the text that begins with {text[0]} is neither JSON nor a list of Python.")
