"""Reminders that overlap: due to the same people about the same date. Only the closest of them goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_learning360.reminders.addresses import normalize_address

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow_provider_learning360.reminders.policy import ReminderRule
    from airflow_provider_learning360.reminders.reminder import DueReminder

Candidate = tuple["ReminderRule", "DueReminder"]


def find_superseded(candidates: Sequence[Candidate]) -> dict[str, str]:
    """
    Return the names of the rules that are superseded, each with the name of the rule that supersedes it.

    :param candidates: What is due for one session, in the order of the policy.
    """
    closest: list[Candidate] = []
    superseded: dict[str, str] = {}
    for one in sorted((one for one in candidates if one[0].anchor), key=_find_distance):
        closer = next((other for other in closest if _overlap(one, other)), None)
        if closer is None:
            closest.append(one)
        else:
            superseded[one[0].name] = closer[0].name
    return superseded


def _find_distance(candidate: Candidate) -> timedelta:
    """Return how far a reminder is from the closest: the time until a date, or minus the time since a date."""
    rule, reminder = candidate
    distance = rule.schedule.distance.total
    if rule.before is not None:
        return distance
    # After a date, the reminder that became due last says how late it is.
    return -(distance + (rule.every.total * (reminder.occurrence or 0) if rule.every else 0 * distance))


def _overlap(one: Candidate, other: Candidate) -> bool:
    (rule, reminder), (other_rule, other_reminder) = one, other
    is_same_side = (rule.before is None) == (other_rule.before is None)
    if rule.anchor != other_rule.anchor or not is_same_side:
        return False
    return not _find_people(reminder).isdisjoint(_find_people(other_reminder))


def _find_people(reminder: DueReminder) -> set[str]:
    # Whoever has not completed is a learner as well.
    implied = {"not_completed"} if "learners" in reminder.audience else set()
    return {*reminder.audience, *implied, *map(normalize_address, reminder.to)}
