"""Which reminders are due: a pure function of sessions, policy and time, the same in every sweep."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import FixArgumentError, InvalidIdError
from airflow_provider_learning360.api.models import format_date
from airflow_provider_learning360.api.session_ids import require_session_id
from airflow_provider_learning360.reminders.calendar import Calendar
from airflow_provider_learning360.reminders.dates import is_set
from airflow_provider_learning360.reminders.moves import Announced, Finding, Move, dates_of, find_move
from airflow_provider_learning360.reminders.reminder import DueReminder, compact, compact_text, key_of
from airflow_provider_learning360.reminders.rivals import beaten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_learning360.api.models import ProgramSession, SessionStatistics
    from airflow_provider_learning360.reminders.policy import ReminderPolicy, ReminderRule

__all__ = ["DueReminder", "Plan", "Skipped", "plan", "still_valid"]

# Quiet hours, days off and the change of clocks move a repetition by no more than this.
_SLACK = timedelta(days=10)
_AUTOMATED = "its automatedReminders is on"


@dataclass(frozen=True, slots=True)
class Skipped:
    """
    A reminder that is not due.

    :param rule: Name of the rule.
    :param session_id: ID of the session.
    :param reason: Why it is not due.
    :param due: When it will be, if it will be.
    """

    rule: str
    session_id: str
    reason: str
    due: datetime | None = None


Found = DueReminder | Skipped


@dataclass(slots=True)
class Plan:
    """
    What one sweep found.

    :param due: The reminders that are due.
    :param skipped: Those that are not, and why.
    :param memory: What the next sweep has to know: for each session what was announced of its dates.
    """

    due: list[DueReminder] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    memory: dict[str, Any] = field(default_factory=dict)


def plan(
    sessions: Iterable[ProgramSession],
    policy: ReminderPolicy,
    now: datetime,
    *,
    statistics: Mapping[str, SessionStatistics] | None = None,
    memory: Mapping[str, Any] | None = None,
) -> Plan:
    """
    Return which reminders are due, and why the others are not.

    :param sessions: The sessions as they are now.
    :param policy: The policy.
    :param now: The time of the sweep.
    :param statistics: By the session's ID, how far its learners are; without them, `not_completed` is not looked into.
    :param memory: The `memory` of the last sweep; without it, no change of dates is announced.
    :raises FixArgumentError: `now` has no time zone.
    """
    if now.tzinfo is None:
        raise FixArgumentError("now: it has no time zone. Give one such as datetime.now(UTC).")
    sweep = _Sweep(policy, now.astimezone(UTC), statistics or {})
    result = Plan(memory=dict(memory or {}))
    for session in sessions:
        sweep.look_at(session, result)
    return result


def still_valid(
    conf: Mapping[str, Any], session: ProgramSession, policy: ReminderPolicy, *, now: datetime | None = None
) -> str | None:
    """
    Return why a reminder must not be delivered any more, or None.

    :param conf: The reminder, as `DueReminder.to_conf` wrote it.
    :param session: The session as it is now.
    :param policy: The policy as it is now.
    :param now: The time; default none: then nothing is too late.
    :raises FixArgumentError: `conf` is no reminder.
    """
    reminder = DueReminder.from_conf(conf)
    rule = next((one for one in policy.rules if one.name == reminder.rule), None)
    if reminder.policy != policy.name or rule is None:
        return f"policy {policy.name!r} has no rule {reminder.rule!r} any more"
    if session.id != reminder.session_id:
        return f"it is about session {reminder.session_id}, and not {session.id}"
    if policy.skip_if_automated_reminders and session.automated_reminders:
        return _AUTOMATED
    if reminder.change is not None:
        return None if dates_of(session) == reminder.change["to"] else "its dates were changed again"
    current = dates_of(session).get(reminder.anchor or "")
    if current != reminder.anchor_at:
        return f"{reminder.anchor} is {current or 'not set'} by now, and was {reminder.anchor_at}"
    if now is not None and current and rule.before is not None and now >= datetime.fromisoformat(current):
        return f"{reminder.anchor} was {current}: it is too late"
    return None


class _Sweep:
    """One look at all sessions."""

    def __init__(self, policy: ReminderPolicy, now: datetime, statistics: Mapping[str, SessionStatistics]) -> None:
        self.policy = policy
        self.now = now
        self.statistics = statistics
        self.calendar = Calendar(policy)
        self.lateness = policy.max_lateness.total
        self.settle = next((rule.settle.total for rule in policy.rules if rule.on), None)

    def look_at(self, session: ProgramSession, result: Plan) -> None:
        """Add to a plan what is due for a session, and why all else is not."""
        found = self._found(session, result.memory)
        due = [(rule, one) for rule, one in found if isinstance(one, DueReminder)]
        losers = beaten(due) if len(due) > 1 and self.policy.when_several_are_due == "closest" else {}
        for rule, one in found:
            if isinstance(one, Skipped):
                result.skipped.append(one)
            elif rule.name in losers:
                reason = f"a closer reminder is due: {losers[rule.name]}"
                result.skipped.append(Skipped(rule.name, session.id, reason))
            else:
                result.due.append(one)

    def _found(self, session: ProgramSession, memory: dict[str, Any]) -> list[tuple[ReminderRule, Found]]:
        """Return what each rule has for a session, whatever the others have."""
        finding = None
        if self.settle is not None:
            known = Announced.from_dict(memory.get(session.id))
            finding = find_move(session, known, self.settle, self.calendar, self.now)
            memory[session.id] = finding.memory.to_dict()
        reason = _no_session_for(self.policy, session)
        return [
            (rule, Skipped(rule.name, session.id, reason) if reason else self._look(rule, session, finding))
            for rule in self.policy.rules
        ]

    def _look(self, rule: ReminderRule, session: ProgramSession, finding: Finding | None) -> Found:
        found = self._timed(rule, session) if finding is None or not rule.on else self._moved(rule, session, finding)
        if isinstance(found, DueReminder) and self._is_needless(rule, session):
            return Skipped(rule.name, session.id, "nobody is left who has not finished")
        return found

    def _moved(self, rule: ReminderRule, session: ProgramSession, finding: Finding) -> Found:
        move = finding.move
        if move is None:
            return Skipped(rule.name, session.id, finding.reason)
        return self._not_now(rule, session, move.due, None) or self._announcement(rule, session, move)

    def _timed(self, rule: ReminderRule, session: ProgramSession) -> Found:
        anchor = session.start_date if rule.anchor == "startDate" else session.end_date
        if anchor is None:
            return Skipped(rule.name, session.id, f"it has no {rule.anchor}")
        if not is_set(anchor):
            return Skipped(rule.name, session.id, f"its {rule.anchor} is not set")
        if rule.before is not None and anchor <= self.now:
            return Skipped(rule.name, session.id, f"its {rule.anchor} was {self.calendar.shown(anchor)}")
        try:
            occurrence, due = self._occurrence(rule, anchor)
        except OverflowError:
            return Skipped(rule.name, session.id, f"its {rule.anchor} is too far away")
        before = anchor if rule.before is not None else None
        return self._not_now(rule, session, due, before) or self._reminder(rule, session, anchor, occurrence, due)

    def _occurrence(self, rule: ReminderRule, anchor: datetime) -> tuple[int, datetime]:
        """Return the repetition to look at, and when it is due: the latest that began, or the next if that is over."""
        if rule.every is None or rule.at_most is None:
            return 0, self.calendar.due_of(rule, anchor)
        may_have_begun = (self.now + _SLACK - anchor - rule.offset.total) // rule.every.total
        coming = []
        for number in range(max(0, min(rule.at_most - 1, may_have_begun + 1)), -1, -1):
            due = self.calendar.due_of(rule, anchor, number)
            if due > self.now:
                coming.append((due, number))
            elif not coming or due + self.lateness >= self.now:
                return number, due
            else:
                break
        # Days off may let an earlier one overtake a later one; it is left out then.
        due, number = min(coming)
        return number, due

    def _not_now(
        self, rule: ReminderRule, session: ProgramSession, due: datetime, before: datetime | None
    ) -> Skipped | None:
        release = self.calendar.release(due, self.now, before)
        return Skipped(rule.name, session.id, release.reason, release.at) if release.reason else None

    def _is_needless(self, rule: ReminderRule, session: ProgramSession) -> bool:
        statistics = self.statistics.get(session.id) if "not_completed" in rule.audience else None
        # Statistics may be sparse: only if they know all of them, nobody is left.
        if statistics is None or statistics.users_stats is None:
            return False
        registered = statistics.registered or 0  # a text, if the API sent a number that is none to count with
        is_complete = isinstance(registered, int) and len(statistics.users_stats) >= registered
        return is_complete and not statistics.not_completed()

    def _reminder(
        self, rule: ReminderRule, session: ProgramSession, anchor: datetime, occurrence: int, due: datetime
    ) -> DueReminder:
        number = None if rule.every is None else occurrence
        parts = [compact(anchor)] if number is None else [compact(anchor), str(number)]
        about = {"anchor": rule.anchor, "anchor_at": format_date(anchor), "occurrence": number}
        return self._made(rule, session, due, parts, audience=rule.audience_of(occurrence), **about)

    def _announcement(self, rule: ReminderRule, session: ProgramSession, move: Move) -> DueReminder:
        dates = f"{compact_text(move.after['startDate'])}_{compact_text(move.after['endDate'])}"
        change = {"from": move.before, "to": move.after}
        return self._made(rule, session, move.due, [dates, compact(move.at)], audience=rule.audience, change=change)

    def _made(
        self, rule: ReminderRule, session: ProgramSession, due: datetime, parts: list[str], **about: Any
    ) -> DueReminder:
        return DueReminder(
            key=key_of(self.policy.name, rule.name, session.id, *parts),
            policy=self.policy.name,
            rule=rule.name,
            session_id=session.id,
            due=due,
            to=rule.to,
            message=rule.message,
            once=rule.once,
            template=rule.template,
            **about,
        )


def _no_session_for(policy: ReminderPolicy, session: ProgramSession) -> str | None:
    """Return why a session gets no reminders at all, or None."""
    try:
        # It becomes part of the key.
        if require_session_id(session.id) != session.id:
            return "its ID is not as 360Learning writes it"
    except InvalidIdError:
        return "its ID is none of 360Learning"
    return _AUTOMATED if policy.skip_if_automated_reminders and session.automated_reminders else None
