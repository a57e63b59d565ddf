"""How a catalogue file is written: JSON with one thing a line where it fits, so that a person can read and mend it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_learning360.api.catalogue.operation import CatalogueData

WIDTH = 120  # characters of a line


def format_catalogue(data: CatalogueData) -> str:
    """
    Return a catalogue as the text of its file.

    :param data: The catalogue.
    """
    return _format(data, "", 0) + "\n"


def _format(value: Any, indent: str, used: int) -> str:
    """Return a value on one line if it fits beside what is on the line already, and else with one item a line."""
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(indent) + used + len(short) < WIDTH:
        return short
    inner = indent + "  "
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + _format(one, inner, 1) for one in value) + f"\n{indent}]"
    lines = (f"{inner}{json.dumps(name)}: {_format(one, inner, len(name) + 5)}" for name, one in value.items())
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
