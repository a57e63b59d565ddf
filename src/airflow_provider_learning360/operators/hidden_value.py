"""A rendered argument that Airflow does not show: its page of rendered fields is open to all who see the DAG."""

from __future__ import annotations

from typing import Any

from airflow_provider_learning360.api.counts import count_of


class HiddenValue:
    """
    A value that is shown as something else.

    :param value: The value.
    :param shown: What is shown, such as `3 people`.
    """

    def __init__(self, value: Any, shown: str) -> None:
        self.value = value
        self._shown = shown

    def __str__(self) -> str:
        return self._shown

    __repr__ = __str__


def hide_people(value: Any) -> HiddenValue:
    """
    Return people as Airflow may show them: only how many they are.

    :param value: The value of the argument.
    """
    if isinstance(value, HiddenValue):
        return value
    count = len(value) if isinstance(value, list | tuple | set | frozenset) else None
    shown = "people" if count is None else count_of(count, "person", "people")
    return HiddenValue(value, f"{shown} (not shown)")


def reveal(value: Any) -> Any:
    """
    Return a value that may be hidden.

    :param value: The value, or the hidden one.
    """
    return value.value if isinstance(value, HiddenValue) else value
