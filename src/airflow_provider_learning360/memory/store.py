"""What a store of small values offers: Airflow's own, or variables of Airflow below 3.3."""

from __future__ import annotations

from typing import Any, Protocol


class Store(Protocol):
    """
    Small values of one owner, such as a task of a DAG run, as plain JSON.

    What is stored survives the process. A value that could not be read is an error, and never the default: the caller
    would act as if nothing had been stored.
    """

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default if there is none."""

    def set(self, key: str, value: Any, *, forever: bool = False) -> None:
        """Store a value. It is stored when this returns; with `forever`, it never expires by age."""

    def delete(self, key: str) -> None:
        """Delete a value, if there is one."""


class ProcessStore:
    """Values that live as long as the process: for a context without a task, such as that of a test."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """
        Return the value of a key.

        :param key: The key.
        :param default: What to return if there is none.
        """
        return self._values.get(key, default)

    def set(self, key: str, value: Any, *, forever: bool = False) -> None:
        """
        Keep a value.

        :param key: The key.
        :param value: The value.
        :param forever: Has no effect: the value ends with the process.
        """
        self._values[key] = value

    def delete(self, key: str) -> None:
        """
        Delete a value, if there is one.

        :param key: The key.
        """
        self._values.pop(key, None)
