"""Sample values for mail templates: complete, and with some of them missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_learning360.reminders.policy import ReminderRule

# The choices for one part of the values, by the names of the values that are then missing. The first choice is
# complete, the last has the least.
_Options = dict[str, Any]

_START = datetime(2026, 3, 2, 9, tzinfo=UTC)
_END = datetime(2026, 3, 6, 16, 30, tzinfo=UTC)
_DUE = datetime(2026, 3, 5, 12, tzinfo=UTC)
_WEEK = timedelta(days=7)
_LEARNERS = [
    {"mail": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace", "dueDate": _DUE.isoformat()},
    {"mail": "nameless@example.com", "dueDate": _DUE.isoformat()},
]


class Sample(NamedTuple):
    """
    Sample values for one mail.

    :param missing: Names of the missing values, as templates write them; empty if none is missing.
    :param session: The session.
    :param first_name: First name of the recipient.
    :param change: The dates that changed.
    :param statistics: The progress of the learners.
    :param due_date: The due date of the learners.
    """

    missing: str
    session: ProgramSession
    first_name: str | None
    change: Mapping[str, tuple[datetime | None, datetime | None]] | None
    statistics: SessionStatistics | None
    due_date: datetime | None


def build_samples(template: str, rule: ReminderRule | None = None) -> Iterator[Sample]:
    """
    Yield samples: complete, with one part missing, with one part only, and with least.

    :param template: Name of the template.
    :param rule: The rule that uses it; it decides which values are never missing. Default unknown.
    """
    options: dict[str, _Options] = {
        "name": {"": "Safety", "session.name": None},
        "start": _build_date("session.start", _START, is_known=rule is not None and rule.anchor == "startDate"),
        "end": _build_date("session.end", _END, is_known=rule is not None and rule.anchor == "endDate"),
        "first_name": {"": "Ada", "recipient.first_name": None},
        "due_date": _build_due_dates(rule),
        "change": _build_changes(rule),
        "statistics": _build_statistics(is_known=rule is not None and _has_statistics(template, rule)),
    }
    full = {part: next(iter(choices)) for part, choices in options.items()}
    least = {part: next(reversed(choices)) for part, choices in options.items()}
    one_missing = [full | {part: choice} for part, choices in options.items() for choice in choices if choice]
    one_only = [least | {part: full[part]} for part in options]
    for chosen in (full, *one_missing, *one_only, least):
        missing = ", ".join(filter(None, chosen.values()))
        yield _build_sample(missing, {part: options[part][choice] for part, choice in chosen.items()})


def _build_sample(missing: str, parts: Mapping[str, Any]) -> Sample:
    dates = {"startDate": parts["start"], "endDate": parts["end"]}
    session = ProgramSession.model_validate({"_id": "0" * 24, "name": parts["name"], **dates})
    known = parts["statistics"]
    statistics = None if known is None else SessionStatistics.model_validate(known)
    return Sample(missing, session, parts["first_name"], parts["change"], statistics, parts["due_date"])


def _build_date(name: str, date: datetime, *, is_known: bool) -> _Options:
    return {"": date} if is_known else {"": date, name: None}


def _build_due_dates(rule: ReminderRule | None) -> _Options:
    if rule is None:
        return {"": _DUE, "due_date": None}
    return {"": _DUE if rule.anchor == "dueDate" else None}


def _build_changes(rule: ReminderRule | None) -> _Options:
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


def _build_statistics(*, is_known: bool) -> _Options:
    statistics = {
        "": {"registered": 3, "completed": 1, "usersStats": _LEARNERS},
        "digest.completed, digest.names": {"registered": 3},
        "digest.registered, digest.completed, digest.names": {},
    }
    return statistics if is_known else statistics | {"digest": None}


def _has_statistics(template: str, rule: ReminderRule) -> bool:
    """Whether the mails of a template always have statistics."""
    is_digest = template == "tutors_digest" and rule.template is None
    return is_digest or rule.needs_statistics(rule.audience)
