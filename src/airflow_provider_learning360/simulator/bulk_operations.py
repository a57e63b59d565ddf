"""Bulk operations: 360Learning does them later, and says how far they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.documented import is_unknown
from airflow_provider_learning360.simulator.filters import accepts_all, read_moment
from airflow_provider_learning360.simulator.people import derive_id
from airflow_provider_learning360.simulator.sample_data import format_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from airflow_provider_learning360.simulator.documented import Documented
    from airflow_provider_learning360.simulator.filters import Condition
    from airflow_provider_learning360.simulator.pages import Position

BULK_PATH = "/api/v2/bulk/operations"
_STATUSES = ("pending", "running", "completed")


@dataclass
class BulkOperation:
    """A bulk operation.

    :param operation_id: its ID.
    :param kind: the vendor's word for what it does, such as ``addUsersToGroups``.
    :param items: the items that the body had.
    :param created_at: when it was asked for.
    :param step: how far it is: the place in ``pending``, ``running``, ``completed``.
    """

    operation_id: str
    kind: str
    items: list[Any]
    created_at: str
    step: int = 0

    @property
    def status(self) -> str:
        """The vendor's word for how far it is."""
        return _STATUSES[self.step]

    def view(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        view: dict[str, Any] = {
            "_id": self.operation_id,
            "type": self.kind,
            "createdAt": self.created_at,
            "status": self.status,
        }
        if self.step > 0:
            done = len(self.items) if self.status == "completed" else len(self.items) // 2
            progress = {"index": done, "updatedAt": self.created_at}
            view |= {"queuedAt": self.created_at, "startedAt": self.created_at, "progress": progress}
        return view | ({"endedAt": self.created_at} if self.status == "completed" else {})

    def results(self) -> list[dict[str, Any]]:
        """Return one result for each item. An item with an unknown ID has failed."""
        return [self._result(place, item) for place, item in enumerate(self.items)]

    def _result(self, place: int, item: Any) -> dict[str, Any]:
        if any(is_unknown(value) for value in _values(item)):
            return {"input": item, "status": "error", "errorMessage": "The item has an ID that does not exist."}
        return {"input": item, "status": "success", "resourceId": derive_id(self.operation_id, place)}


class BulkOperations:
    """The bulk operations of the company. Each GET of one brings it a step on.

    :param now: the clock.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._operations: dict[str, BulkOperation] = {}

    def start(self, operation: Documented, items: list[Any]) -> str:
        """Start a bulk operation, and return its ID."""
        name = operation.data["body"]["schema"]["$ref"].rpartition("/")[2].removesuffix("Body")
        bulk_id = derive_id("bulk operation", len(self._operations))
        kind = name[0].lower() + name[1:]
        self._operations[bulk_id] = BulkOperation(bulk_id, kind, items, format_date(self._now()))
        return bulk_id

    def get(self, bulk_id: str) -> BulkOperation:
        """Return a bulk operation. One that nobody has started is complete, so that every ID gets an answer."""
        if bulk_id not in self._operations:
            items = [{"groupId": derive_id(bulk_id, "group"), "userId": derive_id(bulk_id, place)} for place in (0, 1)]
            return BulkOperation(bulk_id, "addUsersToGroups", items, format_date(self._now()), len(_STATUSES) - 1)
        return self._operations[bulk_id]

    def poll(self, bulk_id: str) -> dict[str, Any]:
        """Return a bulk operation as the API shows it, and bring it a step on."""
        bulk = self.get(bulk_id)
        view = bulk.view()
        bulk.step = min(bulk.step + 1, len(_STATUSES) - 1)
        return view

    def list(self, conditions: Sequence[Condition], after: Position | None) -> Iterator[tuple[Position, Any]]:
        """Yield the bulk operations that meet the conditions, the oldest first."""
        for place, bulk in enumerate(self._operations.values()):
            view = bulk.view()
            values = view | {"createdAt": read_moment(bulk.created_at)}
            if (after is None or place > after[0]) and accepts_all(conditions, values):
                yield (place,), view


def _values(item: Any) -> Iterator[Any]:
    """Yield everything in an item."""
    if isinstance(item, dict | list):
        for one in item.values() if isinstance(item, dict) else item:
            yield from _values(one)
    else:
        yield item
