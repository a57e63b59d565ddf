"""What was read a moment ago, so that it is not read again: bounded in time and number, in memory only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class RecentlyRead(Generic[T]):
    """
    Values by key, each for some time.

    :param monotonic: Monotonic clock, in seconds.
    :param max_age: Seconds for which a value is kept.
    :param max_count: How many values are kept; the oldest goes first.
    """

    def __init__(self, monotonic: Callable[[], float], max_age: float, max_count: int) -> None:
        self._monotonic = monotonic
        self._max_age = max_age
        self._max_count = max_count
        self._values: dict[str, tuple[float, T]] = {}

    def find(self, key: str) -> T | None:
        """
        Return a value, or None if it is not known or too old.

        :param key: Its key.
        """
        read_at, value = self._values.get(key, (None, None))
        return None if read_at is None or self._monotonic() - read_at >= self._max_age else value

    def keep(self, key: str, value: T) -> None:
        """
        Keep a value.

        :param key: Its key.
        :param value: The value.
        """
        self._values.pop(key, None)
        self._values[key] = (self._monotonic(), value)
        if len(self._values) > self._max_count:
            del self._values[next(iter(self._values))]

    def clear(self) -> None:
        """Forget all values."""
        self._values.clear()
