"""What a waiting task remembers from look to look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_3_PLUS

from airflow_provider_learning360.api.changes import Watermark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HAS_STATE_STORE = AIRFLOW_V_3_3_PLUS

WATERMARK = "learning360_watermark"
FAILURES = "learning360_failures"


class TaskMemory:
    """
    Watermark and failures of one task in one DAG run.

    On Airflow 3.3 and later they are in the task state store, which survives reschedule, retry, deferral and the
    death of a worker; below, they live as long as the process, or as long as the trigger that carries them.

    :param context: Airflow's task context.
    :param carried: What was remembered in this process before.

    Source: Airflow's `task_state_store` (AIP-103).
    """

    def __init__(self, context: Mapping[str, Any], carried: dict[str, Any]) -> None:
        self._store = context.get("task_state_store")
        self._carried = carried

    def watermark(self, session_id: str, watch: Sequence[str]) -> Watermark | None:
        """Return the watermark, if there is one of this session with these fields watched."""
        known = self._get(WATERMARK)
        if known is None:
            return None
        watermark = Watermark.from_dict(known)
        return watermark if watermark.fits(session_id, watch) else None

    def keep_watermark(self, watermark: Watermark) -> None:
        """Remember the watermark."""
        self._set(WATERMARK, watermark.to_dict())

    @property
    def failures(self) -> int:
        """Looks in a row that got no answer."""
        return int(self._get(FAILURES) or 0)

    @failures.setter
    def failures(self, count: int) -> None:
        if count != self.failures:
            self._set(FAILURES, count)

    def forget(self) -> None:
        """Forget everything, so that clearing the task waits anew."""
        self._carried.clear()
        if self._store is not None:
            self._store.delete(WATERMARK)
            self._store.delete(FAILURES)

    def _get(self, key: str) -> Any:
        # Asked of Airflow once in a process: nobody else writes these keys meanwhile.
        if key not in self._carried:
            self._carried[key] = self._store.get(key) if self._store is not None else None
        return self._carried[key]

    def _set(self, key: str, value: Any) -> None:
        self._carried[key] = value
        if self._store is not None:
            self._store.set(key, value)
