"""A trigger that waits until a time before or after a date of a session."""

from __future__ import annotations

__all__ = ["SessionDateTrigger"]

from datetime import UTC, datetime
from typing import Any, ClassVar

from airflow_provider_learning360.api.waiting import DateWait, Wait
from airflow_provider_learning360.triggers.polling import SessionPollingTrigger


class SessionDateTrigger(SessionPollingTrigger):
    """
    Wake the sensor when the time has come, wherever the session's date moves meanwhile.

    It looks every `poke_interval` seconds, and when the time comes that it last saw.

    :param anchor: The date: `startDate` or `endDate`.
    :param before: How long before it: `days`, `hours`, `minutes`; default none.
    :param after: How long after it; default none.
    :param time_zone: IANA name of the zone whose wall clock counts the days; default UTC.
    :param due: ISO time that was last seen to be the right one; None if the date was not set.
    :param looking: As in `SessionPollingTrigger`: which session, how often, how patiently, until when.

    Source: Airflow's `BaseTrigger`.
    """

    own_arguments: ClassVar[tuple[str, ...]] = ("anchor", "before", "after", "time_zone", "due")

    def __init__(
        self,
        anchor: str,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        time_zone: str = "UTC",
        due: str | None = None,
        **looking: Any,
    ) -> None:
        super().__init__(**looking)
        self.anchor = anchor
        self.before = before
        self.after = after
        self.time_zone = time_zone
        self.due = due

    def build_wait(self) -> DateWait:
        """Return the wait at its beginning."""
        from airflow_provider_learning360.reminders.offset import due_of

        wait = DateWait(
            due_of(self.anchor, self.before, self.after, self.time_zone),
            lambda: datetime.now(tz=UTC),
            on_missing=self.on_missing,
            max_failures=self.max_failures,
            failures=self.failures,
        )
        wait.due = datetime.fromisoformat(self.due) if self.due else None
        return wait

    def seconds_until_due(self, wait: Wait[Any]) -> float:
        """Return the seconds until the time that was last seen."""
        left = wait.left if isinstance(wait, DateWait) else 0.0
        # Once it is over, the session could not be seen at that moment: back to the usual interval.
        return left if left > 0 else float("inf")
