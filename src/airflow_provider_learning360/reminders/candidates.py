"""Which sessions a plan has to keep: the others are dropped while the list of all sessions arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.document_list import DocumentChoice
from airflow_provider_learning360.api.fields import SESSION_FIELDS_V2
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.reminders.dates import is_set
from airflow_provider_learning360.reminders.due_dates import may_be_due, may_remind_of_due_date
from airflow_provider_learning360.reminders.planner import Plan, SessionPlanner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from airflow_provider_learning360.reminders.moves import AnnouncedRecord
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

# What a plan, its log and the statistics of a session need; API v2 finds the statistics by the path.
_KEYS = frozenset({"_id", "name", "startDate", "endDate", "modifiedAt", "pathId"})


# To tell who the tutors are: API v1 has them in its list; API v2 needs these fields to read them.
_TUTOR_KEYS = frozenset({"tutors", *SESSION_FIELDS_V2})


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
        self._has_notices = any(rule.on for rule in policy.rules)
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
        may_have_reminder = self._has_notices or is_near(self._policy, session, self._now, self._now)
        return may_have_reminder and self._has_reminder_or_change(session)

    def _has_reminder_or_change(self, session: ProgramSession) -> bool:
        known = self._announced.get(session.id)
        alone = Plan(announced={} if known is None else {session.id: known})
        self._planner.add_session(session, alone)
        return bool(alone.due) or alone.announced.get(session.id) != known


class PreviewFilter:
    """
    Tells which sessions matter to a plan for people, which looks ahead: no other has a reminder.

    Such a plan announces no moved dates, so only the dates of a session count. It reads nothing while the list arrives.

    :param policy: The policy.
    :param now: The time of the plan.
    :param until: Until when it looks ahead.
    :param limit: How many sessions it may keep; default all.
    """

    def __init__(self, policy: ReminderPolicy, now: datetime, until: datetime, limit: int | None = None) -> None:
        self.kept = 0
        # Sessions that matter, and are beyond the limit.
        self.beyond_limit = 0
        self._policy, self._now, self._until, self._limit = policy, now, until, limit

    @property
    def choice(self) -> DocumentChoice:
        """What to keep of the list."""
        fields = _KEYS | self._policy.session_keys
        return DocumentChoice(fields, self.matches, with_drift=False, may_be_gone=True, extras=_TUTOR_KEYS)

    def matches(self, session: ProgramSession) -> bool:
        """
        Whether a session matters, and is within the limit.

        :param session: The session.
        """
        if not is_near(self._policy, session, self._now, self._until) and not may_remind_of_due_date(
            self._policy, session, self._now, self._until
        ):
            return False
        if self.kept == self._limit:
            self.beyond_limit += 1
            return False
        self.kept += 1
        return True


def is_near(policy: ReminderPolicy, session: ProgramSession, now: datetime, until: datetime) -> bool:
    """
    Whether a rule about the start or the end of a session may have a reminder in a window of time.

    :param policy: The policy.
    :param session: The session.
    :param now: The first moment of the window.
    :param until: The last moment.
    """
    for rule in policy.rules:
        date = None if rule.on else rule.schedule.find_date(session)
        if is_set(date) and may_be_due(rule, policy.max_lateness.total, (date, date), (now, until)):
            return True
    return False


class StoredSessions:
    """
    Sessions that are kept as small documents, since there may be many.

    :param documents: The documents.
    """

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self._documents = documents

    def __len__(self) -> int:
        return len(self._documents)

    def __iter__(self) -> Iterator[ProgramSession]:
        return map(ProgramSession.from_json, self._documents)
