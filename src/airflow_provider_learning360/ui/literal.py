"""Values as source: literals of Python, and blocks of YAML as blueprint and dag-factory read it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.sanitizer import sanitize

if TYPE_CHECKING:
    from airflow_provider_learning360.ui.responses import DialectName

WIDTH = 100  # characters of a value on one line

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Words that YAML takes for a boolean or null.
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_PYTHON_WORDS = {None: "None", True: "True", False: "False"}


def quote(text: str) -> str:
    """
    Return a text as a literal that Python and YAML read alike, on one line.

    :param text: The text.
    """
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(one if one.isprintable() else _escape(one) for one in quoted)


def write_argument(name: str, value: Any, dialect: DialectName, indent: str) -> str:
    """
    Return the lines of one argument of a task, with a line break at the end.

    :param name: Name of the argument.
    :param value: Its value, of plain JSON.
    :param dialect: The dialect.
    :param indent: Blanks before it.
    """
    value = sanitize(value)
    if dialect == "python":
        return f"{indent}{name}={_write_python(value, indent, len(name) + 2)},\n"
    text = f"{indent}{name}:{_write_yaml(value, indent + '  ')}\n"
    # dag-factory replaces $NAME by an environment variable, wherever it stands.
    return text.replace("$", r"\x24") if dialect == "dag_factory" else text


def _write_python(value: Any, indent: str, used: int) -> str:
    short = _write_python_short(value)
    if len(indent) + used + len(short) <= WIDTH or not isinstance(value, dict | list) or not value:
        return short
    inner = indent + "    "
    if isinstance(value, list):
        items = "".join(f"{inner}{_write_python(one, inner, 1)},\n" for one in value)
        return f"[\n{items}{indent}]"
    pairs = ((quote(name), one) for name, one in value.items())
    items = "".join(f"{inner}{name}: {_write_python(one, inner, len(name) + 3)},\n" for name, one in pairs)
    return f"{{\n{items}{indent}}}"


def _write_python_short(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quote(name)}: {_write_python_short(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_write_python_short, value)) + "]"
    if value is None or isinstance(value, bool):
        return _PYTHON_WORDS[value]
    return quote(value) if isinstance(value, str) else repr(value)


def _write_yaml(value: Any, indent: str) -> str:
    """Return a value as it stands after a key: a blank and a scalar, or lines of their own."""
    if isinstance(value, dict) and value:
        return "".join(f"\n{indent}{_write_key(name)}:{_write_yaml(one, indent + '  ')}" for name, one in value.items())
    if isinstance(value, list) and value:
        flow = _write_flow(value)
        if flow is not None and len(indent) + len(flow) <= WIDTH:
            return f" {flow}"
        return "".join(f"\n{indent}-{_write_item(one, indent + '  ')}" for one in value)
    return f" {_write_scalar(value)}"


def _write_item(value: Any, indent: str) -> str:
    """Return an item of a list: a mapping begins on the line of its dash."""
    text = _write_yaml(value, indent)
    return f" {text.lstrip()}" if text.startswith("\n") else text


def _write_flow(items: list[Any]) -> str | None:
    if any(isinstance(one, dict | list) for one in items):
        return None
    return "[" + ", ".join(map(_write_scalar, items)) + "]"


def _write_key(name: str) -> str:
    return name if _PLAIN_KEY.fullmatch(name) and name.lower() not in _YAML_WORDS else quote(name)


def _write_scalar(value: Any) -> str:
    if isinstance(value, float):
        # YAML reads 1e+20 as a text, and 1.0e+20 as a number.
        text = repr(value)
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    return quote(value) if isinstance(value, str) else json.dumps(value)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
