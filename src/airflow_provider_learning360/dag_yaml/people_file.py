"""A list of people in a CSV file, for the steps that enrol and unenrol them."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import Any

from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.api.input_errors import did_you_mean
from airflow_provider_learning360.api.session_ids import is_session_id

MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_PEOPLE = 20_000
_SEPARATORS = ",;\t"


def read_people(path: str, column: str) -> list[str]:
    """
    Return the values of one column of a CSV file, each once; its first line names the columns.

    :param path: Path of the file, in UTF-8; the columns are separated by commas, semicolons or tabs.
    :param column: Name of the column with mail addresses or IDs.
    :raises FixArgumentError: The file cannot be read, or has no such column. No value of the file is shown.
    """
    text = _read_text(path)
    if not text.strip():
        raise FixArgumentError(
            f"people_file: {Path(path).name} is empty. Its first line names the columns; each other line is a person."
        )
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.DictReader(StringIO(text), delimiter=separator)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        _require_column(column, names, path)
        reader.fieldnames = names
        found = dict.fromkeys(value for row in reader if (value := _read_row(row, column, path, reader.line_num)))
    except csv.Error as error:  # such as a text that is too long: a quotation mark is missing
        raise FixArgumentError(
            f"people_file: {Path(path).name} is not CSV at line {reader.line_num + 1}: {error}."
        ) from None
    if not found:
        raise FixArgumentError(
            f"people_file: {Path(path).name} has no people: below the names of the columns, there is no value."
        )
    if len(found) > MAX_PEOPLE:
        raise FixArgumentError(f"people_file: {Path(path).name} has more than {MAX_PEOPLE:,} people. Split it.")
    return list(found)


def _read_row(row: dict[Any, Any], column: str, path: str, line: int) -> str:
    """Return the value of a row; nothing if the whole row is empty."""
    value = (row[column] or "").strip()
    others = [one for values in row.values() for one in (values if isinstance(values, list) else [values])]
    if not value and any((one or "").strip() for one in others):
        raise FixArgumentError(
            f"people_file: {Path(path).name} has nothing in column {column!r} at line {line}. "
            "Write the mail address or ID there, or remove the line."
        )
    return value


def _require_column(column: str, names: list[str], path: str) -> None:
    if column in names:
        return
    problem = f"people_file: {Path(path).name} has no column {column!r}"
    if any(is_session_id(name) or "@" in name for name in names):
        raise FixArgumentError(f"{problem}: its first line is about a person. Add a line above that names the columns.")
    raise FixArgumentError(f"{problem}; it has {redact(', '.join(names))}{did_you_mean(column, names)}")


def _read_text(path: str) -> str:
    file = Path(path)
    if "\0" in path:
        raise FixArgumentError(f"people_file: {path!r} is not the path of a file.")
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise FixArgumentError(f"people_file: {file.name} is larger than {MAX_FILE_BYTES:,} bytes. Split it.")
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise FixArgumentError(f"people_file: {file.name} is not UTF-8. Save it as CSV UTF-8.") from None
    except OSError as error:
        raise FixArgumentError(f"people_file: {file.name} cannot be read ({error.strerror}).") from None
