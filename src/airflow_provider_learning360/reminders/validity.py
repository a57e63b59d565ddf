"""Whether a planned reminder is still to be delivered, now that the session has been read again."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_learning360.reminders.moves import read_dates
from airflow_provider_learning360.reminders.planner import HAS_AUTOMATED_REMINDERS

if TYPE_CHECKING:
    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.reminders.policy import ReminderPolicy, ReminderRule
    from airflow_provider_learning360.reminders.reminder import DueReminder


def find_cancel_reason(
    reminder: DueReminder, session: ProgramSession, policy: ReminderPolicy, *, now: datetime | None = None
) -> str | None:
    """
    Return why a reminder must not be delivered any more, or None.

    :param reminder: The reminder, as it was planned.
    :param session: The session as it is now.
    :param policy: The policy as it is now.
    :param now: The time; default none: then nothing is too late.
    """
    if reminder.policy != policy.name:
        return f"it was planned with policy {reminder.policy!r}, and this task has policy {policy.name!r}"
    rule = next((one for one in policy.rules if one.name == reminder.rule), None)
    if rule is None:
        return f"policy {policy.name!r} has no rule {reminder.rule!r} any more"
    if session.id != reminder.session_id:
        return f"it is about session {reminder.session_id}, and not {session.id}"
    if policy.skip_if_automated_reminders and session.automated_reminders:
        return HAS_AUTOMATED_REMINDERS
    reason = _find_changed_date(reminder, session, rule, now)
    return reason or (None if _is_same_rule(reminder, rule) else f"rule {rule.name!r} changed since it was planned")


def _find_changed_date(
    reminder: DueReminder, session: ProgramSession, rule: ReminderRule, now: datetime | None
) -> str | None:
    dates = read_dates(session)
    if reminder.change is not None:
        return None if dates == reminder.change["to"] else "its dates changed again"
    # The due dates of learners are compared when the recipients are found.
    due_date = reminder.anchor_at if reminder.anchor == "dueDate" else None
    current = due_date or (dates["startDate"] if reminder.anchor == "startDate" else dates["endDate"])
    if current != reminder.anchor_at:
        return f"{reminder.anchor} is {current or 'not set'} now, and was {reminder.anchor_at}"
    if now is not None and current and rule.before is not None and now >= datetime.fromisoformat(current):
        return f"{reminder.anchor} was {current}: it is too late"
    return None


def _is_same_rule(reminder: DueReminder, rule: ReminderRule) -> bool:
    """Whether a rule is about the same date as when the reminder was planned, and repeated as it was then."""
    return rule.anchor == reminder.anchor and (rule.every is None) == (reminder.occurrence is None)
