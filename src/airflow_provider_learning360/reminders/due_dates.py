"""Which sessions may have a reminder about the due dates of their learners, so that the others are not read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_learning360.reminders.dates import is_set
from airflow_provider_learning360.reminders.planner import MAX_SHIFT, explain_excluded

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.reminders.policy import ReminderPolicy, ReminderRule


def may_remind_of_due_date(
    policy: ReminderPolicy, session: ProgramSession, now: datetime, until: datetime | None = None
) -> bool:
    """
    Whether a reminder about the due date of a learner may go out, as far as the dates of the session tell.

    A due date is not before the start of its session, and not after the end.

    :param policy: The policy.
    :param session: The session.
    :param now: The time.
    :param until: The end of the time in which it may go out; default now.
    """
    rules = [rule for rule in policy.rules if rule.anchor == "dueDate"]
    if not rules or explain_excluded(policy, session):
        return False
    dates, window = (session.start_date, session.end_date), (now, until or now)
    return any(may_be_due(rule, policy.max_lateness.total, dates, window) for rule in rules)


def may_be_due(
    rule: ReminderRule,
    max_lateness: timedelta,
    dates: tuple[datetime | None, datetime | None],
    window: tuple[datetime, datetime],
) -> bool:
    """
    Whether a rule may have a reminder in a window of time, about a date that is only known roughly.

    :param rule: The rule.
    :param max_lateness: How long after its time a reminder may go out.
    :param dates: The first and the last date that it may be about; None, or an open end, is not known.
    :param window: The first and the last moment of the window.
    """
    distance, (start, end), (now, until) = rule.schedule.distance.total, dates, window
    # Differences, since a sum may be beyond the calendar.
    lead = distance if rule.before is not None else timedelta()
    if start is not None and is_set(start) and start - until > lead + MAX_SHIFT:
        return False
    reach = timedelta() if rule.before is not None else distance + max_lateness
    if rule.every is not None and rule.at_most is not None:
        reach += rule.every.total * (rule.at_most - 1)
    return end is None or not is_set(end) or now - end <= reach + MAX_SHIFT
