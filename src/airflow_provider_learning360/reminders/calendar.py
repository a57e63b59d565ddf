"""When a reminder is due: days on the wall clock, hours as they elapse, and away from quiet hours and days off."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_learning360.reminders.dates import later, on_the_clock
from airflow_provider_learning360.reminders.policy import AHEAD_OF_QUIET, DAYS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from airflow_provider_learning360.reminders.policy import ReminderPolicy, ReminderRule, Shift

DAY = timedelta(days=1)


class Release(NamedTuple):
    """
    When a reminder may go out.

    :param at: The time: now, or later; None for never.
    :param reason: Why it does not go out now; empty if it does.
    """

    at: datetime | None
    reason: str = ""


class Calendar:
    """
    The clock on the wall, and when it may ring.

    :param policy: The policy that says so.
    """

    def __init__(self, policy: ReminderPolicy) -> None:
        self.zone: ZoneInfo = policy.zone
        self._quiet = policy.quiet_hours
        self._working = frozenset(DAYS.index(day) for day in policy.working_days)
        self._shift = policy.shift
        self._lateness = policy.max_lateness.total
        self._sends_late = policy.quiet_hours is not None and policy.quiet_hours.when_late == "send"

    def due_of(self, rule: ReminderRule, anchor: datetime, occurrence: int = 0) -> datetime:
        """
        Return when a reminder is due, in UTC: never at or after the anchor if it is `before`, never ahead if `after`.

        :param rule: A rule with an anchor.
        :param anchor: The date that it is about.
        :param occurrence: Number of the repetition, from 0 on.
        :raises OverflowError: It would be in no year that there is.
        """
        moment = self._meant(rule, anchor, occurrence)
        if rule.before is not None:
            due = self.allowed(moment, self._shift or "earlier")
            return due if due < anchor else self.allowed(moment, "earlier")
        due = self.allowed(moment, self._shift or "later")
        return due if due >= anchor else self.allowed(moment, "later")

    def allowed(self, moment: datetime, shift: Shift) -> datetime:
        """
        Return a moment, or the nearest in one direction that is in no quiet hour and on a working day.

        :param moment: The moment, in UTC.
        :param shift: The direction. On other days the time of day stays, if it is not quiet.
        """
        local = on_the_clock(moment, self.zone).replace(tzinfo=None)
        try:
            wall = self._off_duty_days_skipped(self._out_of_the_quiet(local, shift), shift)
            return moment if wall == local else self._instant(wall, shift)
        except OverflowError:
            return moment

    def next_open(self, moment: datetime) -> datetime:
        """
        Return a moment, or the end of the quiet hours and days off that it falls into.

        :param moment: The moment, in UTC.
        """
        wall = local = on_the_clock(moment, self.zone).replace(tzinfo=None)
        try:
            while (open_at := self._out_of_the_quiet(self._next_working_day(wall), "later")) != wall:
                wall = open_at
            return moment if wall == local else self._instant(wall, "later")
        except OverflowError:
            return moment

    def release(self, due: datetime, now: datetime, before: datetime | None = None) -> Release:
        """
        Return when a reminder may go out: at once, at the end of quiet hours and days off, or never.

        It is held where they end inside its lateness and before its date; else `when_late` of the policy decides.

        :param due: When it is due, in UTC.
        :param now: The time.
        :param before: The date that it must be ahead of; default none.
        """
        if now < due:
            return Release(due, f"not due before {self.shown(due)}")
        last = later(due, self._lateness)
        if last < now:
            return Release(None, f"too late since {self.shown(last)}")
        open_at = self.next_open(now)
        if open_at == now:
            return Release(now)
        if open_at <= last and (before is None or open_at < before):
            return Release(open_at, f"held until quiet hours and days off end at {self.shown(open_at)}")
        if self._sends_late:
            return Release(now)
        limit = last if before is None else min(last, before)
        reason = f"skipped, because quiet hours and days off last until {self.shown(open_at)}"
        limit = last if before is None else min(last, before)
        return Release(None, f"{reason}, and it may go out until {self.shown(limit)} (when_late: skip)")

    def is_open(self, moment: datetime) -> bool:
        """
        Whether a moment is in no quiet hour and on a working day.

        :param moment: The moment, in UTC.
        """
        return self.next_open(moment) == moment

    def shown(self, moment: datetime) -> str:
        """Return a moment as people read it: on the wall clock, with its distance from UTC."""
        return on_the_clock(moment, self.zone).isoformat(timespec="minutes")

    def _meant(self, rule: ReminderRule, anchor: datetime, occurrence: int) -> datetime:
        """Return when the rule alone would have it."""
        if rule.before is not None:
            return self._moved(anchor, -rule.before.days, -rule.before.elapsed, "earlier")
        days, elapsed = rule.offset.days, rule.offset.elapsed
        if occurrence and rule.every is not None:
            days, elapsed = days + occurrence * rule.every.days, elapsed + occurrence * rule.every.elapsed
        return self._moved(anchor, days, elapsed, "later")

    def _moved(self, anchor: datetime, days: int, elapsed: timedelta, away: Shift) -> datetime:
        if not days:
            return anchor + elapsed
        wall = anchor.astimezone(self.zone).replace(tzinfo=None) + days * DAY
        return self._instant(wall, away) + elapsed

    def _instant(self, wall: datetime, direction: Shift) -> datetime:
        """Return when the wall clock shows a time; if it never does or does it twice, the instant in one direction."""
        instants = [wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
        return min(instants) if direction == "earlier" else max(instants)

    def _out_of_the_quiet(self, wall: datetime, shift: Shift) -> datetime:
        quiet = self._quiet
        if quiet is None or wall.time() not in quiet:
            return wall
        over_midnight = quiet.start > quiet.end
        if shift == "later":
            day = wall.date() + (DAY if over_midnight and wall.time() >= quiet.start else timedelta())
            return datetime.combine(day, quiet.end)
        day = wall.date() - (DAY if over_midnight and wall.time() < quiet.end else timedelta())
        return datetime.combine(day, quiet.start) - AHEAD_OF_QUIET

    def _off_duty_days_skipped(self, wall: datetime, shift: Shift) -> datetime:
        step = DAY if shift == "later" else -DAY
        while not self._is_working_day(wall.date()):
            wall += step
        return wall

    def _next_working_day(self, wall: datetime) -> datetime:
        """Return a time on the wall clock, or the beginning of the next working day."""
        while not self._is_working_day(wall.date()):
            wall = datetime.combine(wall.date() + DAY, time())
        return wall

    def _is_working_day(self, day: date) -> bool:
        return day.weekday() in self._working
