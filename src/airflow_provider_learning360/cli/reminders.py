"""`plan-reminders` and `reminder-schema`: what a reminder policy means, before anything is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_learning360.api.errors import FixArgumentError, redact
from airflow_provider_learning360.api.sanitizer import printable
from airflow_provider_learning360.cli.failure import told_in_one_line
from airflow_provider_learning360.cli.output import write
from airflow_provider_learning360.cli.program_session import stdout_kept_clean
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.reminders.calendar import Calendar
from airflow_provider_learning360.reminders.dates import is_set
from airflow_provider_learning360.reminders.planner import DueReminder, PlanItem, Skipped, plan
from airflow_provider_learning360.reminders.policy import ReminderPolicy
from airflow_provider_learning360.reminders.recipients import Recipient, find_recipients

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_learning360.api.models import Learner, ProgramSession, SessionStatistics

LONGEST_HORIZON = 3660  # days


def reminder_schema(_: Namespace) -> None:
    """Print the JSON Schema of a reminder policy."""
    print(json.dumps(ReminderPolicy.json_schema(), indent=2))


def plan_reminders(args: Namespace) -> None:
    """
    Print who would get which reminder when, and why not; nothing is sent or remembered.

    :param args: `policy`, `at`, `horizon`, `session`, `learning_conn_id` and `show_addresses`.
    """
    with told_in_one_line():
        policy = ReminderPolicy.read(args.policy)
        now, until = _span(args, policy)
        calendar = Calendar(policy)
        with stdout_kept_clean():
            hook = LearningHook(args.learning_conn_id)
            sessions = (
                [hook.get_program_session(one) for one in args.session]
                if args.session
                else hook.list_program_sessions()
            )
        span = f"from {calendar.format_moment(now)} until {calendar.format_moment(until)}"
        write(f"{policy.name}: {span}, {policy.time_zone}")
        silent = 0
        for session in sessions:
            dry_run = _DryRun(policy, calendar, now, until, session, hook)
            if args.session or dry_run.has_something:
                write("\n".join(["", *dry_run.lines(show_addresses=args.show_addresses)]))
            else:
                silent += 1
        if silent:
            print(f"\nNothing for {silent} other sessions; --session ID says why.")


class _DryRun:
    """What one session would cause; asks for its people only if somebody would get something."""

    def __init__(
        self,
        policy: ReminderPolicy,
        calendar: Calendar,
        now: datetime,
        until: datetime,
        session: ProgramSession,
        hook: LearningHook,
    ) -> None:
        self.policy = policy
        self.calendar = calendar
        self.now = now
        self.until = until
        self.session = session
        self.hook = hook
        self.goes_out: dict[str, datetime] = {}  # by rule, where it is not now
        self.found = self._found({})
        if any("not_completed" in one.audience for one in self._reminders()):
            self.found = self._found({session.id: self.statistics})

    @property
    def has_something(self) -> bool:
        """Whether anything is due."""
        return any(self._reminders())

    @cached_property
    def statistics(self) -> SessionStatistics:
        """How far the learners are."""
        with stdout_kept_clean():
            return self.hook.get_program_session_stats(self.session.id)

    @cached_property
    def users(self) -> list[Learner]:
        """The learners, with their names."""
        with stdout_kept_clean():
            return self.hook.get_program_session_users(self.session.id)

    def lines(self, *, show_addresses: bool) -> Iterator[str]:
        """
        Yield what there is to say: the session, and each rule.

        :param show_addresses: Whether mail addresses are shown in full.
        """
        dates = [
            f"{what}s {self.calendar.format_moment(date)}" if date and is_set(date) else f"{what} not set"
            for what, date in (("start", self.session.start_date), ("end", self.session.end_date))
        ]
        yield ", ".join([_printable(self.session.title), *dates])
        for one in self.found:
            if isinstance(one, Skipped):
                yield f"  {one.rule}: no, {self._reason(one)}"
            else:
                yield f"  {one.rule}: {self._when(one)}, {self._what(one)} to {self._whom(one, show_addresses)}"

    def _found(self, statistics: Mapping[str, SessionStatistics]) -> list[PlanItem]:
        """Return for each rule what becomes due, or why nothing does."""
        found = self._at(self.now, statistics)
        for name, one in found.items():
            if isinstance(one, Skipped) and one.due and one.due <= self.until:
                found[name] = self._at(one.due, statistics)[name]
                self.goes_out[name] = one.due
        return [found[rule.name] for rule in self.policy.rules]

    def _at(self, now: datetime, statistics: Mapping[str, SessionStatistics]) -> dict[str, PlanItem]:
        result = plan([self.session], self.policy, now, statistics=statistics)
        found: list[PlanItem] = [*result.due, *result.skipped]
        return {one.rule: one for one in found}

    def _reminders(self) -> Iterator[DueReminder]:
        return (one for one in self.found if isinstance(one, DueReminder))

    def _reason(self, skipped: Skipped) -> str:
        if self.policy.find_rule(skipped.rule).on:
            return "a dry run does not know which dates were announced before"
        return skipped.reason

    def _when(self, reminder: DueReminder) -> str:
        moment = self.goes_out.get(reminder.rule, self.now)
        notes = ["now"] if moment == self.now else []
        if moment != self.now and moment > reminder.due:
            notes.append(f"held until quiet hours and days off end at {self.calendar.format_moment(moment)}")
        if not self.calendar.is_open(moment):
            notes.append("in quiet hours or on a day off, when_late: send")
        return f"due {self.calendar.format_moment(reminder.due)}" + (f" ({'; '.join(notes)})" if notes else "")

    def _what(self, reminder: DueReminder) -> str:
        number = "" if reminder.occurrence is None else f" no. {reminder.occurrence + 1}"
        return f"{'digest' if reminder.message == 'digest' else 'message'}{number}"

    def _whom(self, reminder: DueReminder, show_addresses: bool) -> str:
        audience = reminder.audience
        people = find_recipients(
            self.policy.find_rule(reminder.rule),
            self.session,
            self.statistics if "not_completed" in audience else None,
            self.users if {"learners", "not_completed"} & set(audience) else None,
            audience=audience,
        )
        told = _listed(people.mailable, show_addresses) or "nobody"
        left_out = _listed(people.unmailable, show_addresses)
        return f"{told}; no mail address: {left_out}" if left_out else told


def _span(args: Namespace, policy: ReminderPolicy) -> tuple[datetime, datetime]:
    """Return the time of the plan, and until when to look ahead."""
    if not 0 <= args.horizon <= LONGEST_HORIZON:
        raise FixArgumentError(f"--horizon: {args.horizon} is none of 0 to {LONGEST_HORIZON} days.")
    try:
        now = datetime.fromisoformat(args.at) if args.at else datetime.now(tz=UTC)
        # A time without a zone is meant as the policy's times are.
        now = (now if now.tzinfo else now.replace(tzinfo=policy.zone)).astimezone(UTC)
        return now, now + timedelta(days=args.horizon)
    except (ValueError, OverflowError):
        pass
    raise FixArgumentError(f"--at: {redact(repr(args.at))} is no time. Give one such as 2026-03-01T08:00.")


def _listed(people: Iterable[Recipient], in_full: bool) -> str:
    shown = [_printable(one.mail if in_full else _shortened(one.mail)) for one in people]
    return f"{len(shown)}: {', '.join(shown)}" if shown else ""


def _shortened(mail: str) -> str:
    """Return an address by which somebody who knows it knows it again."""
    _, at, domain = mail.rpartition("@")
    return f"{mail[:1]}…{at}{domain if at else ''}"


def _printable(text: str) -> str:
    # What 360Learning holds was typed by people; a terminal obeys some of it.
    return printable(text) or "(none)"
