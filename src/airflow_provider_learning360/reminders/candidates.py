"""Which sessions a sweep has to keep: the others are dropped while the list of all sessions arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.reminders.dates import is_set
from airflow_provider_learning360.reminders.due_dates import may_be_due, may_remind_of_due_date
from airflow_provider_learning360.reminders.planner import Plan, SessionPlanner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from airflow_provider_learning360.reminders.moves import AnnouncedRecord
    from airflow_provider_learning360.reminders.policy import ReminderPolicy, ReminderRule

# What a plan, its log and the statistics of a session need; API v2 finds the statistics by the path.
_KEYS = frozenset({"_id", "name", "startDate", "endDate", "modifiedAt", "pathId"})


class CandidateFilter:
    """
    Tells which sessions matter to a sweep: the plan of these alone is the plan of all.

    :param policy: The policy.
    :param now: The time of the sweep, in UTC.
    :param announced: The `announced` of the last sweep.
    """

    def __init__(self, policy: ReminderPolicy, now: datetime, announced: Mapping[str, AnnouncedRecord]) -> None:
        # IDs of sessions with announced dates that were not in the list so far.
        self.missing = set(announced)
        self._policy = policy
        self._now = now
        self._announced = announced
        # Statistics only make reminders needless, so without them no reminder is missed.
        self._planner = SessionPlanner(policy, now, {})

    @property
    def fields(self) -> frozenset[str]:
        """Names of the fields of a session that a sweep needs, in the API."""
        return _KEYS | self._policy.session_keys

    def matches(self, session: ProgramSession) -> bool:
        """
        Whether a reminder about a session may be due, or its announced dates have to be stored.

        :param session: The session.
        """
        self.missing.discard(session.id)
        if may_remind_of_due_date(self._policy, session, self._now):
            return True
        # Most sessions are far from all dates, and a plan of each would take minutes.
        return self._may_have_reminder(session) and self._has_reminder_or_change(session)

    def _may_have_reminder(self, session: ProgramSession) -> bool:
        return any(rule.on or self._is_near(rule, session) for rule in self._policy.rules)

    def _is_near(self, rule: ReminderRule, session: ProgramSession) -> bool:
        date = rule.schedule.find_date(session)
        if not is_set(date):
            return False
        return may_be_due(rule, self._policy.max_lateness.total, (date, date), (self._now, self._now))

    def _has_reminder_or_change(self, session: ProgramSession) -> bool:
        known = self._announced.get(session.id)
        alone = Plan(announced={} if known is None else {session.id: known})
        self._planner.add_session(session, alone)
        return bool(alone.due) or alone.announced.get(session.id) != known


class StoredSessions:
    """
    Sessions that are kept as small documents, since there may be many.

    :param documents: The documents.
    """

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self._documents = documents

    def __iter__(self) -> Iterator[ProgramSession]:
        return map(ProgramSession.from_json, self._documents)
