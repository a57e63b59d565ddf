"""How commands write: a terminal obeys control characters, and people typed what 360Learning holds."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from airflow_provider_learning360.api.sanitizer import is_unprintable, printable

_LAYOUT = re.compile("([\n\t])")


def write(text: str, *, to_stderr: bool = False) -> None:
    r"""
    Print a text; control characters and bidi overrides are written as escapes like `\x1b`.

    :param text: The text; it may have several lines.
    :param to_stderr: Whether to print to standard error; default standard output.
    """
    shown = "".join(one if one in "\n\t" else printable(one) for one in _LAYOUT.split(text))
    print(shown, file=sys.stderr if to_stderr else sys.stdout)


def write_json(value: Any, *, indent: int | None = None) -> None:
    """
    Print a value as JSON that every terminal shows as it is.

    :param value: The value.
    :param indent: Blanks before each level; default all on one line.
    """
    write_json_text(json.dumps(value, indent=indent, ensure_ascii=False))


def write_json_text(text: str) -> None:
    r"""
    Print a JSON text; control characters and bidi overrides are written as `\u001b`, so that its value is the same.

    :param text: The text.
    """
    # JSON takes carriage returns between values; a terminal would write over the line.
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    print("".join(one if one in "\n\t" or not is_unprintable(one) else _json_escape(one) for one in text))


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1] if ord(character) != 0x7F else "\\u007f"
