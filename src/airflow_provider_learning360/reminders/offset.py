"""A time before or after a date of a session: the same arithmetic as in a policy, for a single session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import FixArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from airflow_provider_learning360.api.models import ProgramSession


def due_of(
    anchor: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, time_zone: str
) -> Callable[[ProgramSession], datetime | None]:
    """
    Return a function that says when it is time for a session; None as long as its date is not set.

    :param anchor: The date: `startDate` or `endDate`.
    :param before: How long before it: `days`, `hours`, `minutes`.
    :param after: How long after it; without either, at the date itself.
    :param time_zone: IANA name of the zone whose wall clock counts the days.
    :raises FixArgumentError: One of these is not valid.
    """
    from airflow_provider_learning360.reminders.calendar import Calendar
    from airflow_provider_learning360.reminders.dates import nearest_end
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

    offset = {"before": before} if before else {"after": after or {}}
    # What a rule needs beside the time does not matter here.
    rule = {"name": "date", "anchor": anchor, **offset, "audience": "tutors", "template": "none"}
    try:
        policy = ReminderPolicy.read({"name": "sensor", "time_zone": time_zone, "rules": [rule]})
    except FixArgumentError as error:
        # The author of a sensor wrote no policy.
        message = str(error).replace("Reminder policy 'sensor': ", "").replace("rule 'date': ", "")
        raise FixArgumentError(message) from None
    calendar = Calendar(policy)

    def due(session: ProgramSession) -> datetime | None:
        date = session.start_date if anchor == "startDate" else session.end_date
        if date is None:
            return None
        try:
            return calendar.due_of(policy.rules[0], date)
        except OverflowError:  # the date stands for "never", or for "ever since"
            return nearest_end(date)

    return due
