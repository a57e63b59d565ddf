"""Reminders that are due to the same people about the same date: of those, only the closest goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_learning360.reminders.mail import same_address

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow_provider_learning360.reminders.policy import ReminderRule
    from airflow_provider_learning360.reminders.reminder import DueReminder

Candidate = tuple["ReminderRule", "DueReminder"]


def beaten(candidates: Sequence[Candidate]) -> dict[str, str]:
    """
    Return the rules that give way, each with the rule that it gives way to.

    :param candidates: What is due for one session, in the order of the policy.
    """
    winners: list[Candidate] = []
    losers: dict[str, str] = {}
    for one in sorted((one for one in candidates if one[0].anchor), key=_distance):
        closer = next((other for other in winners if _compete(one, other)), None)
        if closer is None:
            winners.append(one)
        else:
            losers[one[0].name] = closer[0].name
    return losers


def _distance(candidate: Candidate) -> timedelta:
    """Return how far a reminder is from what is closest: the date that comes, or the time since one that has passed."""
    rule, reminder = candidate
    if rule.before is not None:
        return rule.offset.total
    # After a date, the reminder that became due last is the one that says how late it is.
    repeated = rule.every.total * (reminder.occurrence or 0) if rule.every else 0 * rule.offset.total
    return -(rule.offset.total + repeated)


def _compete(one: Candidate, other: Candidate) -> bool:
    (rule, reminder), (other_rule, other_reminder) = one, other
    same_side = (rule.before is None) == (other_rule.before is None)
    return rule.anchor == other_rule.anchor and same_side and not _people(reminder).isdisjoint(_people(other_reminder))


def _people(reminder: DueReminder) -> set[str]:
    # Who has not completed is a learner as well.
    implied = {"not_completed"} if "learners" in reminder.audience else set()
    return {*reminder.audience, *implied, *map(same_address, reminder.to)}
