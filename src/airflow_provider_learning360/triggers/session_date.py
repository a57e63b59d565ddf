"""A trigger that waits until a time before or after a date of a session."""

from __future__ import annotations

__all__ = ["SessionDateTrigger"]

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_learning360.api.waiting import DateWait, Wait, seconds_until
from airflow_provider_learning360.triggers.session_polling import SessionPollingTrigger
from airflow_provider_learning360.waiting_log import date_text, due_text

if TYPE_CHECKING:
    from airflow_provider_learning360.api.models import ProgramSession


class SessionDateTrigger(SessionPollingTrigger):
    """
    Wake the sensor when the time has come, also when the session's date moves meanwhile.

    It polls every `poke_interval` seconds, and when the time comes that the last poll found.

    :param anchor: The date: `startDate` or `endDate`.
    :param before: How long before it: `days`, `hours`, `minutes`; default none.
    :param after: How long after it; default none.
    :param time_zone: IANA name of the zone whose wall clock counts the days; default UTC.
    :param due: ISO time that the last poll found; None if the date was not set.
    :param polling_arguments: The other arguments of `SessionPollingTrigger`.

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
        **polling_arguments: Any,
    ) -> None:
        super().__init__(**polling_arguments)
        self.anchor = anchor
        self.before = before
        self.after = after
        self.time_zone = time_zone
        self.due = due

    def build_wait(self) -> DateWait:
        """Return the wait at its beginning."""
        from airflow_provider_learning360.reminders.schedule import SessionSchedule

        wait = DateWait(
            SessionSchedule.read(self.anchor, self.before, self.after, self.time_zone).find_due,
            lambda: datetime.now(tz=UTC),
            on_missing=self.on_missing,
            max_failures=self.max_failures,
            failures=self.failures,
        )
        wait.due = datetime.fromisoformat(self.due) if self.due else None
        return wait

    def describe_wait(self, wait: Wait[Any, Any]) -> str:
        """
        Return the time that is to come, such as "1 day before startDate".

        :param wait: The wait.
        """
        return date_text(self.anchor, self.before, self.after)

    def describe_state(self, polled: ProgramSession, wait: Wait[Any, Any]) -> str:
        """
        Return when the time comes, as the session is now.

        :param polled: The session.
        :param wait: The wait after the poll.
        """
        deadline = datetime.fromisoformat(self.deadline) if self.deadline else None
        return due_text(wait.due if isinstance(wait, DateWait) else None, self.anchor, deadline)

    def seconds_until_due(self, wait: Wait[Any, Any]) -> float:
        """
        Return the seconds until the time that the last poll found; infinite if there is none.

        :param wait: The wait.
        """
        due = wait.due if isinstance(wait, DateWait) else None
        return seconds_until(due, datetime.now(tz=UTC), has_failed=wait.failures > 0 or wait.error is not None)
