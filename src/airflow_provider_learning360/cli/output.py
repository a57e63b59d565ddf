"""Print results. Terminals obey control characters, and texts of 360Learning may contain them."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.sanitizer import is_unprintable, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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
    Print a value as JSON, with control characters as escapes.

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


def write_yaml(value: Any) -> None:
    """
    Print a value as YAML; characters that are not ASCII are written as escapes.

    :param value: A value of plain JSON.
    """
    import yaml

    print(yaml.safe_dump(value, sort_keys=False), end="")


def write_rows(rows: Sequence[Mapping[str, Any]], output: str) -> None:
    """
    Print rows as Airflow's own commands do.

    :param rows: The rows, each with the same columns.
    :param output: `table`, `json`, `yaml` or `plain`.
    """
    from rich.markup import escape

    from airflow.cli.simple_table import AirflowConsole

    if output in ("json", "yaml"):  # both formats escape control characters, and rich reads no markup in them
        shown = [dict(row) for row in rows]
    else:
        encode = escape if output == "table" else str
        shown = [{name: encode(_one_line(value)) for name, value in row.items()} for row in rows]
    AirflowConsole().print_as(data=shown, output=output)


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """
    Print rows as CSV with a header.

    :param columns: Names of the columns.
    :param rows: The cells of each row; control characters in them are written as escapes.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_one_line(cell) for cell in row] for row in rows)


@contextmanager
def logs_on_stderr() -> Iterator[None]:
    """Send Airflow's logs to standard error: scripts read standard output, which is for the result only."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)  # some of Airflow's loggers keep the stream, so that replacing `sys.stdout` is not enough
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def _one_line(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return printable(" ".join(text.split()))


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1] if ord(character) != 0x7F else "\\u007f"
