"""The paths of the company: what API v2 keeps apart from its sessions. A path's ID is the program template of v1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_learning360.simulator.sample_data import Document

PATH_KEYS = (
    "author",
    "description",
    "lang",
    "modules",
    "programDuration",
    "programDurationType",
    "templateCustom",
    "automatedReminders",
)
"""Keys of a v1 session that belong to the path on v2."""


@dataclass(slots=True)
class Path:
    """A path.

    :param path_id: its ID.
    :param number: its place among the paths.
    :param name: its name, which v1 does not have.
    :param created_at: when it was created.
    :param modified_at: when one of its keys was last edited.
    :param keys: the keys of ``PATH_KEYS`` that it has, with v1's values.
    """

    path_id: str
    number: int
    name: str
    created_at: str
    modified_at: Any
    keys: Document
    status: str = "published"


class Paths:
    """Paths by ID. The first session of a path decides what the path holds; later edits of any session change it."""

    def __init__(self) -> None:
        self._paths: dict[str, Path] = {}

    def __iter__(self) -> Iterator[Path]:
        return iter(self._paths.values())

    def get(self, path_id: str) -> Path | None:
        """Return the path with an ID."""
        return self._paths.get(path_id)

    def require(self, document: Document, created_at: str) -> Path | None:
        """Return the path of a session; make one if it is new. None if the session names none."""
        path_id = document.get("programTemplate")
        if not isinstance(path_id, str):
            return None
        if path_id not in self._paths:
            self._paths[path_id] = Path(
                path_id=path_id,
                number=len(self._paths),
                name=str(document.get("name", "")).strip().partition(", ")[0],
                created_at=created_at,
                modified_at=document.get("modifiedAt", created_at),
                keys={key: document[key] for key in PATH_KEYS if key in document},
            )
        return self._paths[path_id]

    def edit(self, path: Path, document: Document, keys: Iterable[str], modified_at: Any) -> None:
        """Take keys of a session into its path."""
        for key in keys:
            if key in document:
                path.keys[key] = document[key]
            else:
                path.keys.pop(key, None)
        path.modified_at = modified_at
