"""What a policy would cause for one session within some time: a plan that looks ahead, for people to read."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from airflow_provider_learning360.api.progress import select_due_date
from airflow_provider_learning360.reminders.due_dates import may_remind_of_due_date
from airflow_provider_learning360.reminders.planner import DueReminder, PlanItem, Skipped, plan
from airflow_provider_learning360.reminders.recipients import Recipients, find_recipients

if TYPE_CHECKING:
    from airflow_provider_learning360.api.models import Learner, ProgramSession, SessionStatistics
    from airflow_provider_learning360.reminders.policy import ReminderPolicy

Place = tuple[str, str | None]


def find_place(outcome: PlanItem) -> Place:
    """
    Return what tells the outcomes for one session apart: the rule, and the due date that it is about.

    :param outcome: The outcome.
    """
    is_about_session = isinstance(outcome, DueReminder) and outcome.anchor != "dueDate"
    return outcome.rule, None if is_about_session else outcome.anchor_at


class SessionReader(Protocol):
    """Reads what a plan needs of one session: a hook."""

    def complete_program_session(self, session: ProgramSession, keys: frozenset[str] | None = None) -> ProgramSession:
        """Return the session with further fields."""

    def get_program_session_users(self, session_id: str) -> list[Learner]:
        """Return the learners of a session."""

    def get_program_session_stats(self, session_id: str, session: ProgramSession | None = None) -> SessionStatistics:
        """Return the progress of the learners of a session."""


class SessionOutcomes:
    """
    What each rule causes for one session, until some time; reads its people only if somebody would get something.

    :param policy: The policy.
    :param reader: Reads the people of the session.
    :param session: The session.
    :param now: The time of the plan.
    :param until: Until when to look ahead.
    """

    def __init__(
        self, policy: ReminderPolicy, reader: SessionReader, session: ProgramSession, now: datetime, until: datetime
    ) -> None:
        self._policy = policy
        self._reader = reader
        self._session = session
        self._now = now
        self._until = until
        self.releases: dict[Place, datetime] = {}  # where it is not now
        has_due_dates = may_remind_of_due_date(policy, session, now, until)
        self.all = self._plan(self._statistics if has_due_dates else None)
        if not has_due_dates and any({"not_completed", "late"} & {*one.audience} for one in self.reminders):
            self.all = self._plan(self._statistics)

    def release_of(self, reminder: DueReminder) -> datetime:
        """
        Return when a reminder goes out.

        :param reminder: One of `reminders`.
        """
        return self.releases.get(find_place(reminder), self._now)

    @property
    def reminders(self) -> list[DueReminder]:
        """The reminders that become due."""
        return [one for one in self.all if isinstance(one, DueReminder)]

    def recipients(self, reminder: DueReminder) -> Recipients:
        """
        Return who gets a reminder.

        :param reminder: One of `reminders`.
        """
        audience, rule = reminder.audience, self._policy.find_rule(reminder.rule)
        needs_progress = reminder.due_date is not None or {"not_completed", "late"} & {*audience}
        return find_recipients(
            rule,
            self._full_session if "tutors" in audience else self._session,
            self._statistics if needs_progress else None,
            self._learners if {*audience} - {"tutors"} else None,
            audience=audience,
            now=self.release_of(reminder),
            due_date=reminder.due_date,
        )

    @cached_property
    def _full_session(self) -> ProgramSession:
        return self._reader.complete_program_session(self._session, frozenset({"tutors"}))

    @cached_property
    def _statistics(self) -> SessionStatistics:
        return self._reader.get_program_session_stats(self._session.id, self._session)

    @cached_property
    def _learners(self) -> list[Learner]:
        return self._reader.get_program_session_users(self._session.id)

    def _plan(self, statistics: SessionStatistics | None) -> list[PlanItem]:
        """Return what becomes due until the end of the window, or why nothing does, in the order of the rules."""
        outcomes = self._plan_at(self._now, statistics)
        for place, outcome in outcomes.items():
            if isinstance(outcome, Skipped) and outcome.due and outcome.due <= self._until:
                outcomes[place] = self._plan_later(place, outcome.due, statistics)
                self.releases[place] = outcome.due
        names = [rule.name for rule in self._policy.rules]
        return sorted(outcomes.values(), key=lambda one: (names.index(one.rule), find_place(one)[1] or ""))

    def _plan_later(self, place: Place, now: datetime, statistics: SessionStatistics | None) -> PlanItem:
        due_date = place[1]
        if statistics is not None and due_date is not None:
            statistics = select_due_date(statistics, datetime.fromisoformat(due_date))
        return self._plan_at(now, statistics)[place]

    def _plan_at(self, now: datetime, statistics: SessionStatistics | None) -> dict[Place, PlanItem]:
        known = {} if statistics is None else {self._session.id: statistics}
        result = plan([self._session], self._policy, now, statistics=known)
        outcomes: list[PlanItem] = [*result.due, *result.skipped]
        return {find_place(outcome): outcome for outcome in outcomes}
