"""What people write about an answer beside its parameters: how many pages, and which fields."""

from __future__ import annotations

from typing import Any

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.input_errors import format_value

ALL_PAGES = "all"


def parse_pages(value: Any, argument: str = "pages") -> int | None:
    """
    Return how many pages to read.

    :param value: A number from 1, also as text; or `all`.
    :param argument: Name of the argument, for the error; default `pages`.
    :returns: The number; None for all.
    :raises FixArgumentError: It is neither.
    """
    if value == ALL_PAGES:
        return None
    is_number = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10
    number = int(value) if is_number else value
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise FixArgumentError(f"{argument}: {format_value(value)} is neither a whole number, 1 or more, nor 'all'.")
    return number


def split_names(fields: Any) -> tuple[str, ...] | None:
    """
    Return the names of the fields that are wanted.

    :param fields: A list of names, or one text with names separated by commas; None for all.
    :returns: The names; None for all.
    """
    if isinstance(fields, str):
        return tuple(name.strip() for name in fields.split(",") if name.strip())
    return None if fields is None else tuple(fields)
