"""The result of `plan-reminders`: what a policy would cause, session by session, without sending anything."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypedDict

from airflow_provider_learning360.api.progress import select_due_date
from airflow_provider_learning360.reminders.calendar import Calendar
from airflow_provider_learning360.reminders.dates import is_set
from airflow_provider_learning360.reminders.due_dates import may_remind_of_due_date
from airflow_provider_learning360.reminders.planner import DueReminder, Skipped, plan
from airflow_provider_learning360.reminders.recipients import Recipient, Recipients, find_recipients

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_learning360.api.models import Learner, ProgramSession, SessionStatistics
    from airflow_provider_learning360.hooks.learning import LearningHook
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

Outcome = DueReminder | Skipped


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
        totals, outcomes = self._totals, _Outcomes(self, session)
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

    def _describe(self, session: ProgramSession, outcomes: _Outcomes) -> SessionPlan:
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

    def _describe_due(self, reminder: DueReminder, outcomes: _Outcomes) -> RulePlan:
        people = outcomes.recipients(reminder)
        release = outcomes.releases.get(find_place(reminder), self.now)
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


Place = tuple[str, str | None]


def find_place(outcome: Outcome) -> Place:
    """
    Return what tells the outcomes for one session apart: the rule, and the due date that it is about.

    :param outcome: The outcome.
    """
    is_about_session = isinstance(outcome, DueReminder) and outcome.anchor != "dueDate"
    return outcome.rule, None if is_about_session else outcome.anchor_at


class _Outcomes:
    """What each rule causes for one session; reads its people only if somebody would get something."""

    def __init__(self, run: DryRun, session: ProgramSession) -> None:
        self._run = run
        self._session = session
        self.releases: dict[Place, datetime] = {}  # where it is not now
        has_due_dates = may_remind_of_due_date(run.policy, session, run.now, run.until)
        self.all = self._plan(self._statistics if has_due_dates else None)
        if not has_due_dates and any({"not_completed", "late"} & {*one.audience} for one in self.reminders):
            self.all = self._plan(self._statistics)

    @property
    def reminders(self) -> list[DueReminder]:
        """The reminders that become due."""
        return [one for one in self.all if isinstance(one, DueReminder)]

    def recipients(self, reminder: DueReminder) -> Recipients:
        """Return who gets a reminder."""
        audience, rule = reminder.audience, self._run.policy.find_rule(reminder.rule)
        needs_progress = reminder.due_date is not None or {"not_completed", "late"} & {*audience}
        return find_recipients(
            rule,
            self._full_session if "tutors" in audience else self._session,
            self._statistics if needs_progress else None,
            self._learners if {*audience} - {"tutors"} else None,
            audience=audience,
            now=self.releases.get(find_place(reminder), self._run.now),
            due_date=reminder.due_date,
        )

    @cached_property
    def _full_session(self) -> ProgramSession:
        return self._run.hook.complete_program_session(self._session, frozenset({"tutors"}))

    @cached_property
    def _statistics(self) -> SessionStatistics:
        return self._run.hook.get_program_session_stats(self._session.id, self._session)

    @cached_property
    def _learners(self) -> list[Learner]:
        return self._run.hook.get_program_session_users(self._session.id)

    def _plan(self, statistics: SessionStatistics | None) -> list[Outcome]:
        """Return what becomes due until the end of the window, or why nothing does, in the order of the rules."""
        outcomes = self._plan_at(self._run.now, statistics)
        for place, outcome in outcomes.items():
            if isinstance(outcome, Skipped) and outcome.due and outcome.due <= self._run.until:
                outcomes[place] = self._plan_later(place, outcome.due, statistics)
                self.releases[place] = outcome.due
        names = [rule.name for rule in self._run.policy.rules]
        return sorted(outcomes.values(), key=lambda one: (names.index(one.rule), find_place(one)[1] or ""))

    def _plan_later(self, place: Place, now: datetime, statistics: SessionStatistics | None) -> Outcome:
        due_date = place[1]
        if statistics is not None and due_date is not None:
            statistics = select_due_date(statistics, datetime.fromisoformat(due_date))
        return self._plan_at(now, statistics)[place]

    def _plan_at(self, now: datetime, statistics: SessionStatistics | None) -> dict[Place, Outcome]:
        known = {} if statistics is None else {self._session.id: statistics}
        result = plan([self._session], self._run.policy, now, statistics=known)
        outcomes: list[Outcome] = [*result.due, *result.skipped]
        return {find_place(outcome): outcome for outcome in outcomes}


def _shorten(mail: str) -> str:
    """Return an address that only somebody who knows it can recognize."""
    _, at, domain = mail.rpartition("@")
    return f"{mail[:1]}…{at}{domain if at else ''}"
