"""Reminders that overlap: due to the same people about the same date. Only the closest of them goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_learning360.reminders.addresses import normalize_address

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from datetime import timedelta

    from airflow_provider_learning360.reminders.policy import ReminderRule
    from airflow_provider_learning360.reminders.reminder import DueReminder

Candidate = tuple["ReminderRule", "DueReminder"]

# Whoever is late has not completed, and whoever has not completed is a learner.
_IMPLIED = {"learners": ("not_completed", "late"), "not_completed": ("late",)}


def find_superseded(candidates: Sequence[Candidate]) -> dict[str, str]:
    """
    Return the keys of the reminders that are superseded, each with the name of the rule that supersedes it.

    :param candidates: What is due for one session, in the order of the policy.
    """
    closest: dict[Hashable, list[Candidate]] = {}
    superseded: dict[str, str] = {}
    for one in sorted((one for one in candidates if one[0].anchor), key=_find_distance):
        others = closest.setdefault(_find_date(one), [])
        closer = next((other for other in others if _have_same_people(one, other)), None)
        if closer is None:
            others.append(one)
        else:
            superseded[one[1].key] = closer[0].name
    return superseded


def _find_distance(candidate: Candidate) -> timedelta:
    """Return how far a reminder is from the closest: the time until a date, or minus the time since a date."""
    rule, reminder = candidate
    distance = rule.schedule.distance.total
    if rule.before is not None:
        return distance
    # After a date, the reminder that became due last says how late it is.
    return -(distance + (rule.every.total * (reminder.occurrence or 0) if rule.every else 0 * distance))


def _find_date(candidate: Candidate) -> Hashable:
    """Return what must be equal in reminders that overlap: the date that they are about, and the side of it."""
    rule, reminder = candidate
    return rule.anchor, reminder.anchor_at, rule.before is None


def _have_same_people(one: Candidate, other: Candidate) -> bool:
    return not _find_people(one[1]).isdisjoint(_find_people(other[1]))


def _find_people(reminder: DueReminder) -> set[str]:
    implied = {more for part in reminder.audience for more in _IMPLIED.get(part, ())}
    return {*reminder.audience, *implied, *map(normalize_address, reminder.to)}
