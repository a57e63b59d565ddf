"""What a waiting task remembers from poll to poll."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.changes import Watermark
from airflow_provider_learning360.memory.task_store import HAS_STATE_STORE, find_task_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_learning360.api.catalogue.operation_wait import StoredFingerprints

WATERMARK = "learning360_watermark"
FINGERPRINTS = "learning360_fingerprints"
FAILURES = "learning360_failures"
LAST_READ = "learning360_last_read"


class TaskMemory:
    """
    Watermark or fingerprints, failures and last successful poll of one task in one DAG run.

    They survive reschedule, retry, deferral and the death of a worker.

    :param context: Airflow's task context.
    :param in_process: What was remembered in this process before.

    Source: Airflow's `task_state_store` (AIP-103), or its variables.
    """

    def __init__(self, context: Mapping[str, Any], in_process: dict[str, Any]) -> None:
        self._store = find_task_store(context)
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
        # It is for a log line: below Airflow 3.3, a variable for it would be too much.
        if in_store and HAS_STATE_STORE:
            self._set(LAST_READ, moment.isoformat())
        else:
            self._in_process[LAST_READ] = moment.isoformat()

    def forget(self) -> None:
        """Forget everything, so that a cleared task waits again."""
        # A sensor that keeps fingerprints has read them; for all others, deleting them would be a request for nothing.
        # What the wait compares with comes last: a retry of a task that is killed until then still finds its change.
        keys = [FAILURES, LAST_READ] + [FINGERPRINTS] * bool(self._in_process.get(FINGERPRINTS)) + [WATERMARK]
        self._in_process.clear()
        for key in keys:
            self._store.delete(key)

    def _get(self, key: str) -> Any:
        # Read once in a process: no other process writes these keys meanwhile.
        if key not in self._in_process:
            self._in_process[key] = self._store.get(key)
        return self._in_process[key]

    def _set(self, key: str, value: Any) -> None:
        self._in_process[key] = value
        self._store.set(key, value)
