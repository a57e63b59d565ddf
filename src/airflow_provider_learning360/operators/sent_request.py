"""What a task remembers of a request that it must not send twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.memory.task_store import find_task_store

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "learning360_sent_request"


class SentRequest:
    """
    Whether a task has begun to send its request, and which bulk operation it waits for.

    It survives a retry and the death of a worker.

    :param context: Airflow's task context; an empty one if nothing has to be remembered.

    Source: Airflow's `task_state_store` (AIP-103), or its variables.
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._store = find_task_store(context)
        # Grows if the task is cleared, and not with a retry.
        self._max_tries = getattr(context.get("ti"), "max_tries", None)

    @property
    def is_open(self) -> bool:
        """Whether an earlier try began to send, and ended before it knew the outcome."""
        return self._stored() == {"state": "sending"}

    @property
    def is_carried_out(self) -> bool:
        """Whether an earlier try carried it out, and Airflow has no result; not after the task was cleared."""
        return self._max_tries is not None and self._stored() == self._carried_out()

    @property
    def bulk_operation_id(self) -> str | None:
        """ID of the bulk operation that an earlier try has started and has not seen end; None if there is none."""
        found = self._stored().get("bulk_operation_id")
        return found if isinstance(found, str) else None

    def note_sending(self) -> None:
        """Remember that the request is about to be sent."""
        self._set({"state": "sending"})

    def note_bulk_operation(self, bulk_operation_id: str) -> None:
        """
        Remember which bulk operation the request has started.

        :param bulk_operation_id: Its ID.
        """
        self._set({"bulk_operation_id": bulk_operation_id})

    def note_carried_out(self) -> None:
        """Remember that it was carried out, until the task is cleared: Airflow has to store its result yet."""
        if self._max_tries is None:
            self.forget()
        else:
            self._set(self._carried_out())

    def forget(self) -> None:
        """Forget the request: its outcome is known, or the task failed with an error that says it is not."""
        self._store.delete(KEY)

    def _carried_out(self) -> dict[str, Any]:
        return {"state": "carried out", "max_tries": self._max_tries}

    def _stored(self) -> dict[str, Any]:
        found = self._store.get(KEY)
        return found if isinstance(found, dict) else {}

    def _set(self, value: dict[str, Any]) -> None:
        self._store.set(KEY, value)
