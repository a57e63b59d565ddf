"""The paths that were read through one connection, for as long as they are taken for up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_AGE = 600.0  # seconds for which a path is remembered


class PathMemory:
    """
    Paths by ID.

    :param monotonic: Monotonic clock, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._paths: dict[str, tuple[float, dict[str, Any]]] = {}

    def get(self, path_id: str) -> dict[str, Any] | None:
        """
        Return a path, or None if it is not known, or was read too long ago.

        :param path_id: ID of the path.
        """
        known = self._paths.get(path_id)
        return known[1] if known is not None and self._monotonic() - known[0] < MAX_AGE else None

    def keep(self, path_id: str, path: dict[str, Any]) -> None:
        """
        Remember a path.

        :param path_id: ID of the path.
        :param path: The path, as the API sent it.
        """
        self._paths[path_id] = (self._monotonic(), path)

    def drop_old(self) -> None:
        """Forget the paths that were read too long ago."""
        now = self._monotonic()
        self._paths = {one: known for one, known in self._paths.items() if now - known[0] < MAX_AGE}

    def clear(self) -> None:
        """Forget all paths."""
        self._paths.clear()
