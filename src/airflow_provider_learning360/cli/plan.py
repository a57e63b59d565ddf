"""The result of `plan-reminders`: what a policy would cause, session by session, without sending anything."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypedDict

from airflow_provider_learning360.reminders.calendar import Calendar
from airflow_provider_learning360.reminders.dates import is_set
from airflow_provider_learning360.reminders.outcomes import SessionOutcomes, find_place
from airflow_provider_learning360.reminders.planner import DueReminder, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.reminders.policy import ReminderPolicy
    from airflow_provider_learning360.reminders.recipients import Recipient


class RulePlan(TypedDict):
    """
    What one rule of the policy causes for one session.

    Times are those of the policy's wall clock. Of a skipped rule, only `rule`, `status`, `reason` and `due_date` are
    set. A rule about the `dueDate` of learners is there once for each due date; of other rules `due_date` is null.
    """

    rule: str
    status: Literal["due", "skipped"]
    reason: str | None
    due_date: str | None
    due: str | None
    release: str | None
    notes: list[str]
    message: str | None
    occurrence: int | None
    recipients: list[str]
    without_address: list[str]


class SessionPlan(TypedDict):
    """What the policy causes for one session. `start` and `end` are null if they are not set."""

    session_id: str
    title: str
    start: str | None
    end: str | None
    rules: list[RulePlan]


class Totals(TypedDict):
    """How much the policy causes in all; `mails` counts the recipients of all reminders."""

    sessions: int
    sessions_with_reminders: int
    sessions_not_shown: int
    reminders: int
    mails: int
    without_address: int


# `from` is a keyword of Python.
PlanResult = TypedDict(
    "PlanResult",
    {
        "policy": str,
        "from": str,
        "until": str,
        "time_zone": str,
        "sessions": list[SessionPlan],
        "totals": Totals,
    },
)


class DryRun:
    """
    Plans the reminders of many sessions, and adds them up.

    :param policy: The policy.
    :param hook: Reads the statistics and the learners of sessions that have a reminder.
    :param now: The time of the plan.
    :param until: Until when to look ahead.
    :param show_addresses: Whether to show mail addresses in full.
    """

    def __init__(
        self, policy: ReminderPolicy, hook: LearningHook, now: datetime, until: datetime, *, show_addresses: bool
    ) -> None:
        self.policy = policy
        self.hook = hook
        self.now = now
        self.until = until
        self.calendar = Calendar(policy)
        self._show_addresses = show_addresses
        self._sessions: list[SessionPlan] = []
        self._totals: Totals = {
            "sessions": 0,
            "sessions_with_reminders": 0,
            "sessions_not_shown": 0,
            "reminders": 0,
            "mails": 0,
            "without_address": 0,
        }

    def add(self, session: ProgramSession, *, keep: bool) -> None:
        """
        Plan the reminders of a session.

        :param session: The session.
        :param keep: Whether to show a session without reminders, too.
        """
        totals, outcomes = self._totals, SessionOutcomes(self.policy, self.hook, session, self.now, self.until)
        totals["sessions"] += 1
        if outcomes.reminders:
            totals["sessions_with_reminders"] += 1
        elif not keep:
            totals["sessions_not_shown"] += 1
            return
        planned = self._describe(session, outcomes)
        for rule in planned["rules"]:
            totals["reminders"] += rule["status"] == "due"
            totals["mails"] += len(rule["recipients"])
            totals["without_address"] += len(rule["without_address"])
        self._sessions.append(planned)

    def add_others(self, count: int) -> None:
        """
        Count sessions that have no reminder and are not shown.

        :param count: How many.
        """
        self._totals["sessions"] += count
        self._totals["sessions_not_shown"] += count

    def result(self) -> PlanResult:
        """Return the plan of all sessions."""
        return {
            "policy": self.policy.name,
            "from": self.calendar.format_moment(self.now),
            "until": self.calendar.format_moment(self.until),
            "time_zone": str(self.policy.time_zone),
            "sessions": self._sessions,
            "totals": self._totals,
        }

    def _describe(self, session: ProgramSession, outcomes: SessionOutcomes) -> SessionPlan:
        return {
            "session_id": session.id,
            "title": session.title,
            "start": self._date(session.start_date),
            "end": self._date(session.end_date),
            "rules": [
                self._describe_skipped(one) if isinstance(one, Skipped) else self._describe_due(one, outcomes)
                for one in outcomes.all
            ],
        }

    def _date(self, date: datetime | None) -> str | None:
        return self.calendar.format_moment(date) if date and is_set(date) else None

    def _describe_skipped(self, skipped: Skipped) -> RulePlan:
        reason = skipped.reason
        if self.policy.find_rule(skipped.rule).on:
            reason = "a dry run does not know which dates were announced before"
        due_date = self._due_date(skipped.anchor_at)
        return {**_EMPTY, "rule": skipped.rule, "status": "skipped", "reason": reason, "due_date": due_date}

    def _due_date(self, date: str | None) -> str | None:
        return self.calendar.format_moment(datetime.fromisoformat(date)) if date else None

    def _describe_due(self, reminder: DueReminder, outcomes: SessionOutcomes) -> RulePlan:
        people = outcomes.recipients(reminder)
        release = outcomes.release_of(reminder)
        return {
            "rule": reminder.rule,
            "status": "due",
            "reason": None,
            "due_date": self._due_date(find_place(reminder)[1]),
            "due": self.calendar.format_moment(reminder.due),
            "release": self.calendar.format_moment(release),
            "notes": list(self._notes(reminder, release)),
            "message": "digest" if reminder.message == "digest" else "message",
            "occurrence": None if reminder.occurrence is None else reminder.occurrence + 1,
            "recipients": self._addresses(people.mailable),
            "without_address": self._addresses(people.unmailable),
        }

    def _notes(self, reminder: DueReminder, release: datetime) -> Iterator[str]:
        if release == self.now:
            yield "now"
        elif release > reminder.due:
            yield f"held until quiet hours and days off end at {self.calendar.format_moment(release)}"
        if not self.calendar.is_open(release):
            yield "in quiet hours or on a day off, when_late: send"

    def _addresses(self, people: Iterable[Recipient]) -> list[str]:
        return [self._address(one) for one in people]

    def _address(self, person: Recipient) -> str:
        if not person.mail:
            return f"user {person.user_id}" if person.user_id else "unknown"
        return person.mail if self._show_addresses else _shorten(person.mail)


_EMPTY: RulePlan = {
    "rule": "",
    "status": "skipped",
    "reason": None,
    "due_date": None,
    "due": None,
    "release": None,
    "notes": [],
    "message": None,
    "occurrence": None,
    "recipients": [],
    "without_address": [],
}


def _shorten(mail: str) -> str:
    """Return an address that only somebody who knows it can recognize."""
    _, at, domain = mail.rpartition("@")
    return f"{mail[:1]}…{at}{domain if at else ''}"
