"""A trigger that waits until a bulk operation of 360Learning has ended."""

from __future__ import annotations

__all__ = ["BulkOperationTrigger"]

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_learning360.api.errors import LearningError, TryAgainError
from airflow_provider_learning360.hooks.shared_hook import HookUser
from airflow_provider_learning360.triggers.tracebacks import format_frames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_learning360.api.errors import ErrorDict

MAX_ERRORS_IN_A_ROW = 10


class BulkOperationEvent(TypedDict):
    """How the wait ended, as Airflow stores it. `error` is what `LearningError.to_dict` wrote."""

    kind: Literal["ended", "timeout", "error"]
    bulk_operation_id: str
    error: NotRequired[ErrorDict]


class BulkOperationTrigger(BaseTrigger):
    """
    Wake the task when a bulk operation has ended. Its arguments and its event hold no secret and no personal data.

    :param bulk_operation_id: ID of the bulk operation.
    :param learning_conn_id: ID of the Airflow connection.
    :param poke_interval: Seconds between polls; default 30.
    :param deadline: ISO time at which the wait ends.

    Source: Airflow's `BaseTrigger`.
    """

    def __init__(
        self, bulk_operation_id: str, learning_conn_id: str, deadline: str, poke_interval: float = 30.0
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bulk_operation_id = bulk_operation_id
        self.learning_conn_id = learning_conn_id
        self.deadline = deadline
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, for the database."""
        names = ("bulk_operation_id", "learning_conn_id", "deadline", "poke_interval")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, a `BulkOperationEvent`."""
        yield TriggerEvent({"bulk_operation_id": self.bulk_operation_id, **await self._end()})

    async def _end(self) -> dict[str, Any]:
        """Return how the wait ended."""
        try:
            async with HookUser(self.learning_conn_id) as user:
                return await self._poll_until_ended(user)
        except LearningError as error:
            return {"kind": "error", "error": error.to_dict()}
        except Exception as error:  # noqa: BLE001 - the worker reports it
            self.log.error("Traceback without values:\n%s", format_frames(error))
            unexpected = TryAgainError(
                f"Unexpected {type(error).__name__} while waiting for bulk operation {self.bulk_operation_id}; please "
                "report it with the traceback in the triggerer's log."
            )
            return {"kind": "error", "error": unexpected.to_dict()}

    async def _poll_until_ended(self, user: HookUser) -> dict[str, Any]:
        failures = 0
        while (left := self._seconds_left()) > 0:
            await asyncio.sleep(min(self.poke_interval, left))
            try:
                has_ended = await self._poll(user)
            except LearningError as error:
                failures += 1
                if not error.retryable or failures > MAX_ERRORS_IN_A_ROW:
                    raise
                self.log.warning("Could not read the bulk operation (%d in a row): %s", failures, error)
                continue
            failures = 0
            if has_ended:
                return {"kind": "ended"}
        return {"kind": "timeout"}

    async def _poll(self, user: HookUser) -> bool:
        from airflow_provider_learning360.api.catalogue.bulk_operation import has_ended, read_status

        call = await asyncio.to_thread(read_status, self.bulk_operation_id)  # the catalogue takes long to read
        async with user.use() as hook:
            answer = await hook.run_plan((await hook.get_platform()).call_operation(call))
        return has_ended(answer.value)

    def _seconds_left(self) -> float:
        return (datetime.fromisoformat(self.deadline) - datetime.now(tz=UTC)).total_seconds()
