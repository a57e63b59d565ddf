"""When a poller last read its sessions, and since when it cannot: stored for people who look at the page."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.watch_state import POLLING_KEY, StoredPolling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_learning360.api.errors import LearningError
    from airflow_provider_learning360.triggers.cursor import AssetState

# Seconds after which the time of a successful poll is stored again. Every poll would be a write to Airflow's database.
RENEWAL = 300.0


class PollRecord:
    """How the polls of one poller go. It is stored when an outage begins or ends, and every few minutes."""

    def __init__(self) -> None:
        self._polling: StoredPolling = {"polled_at": None, "failing_since": None}
        self._stored_at: float | None = None  # on the monotonic clock; None if something new is to be stored

    def note_poll(self, error: LearningError | None) -> None:
        """
        Note how a poll ended.

        :param error: What kept the poll from reading sessions, or None.
        """
        now = datetime.now(tz=UTC).isoformat(timespec="seconds")
        was_failing = self._polling["failing_since"] is not None
        if error is None:
            self._polling = {"polled_at": now, "failing_since": None}
        elif not was_failing:
            self._polling = {**self._polling, "failing_since": now}
        if was_failing is (error is None):
            self._stored_at = None

    async def save(self, states: Iterable[AssetState]) -> None:
        """
        Store how the polls go, if that is due; for one asset only, as all assets of the poller are polled together.

        :param states: Where the watchers of the poller store what they know, the oldest first.
        """
        now = time.monotonic()
        is_failing = self._polling["failing_since"] is not None
        if self._stored_at is not None and (is_failing or now - self._stored_at < RENEWAL):
            return
        for state in states:
            if await state.write(POLLING_KEY, self._polling):
                self._stored_at = now
            return
