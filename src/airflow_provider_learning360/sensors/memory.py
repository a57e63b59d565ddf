"""What a waiting task remembers from poll to poll."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_3_PLUS

from airflow_provider_learning360.api.changes import Watermark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_learning360.api.catalogue.operation_wait import StoredFingerprints

HAS_STATE_STORE = AIRFLOW_V_3_3_PLUS

WATERMARK = "learning360_watermark"
FINGERPRINTS = "learning360_fingerprints"
FAILURES = "learning360_failures"
LAST_READ = "learning360_last_read"


class TaskMemory:
    """
    Watermark or fingerprints, failures and last successful poll of one task in one DAG run.

    On Airflow 3.3 and later they are in the task state store, which survives reschedule, retry, deferral and the
    death of a worker; below, they live as long as the process, or as long as the trigger that takes them along.

    :param context: Airflow's task context.
    :param in_process: What was remembered in this process before.

    Source: Airflow's `task_state_store` (AIP-103).
    """

    def __init__(self, context: Mapping[str, Any], in_process: dict[str, Any]) -> None:
        self._store = context.get("task_state_store")
        self._in_process = in_process

    def watermark(self, session_id: str, watch: Sequence[str]) -> Watermark | None:
        """
        Return the watermark, or None if there is none of this session with these fields watched.

        :param session_id: ID of the session.
        :param watch: Names of the watched fields; empty for any modification.
        """
        stored = self._get(WATERMARK)
        if stored is None:
            return None
        watermark = Watermark.from_dict(stored)
        return watermark if watermark.fits(session_id, watch) else None

    def keep_watermark(self, watermark: Watermark) -> None:
        """
        Remember the watermark.

        :param watermark: The watermark.
        """
        self._set(WATERMARK, watermark.to_dict())

    @property
    def fingerprints(self) -> StoredFingerprints | None:
        """What the first poll found; None if there was none."""
        stored: StoredFingerprints | None = self._get(FINGERPRINTS)
        return stored

    def keep_fingerprints(self, fingerprints: StoredFingerprints) -> None:
        """
        Remember what the first poll found.

        :param fingerprints: What stands for it.
        """
        if fingerprints != self.fingerprints:
            self._set(FINGERPRINTS, fingerprints)

    @property
    def failures(self) -> int:
        """Failed polls in a row."""
        return int(self._get(FAILURES) or 0)

    @failures.setter
    def failures(self, count: int) -> None:
        if count != self.failures:
            self._set(FAILURES, count)

    @property
    def last_read(self) -> datetime | None:
        """When the session was last read; None if it never was, or if that is not known."""
        stored = self._get(LAST_READ)
        return None if stored is None else datetime.fromisoformat(stored)

    def keep_last_read(self, moment: datetime, *, in_store: bool) -> None:
        """
        Remember when the session was last read.

        :param moment: The time.
        :param in_store: Whether another process may need it: storing it costs a request to Airflow.
        """
        if in_store:
            self._set(LAST_READ, moment.isoformat())
        else:
            self._in_process[LAST_READ] = moment.isoformat()

    def forget(self) -> None:
        """Forget everything, so that a cleared task waits again."""
        # A sensor that keeps fingerprints has read them; for all others, deleting them would be a request for nothing.
        keys = [WATERMARK, FAILURES, LAST_READ] + [FINGERPRINTS] * bool(self._in_process.get(FINGERPRINTS))
        self._in_process.clear()
        if self._store is not None:
            for key in keys:
                self._store.delete(key)

    def _get(self, key: str) -> Any:
        # Read once in a process: no other process writes these keys meanwhile.
        if key not in self._in_process:
            self._in_process[key] = self._store.get(key) if self._store is not None else None
        return self._in_process[key]

    def _set(self, key: str, value: Any) -> None:
        self._in_process[key] = value
        if self._store is not None:
            self._store.set(key, value)
