"""Which reminders are due: a pure function of sessions, policy and time, the same in every sweep."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import FixArgumentError, InvalidIdError
from airflow_provider_learning360.api.models import format_date
from airflow_provider_learning360.api.progress import find_due_dates, find_late
from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.reminders.calendar import Calendar
from airflow_provider_learning360.reminders.dates import is_set
from airflow_provider_learning360.reminders.moves import Announced, AnnouncedRecord, Move, MoveResult, find_move
from airflow_provider_learning360.reminders.overlaps import find_superseded
from airflow_provider_learning360.reminders.reminder import DueReminder, build_key, format_compact, format_compact_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics
    from airflow_provider_learning360.reminders.policy import ReminderPolicy, ReminderRule

__all__ = ["DueReminder", "Plan", "PlanItem", "Skipped", "plan"]

# Quiet hours, days off and clock changes move a repetition by at most this much.
MAX_SHIFT = timedelta(days=10)
HAS_AUTOMATED_REMINDERS = "360Learning sends its own reminders for it (automatedReminders)"


@dataclass(frozen=True, slots=True)
class Skipped:
    """
    A reminder that is not due.

    :param rule: Name of the rule.
    :param session_id: ID of the session.
    :param reason: Why it is not due.
    :param due: When it will be due, if known.
    :param anchor_at: The due date that it is about, as the API writes it; None for all other dates.
    """

    rule: str
    session_id: str
    reason: str
    due: datetime | None = None
    anchor_at: str | None = None


# What the planner decides about one rule and one session.
PlanItem = DueReminder | Skipped


@dataclass(slots=True)
class Plan:
    """
    The result of one sweep.

    :param due: The reminders that are due.
    :param skipped: Those that are not, and why.
    :param announced: The announced dates by session ID, for the next sweep.
    """

    due: list[DueReminder] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    announced: dict[str, AnnouncedRecord] = field(default_factory=dict)


def plan(
    sessions: Iterable[ProgramSession],
    policy: ReminderPolicy,
    now: datetime,
    *,
    statistics: Mapping[str, SessionStatistics] | None = None,
    announced: Mapping[str, AnnouncedRecord] | None = None,
) -> Plan:
    """
    Return which reminders are due, and why the others are not.

    :param sessions: The sessions as they are now.
    :param policy: The policy.
    :param now: The time of the sweep, with a time zone.
    :param statistics: By the session's ID, the progress of its learners. Without them, a reminder to `not_completed`
        is due even if everybody has finished, and none is due about the `dueDate` of learners.
    :param announced: The `announced` of the last sweep; without it, no change of dates is announced.
    :raises FixArgumentError: `now` has no time zone.
    """
    if now.tzinfo is None:
        raise FixArgumentError("now: it has no time zone. Give one such as datetime.now(UTC).")
    planner = SessionPlanner(policy, now.astimezone(UTC), statistics or {})
    result = Plan(announced=dict(announced or {}))
    for session in sessions:
        planner.add_session(session, result)
    return result


class SessionPlanner:
    """
    Plans the reminders of a policy at one time, session by session.

    :param policy: The policy.
    :param now: The time of the sweep, in UTC.
    :param statistics: By the session's ID, the progress of its learners.
    """

    def __init__(self, policy: ReminderPolicy, now: datetime, statistics: Mapping[str, SessionStatistics]) -> None:
        self.policy = policy
        self.now = now
        self.statistics = statistics
        self.calendar = Calendar(policy)
        self.max_lateness = policy.max_lateness.total
        self.settle = next((rule.settle.total for rule in policy.rules if rule.on), None)

    def add_session(self, session: ProgramSession, result: Plan) -> None:
        """
        Add to a plan what is due for a session, and why the rest is not.

        :param session: The session as it is now.
        :param result: The plan, with what was announced before.
        """
        items = self._plan_rules(session, result.announced)
        due = [(rule, item) for rule, item in items if isinstance(item, DueReminder)]
        drops_overlaps = len(due) > 1 and self.policy.when_several_are_due == "closest"
        superseded = find_superseded(due) if drops_overlaps else {}
        for rule, item in items:
            if isinstance(item, Skipped):
                result.skipped.append(item)
            elif item.key in superseded:
                reason = f"a closer reminder is due: {superseded[item.key]}"
                due_date = item.anchor_at if item.anchor == "dueDate" else None
                result.skipped.append(Skipped(rule.name, session.id, reason, anchor_at=due_date))
            else:
                result.due.append(item)

    def _plan_rules(
        self, session: ProgramSession, announced: dict[str, AnnouncedRecord]
    ) -> list[tuple[ReminderRule, PlanItem]]:
        """Return what each rule decides for a session, regardless of the other rules."""
        moves = None
        if self.settle is not None:
            known = Announced.from_dict(announced.get(session.id))
            moves = find_move(session, known, self.settle, self.calendar, self.now)
            announced[session.id] = moves.announced.to_dict()
        reason = explain_excluded(self.policy, session)
        if reason:
            return [(rule, Skipped(rule.name, session.id, reason)) for rule in self.policy.rules]
        return [(rule, item) for rule in self.policy.rules for item in self._plan_rule(rule, session, moves)]

    def _plan_rule(self, rule: ReminderRule, session: ProgramSession, moves: MoveResult | None) -> list[PlanItem]:
        if rule.anchor == "dueDate":
            return self._plan_due_dates(rule, session)
        item = self._plan_notice(rule, session, moves) if rule.on and moves else self._plan_date(rule, session)
        reason = self._find_reason_of_progress(rule, session) if isinstance(item, DueReminder) else None
        return [Skipped(rule.name, session.id, reason) if reason else item]

    def _plan_due_dates(self, rule: ReminderRule, session: ProgramSession) -> list[PlanItem]:
        """Return an item for each due date of learners who have not completed: they share one reminder."""
        statistics = self.statistics.get(session.id)
        if statistics is None:
            return [Skipped(rule.name, session.id, "the due dates of its learners were not read")]
        items: list[PlanItem] = []
        for date in find_due_dates(statistics):
            item = self._plan_anchor(rule, session, date)
            items.append(replace(item, anchor_at=format_date(date)) if isinstance(item, Skipped) else item)
        return items or [Skipped(rule.name, session.id, "no unfinished learner has a due date")]

    def _plan_notice(self, rule: ReminderRule, session: ProgramSession, moves: MoveResult) -> PlanItem:
        move = moves.move
        if move is None:
            return Skipped(rule.name, session.id, moves.reason)
        return self._find_reason_to_wait(rule, session, move.due, None) or self._build_notice(rule, session, move)

    def _plan_date(self, rule: ReminderRule, session: ProgramSession) -> PlanItem:
        anchor = rule.schedule.find_date(session)
        if anchor is None:
            return Skipped(rule.name, session.id, f"it has no {rule.anchor}")
        return self._plan_anchor(rule, session, anchor)

    def _plan_anchor(self, rule: ReminderRule, session: ProgramSession, anchor: datetime) -> PlanItem:
        """Return what a rule decides about one date."""
        if not is_set(anchor):
            return Skipped(rule.name, session.id, f"its {rule.anchor} is not set")
        if rule.before is not None and anchor <= self.now:
            return Skipped(rule.name, session.id, f"its {rule.anchor} was {self.calendar.format_moment(anchor)}")
        try:
            occurrence, due = self._find_occurrence(rule, anchor)
        except OverflowError:
            return Skipped(rule.name, session.id, f"its {rule.anchor} is too far away")
        before = anchor if rule.before is not None else None
        return self._find_reason_to_wait(rule, session, due, before) or self._build_reminder(
            rule, session, anchor, occurrence, due
        )

    def _find_occurrence(self, rule: ReminderRule, anchor: datetime) -> tuple[int, datetime]:
        """Return the repetition to plan, and when it is due: the latest in its window, or else the next."""
        schedule = rule.schedule
        if rule.every is None or rule.at_most is None:
            return 0, self.calendar.find_due(schedule, anchor)
        may_have_begun = (self.now + MAX_SHIFT - anchor - schedule.distance.total) // rule.every.total
        upcoming = []
        for number in range(max(0, min(rule.at_most - 1, may_have_begun + 1)), -1, -1):
            due = self.calendar.find_due(schedule, anchor, number)
            if due > self.now:
                upcoming.append((due, number))
            elif not upcoming or due + self.max_lateness >= self.now:
                return number, due
            else:
                break
        # Days off may move an earlier repetition after a later one. Then only the one that is due first is planned.
        due, number = min(upcoming)
        return number, due

    def _find_reason_to_wait(
        self, rule: ReminderRule, session: ProgramSession, due: datetime, before: datetime | None
    ) -> Skipped | None:
        """Return why a reminder cannot go out now, or None."""
        release = self.calendar.find_release(due, self.now, before)
        return Skipped(rule.name, session.id, release.reason, release.at) if release.reason else None

    def _find_reason_of_progress(self, rule: ReminderRule, session: ProgramSession) -> str | None:
        """Return why the progress of the learners makes a reminder needless, or None."""
        statistics = self.statistics.get(session.id)
        if statistics is None or not self._are_complete(statistics):
            return None
        if ("not_completed" in rule.audience or rule.has_only_late_learners) and not statistics.not_completed():
            return "all learners have finished"
        if rule.has_only_late_learners and not find_late(statistics, self.now, session.end_date):
            return "no learner is late"
        return None

    def _are_complete(self, statistics: SessionStatistics) -> bool:
        """Whether statistics have all learners. They may lack some, who then count as not finished."""
        if statistics.users_stats is None:
            return False
        registered = statistics.registered or 0  # a text if the API sent a number that is out of range
        return isinstance(registered, int) and len(statistics.users_stats) >= registered

    def _build_reminder(
        self, rule: ReminderRule, session: ProgramSession, anchor: datetime, occurrence: int, due: datetime
    ) -> DueReminder:
        number = None if rule.every is None else occurrence
        parts = [format_compact(anchor)] if number is None else [format_compact(anchor), str(number)]
        about = {"anchor": rule.anchor, "anchor_at": format_date(anchor), "occurrence": number}
        return self._build(rule, session, due, parts, audience=rule.find_audience(occurrence), **about)

    def _build_notice(self, rule: ReminderRule, session: ProgramSession, move: Move) -> DueReminder:
        dates = f"{format_compact_text(move.after['startDate'])}_{format_compact_text(move.after['endDate'])}"
        change = {"from": move.before, "to": move.after}
        parts = [dates, format_compact(move.at)]
        return self._build(rule, session, move.due, parts, audience=rule.audience, change=change)

    def _build(
        self, rule: ReminderRule, session: ProgramSession, due: datetime, parts: list[str], **about: Any
    ) -> DueReminder:
        return DueReminder(
            key=build_key(self.policy.name, rule.name, session.id, *parts),
            policy=self.policy.name,
            rule=rule.name,
            session_id=session.id,
            due=due,
            to=rule.to,
            message=rule.message,
            delivery=rule.delivery,
            template=rule.template,
            **about,
        )


def explain_excluded(policy: ReminderPolicy, session: ProgramSession) -> str | None:
    """Return why a session gets no reminders at all, or None."""
    try:
        # The ID becomes part of the key.
        if require_session_id(session.id) != session.id:
            return "its ID is not in lower case, as 360Learning writes IDs"
    except InvalidIdError:
        return "its ID is not an ID of 360Learning"
    return HAS_AUTOMATED_REMINDERS if policy.skip_if_automated_reminders and session.automated_reminders else None
