"""Sample values for mail templates: with everything that a mail may know, and with parts of it missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_learning360.reminders.policy import ReminderRule

# For each part of the values what it may be, under the names of what is missing then. The first has everything, the
# last has least.
_Options = dict[str, Any]

_START = datetime(2026, 3, 2, 9, tzinfo=UTC)
_END = datetime(2026, 3, 6, 16, 30, tzinfo=UTC)
_WEEK = timedelta(days=7)
_LEARNERS = [
    {"mail": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace"},
    {"mail": "nameless@example.com"},
]


class Sample(NamedTuple):
    """
    What a mail may be about.

    :param missing: Names of the values that are missing, as templates write them; empty if none is.
    :param session: The session.
    :param first_name: First name of the recipient.
    :param change: The dates that changed.
    :param statistics: How far the learners are.
    """

    missing: str
    session: ProgramSession
    first_name: str | None
    change: Mapping[str, tuple[datetime | None, datetime | None]] | None
    statistics: SessionStatistics | None


def samples_of(template: str, rule: ReminderRule | None = None) -> Iterator[Sample]:
    """
    Yield samples: complete, with one part missing, with one part only, and with least.

    :param template: Name of the template.
    :param rule: The rule that uses it, which decides what is never missing; default unknown.
    """
    options: dict[str, _Options] = {
        "name": {"": "Safety", "session.name": None},
        "start": _date("session.start", _START, is_known=rule is not None and rule.anchor == "startDate"),
        "end": _date("session.end", _END, is_known=rule is not None and rule.anchor == "endDate"),
        "first_name": {"": "Ada", "recipient.first_name": None},
        "change": _changes(rule),
        "statistics": _statistics(is_known=rule is not None and _counts_learners(template, rule)),
    }
    full = {part: next(iter(choices)) for part, choices in options.items()}
    least = {part: next(reversed(choices)) for part, choices in options.items()}
    one_missing = [full | {part: choice} for part, choices in options.items() for choice in choices if choice]
    one_only = [least | {part: full[part]} for part in options]
    for chosen in (full, *one_missing, *one_only, least):
        missing = ", ".join(filter(None, chosen.values()))
        yield _sample(missing, {part: options[part][choice] for part, choice in chosen.items()})


def _sample(missing: str, parts: Mapping[str, Any]) -> Sample:
    dates = {"startDate": parts["start"], "endDate": parts["end"]}
    session = ProgramSession.model_validate({"_id": "0" * 24, "name": parts["name"], **dates})
    known = parts["statistics"]
    statistics = None if known is None else SessionStatistics.model_validate(known)
    return Sample(missing, session, parts["first_name"], parts["change"], statistics)


def _date(name: str, date: datetime, *, is_known: bool) -> _Options:
    return {"": date} if is_known else {"": date, name: None}


def _changes(rule: ReminderRule | None) -> _Options:
    if rule is not None and rule.on is None:
        return {"": None}
    start, end = (_START - _WEEK, _START), (_END - _WEEK, _END)
    changes = {
        "": {"start": start, "end": end},
        "change.start.after, change.end.after": {"start": (start[0], None), "end": (end[0], None)},
        "change.start.before, change.end.before": {"start": (None, start[1]), "end": (None, end[1])},
        "change.start": {"end": end},
        "change.end": {"start": start},
    }
    return changes if rule is not None else changes | {"change.start, change.end": None}


def _statistics(*, is_known: bool) -> _Options:
    statistics = {
        "": {"registered": 3, "completed": 1, "usersStats": _LEARNERS},
        "digest.completed, digest.names": {"registered": 3},
        "digest.registered, digest.completed, digest.names": {},
    }
    return statistics if is_known else statistics | {"digest": None}


def _counts_learners(template: str, rule: ReminderRule) -> bool:
    """Whether the delivery always reads the statistics, as `SendSessionReminderOperator` decides it."""
    for_tutors = rule.anchor == "endDate" and ("tutors" in rule.audience or bool(rule.to))
    is_digest = rule.message == "digest" or (template == "tutors_digest" and rule.template is None)
    return is_digest or for_tutors or "not_completed" in rule.audience
