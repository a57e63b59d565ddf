"""When a reminder may go out: outside quiet hours and days off."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_learning360.reminders.dates import add_time, find_instant, to_zone
from airflow_provider_learning360.reminders.policy import DAYS, LEAD_BEFORE_QUIET_HOURS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from airflow_provider_learning360.reminders.policy import ReminderPolicy, Shift
    from airflow_provider_learning360.reminders.schedule import Schedule

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
    The quiet hours and working days of a policy, on the wall clock of its zone.

    :param policy: The policy.
    """

    def __init__(self, policy: ReminderPolicy) -> None:
        self.zone: ZoneInfo = policy.zone
        self._quiet_hours = policy.quiet_hours
        self._working_days = frozenset(DAYS.index(day) for day in policy.working_days)
        self._shift = policy.shift
        self._max_lateness = policy.max_lateness.total
        self._sends_late = policy.quiet_hours is not None and policy.quiet_hours.when_late == "send"

    def find_due(self, schedule: Schedule, anchor: datetime, occurrence: int = 0) -> datetime:
        """
        Return when a reminder is due, in UTC. A `before` reminder stays before its date, an `after` one behind it.

        :param schedule: The schedule of a rule.
        :param anchor: The date that the reminder is about.
        :param occurrence: Number of the repetition, from 0 on.
        :raises OverflowError: The result is beyond the years 1 to 9999.
        """
        moment = schedule.apply(anchor, self.zone, occurrence)
        if schedule.before is not None:
            due = self.find_allowed(moment, self._shift or "earlier")
            return due if due < anchor else self.find_allowed(moment, "earlier")
        due = self.find_allowed(moment, self._shift or "later")
        return due if due >= anchor else self.find_allowed(moment, "later")

    def find_allowed(self, moment: datetime, shift: Shift) -> datetime:
        """
        Return a moment, or the nearest one in a direction that is in no quiet hour and on a working day.

        :param moment: The moment, in UTC.
        :param shift: The direction. On another day the time of day stays, if it is not quiet.
        """
        local = to_zone(moment, self.zone).replace(tzinfo=None)
        try:
            wall = self._skip_days_off(self._leave_quiet_hours(local, shift), shift)
            return moment if wall == local else find_instant(wall, self.zone, shift)
        except OverflowError:
            return moment

    def find_next_open(self, moment: datetime) -> datetime:
        """
        Return a moment, or the end of the quiet hours and days off in which it lies.

        :param moment: The moment, in UTC.
        """
        wall = local = to_zone(moment, self.zone).replace(tzinfo=None)
        try:
            while (open_at := self._leave_quiet_hours(self._find_working_day(wall), "later")) != wall:
                wall = open_at
            return moment if wall == local else find_instant(wall, self.zone, "later")
        except OverflowError:
            return moment

    def find_release(self, due: datetime, now: datetime, before: datetime | None = None) -> Release:
        """
        Return when a reminder may go out: at once, at the end of quiet hours and days off, or never.

        The reminder waits for that end if it comes within `max_lateness` and before the date. Otherwise `when_late`
        of the quiet hours decides; without quiet hours, the reminder is skipped.

        :param due: When the reminder is due, in UTC.
        :param now: The time.
        :param before: The date that the reminder must precede; default none.
        """
        if now < due:
            return Release(due, f"not due before {self.format_moment(due)}")
        last = add_time(due, self._max_lateness)
        if last < now:
            return Release(None, f"too late since {self.format_moment(last)}")
        open_at = self.find_next_open(now)
        if open_at == now:
            return Release(now)
        if open_at <= last and (before is None or open_at < before):
            return Release(open_at, f"held until quiet hours and days off end at {self.format_moment(open_at)}")
        if self._sends_late:
            return Release(now)
        return Release(None, self._explain_skip(open_at, last if before is None else min(last, before)))

    def is_open(self, moment: datetime) -> bool:
        """
        Whether a moment is in no quiet hour and on a working day.

        :param moment: The moment, in UTC.
        """
        return self.find_next_open(moment) == moment

    def format_moment(self, moment: datetime) -> str:
        """
        Return a moment on the wall clock, with its distance from UTC.

        :param moment: The moment, with a time zone.
        """
        return to_zone(moment, self.zone).isoformat(timespec="minutes")

    def _explain_skip(self, open_at: datetime, limit: datetime) -> str:
        rule = "" if self._quiet_hours is None else " (when_late: skip)"
        return (
            f"skipped, because quiet hours and days off last until {self.format_moment(open_at)}, "
            f"and it may go out until {self.format_moment(limit)}{rule}"
        )

    def _leave_quiet_hours(self, wall: datetime, shift: Shift) -> datetime:
        quiet = self._quiet_hours
        if quiet is None or wall.time() not in quiet:
            return wall
        is_over_midnight = quiet.start > quiet.end
        if shift == "later":
            day = wall.date() + (DAY if is_over_midnight and wall.time() >= quiet.start else timedelta())
            return datetime.combine(day, quiet.end)
        day = wall.date() - (DAY if is_over_midnight and wall.time() < quiet.end else timedelta())
        return datetime.combine(day, quiet.start) - LEAD_BEFORE_QUIET_HOURS

    def _skip_days_off(self, wall: datetime, shift: Shift) -> datetime:
        step = DAY if shift == "later" else -DAY
        while not self._is_working_day(wall.date()):
            wall += step
        return wall

    def _find_working_day(self, wall: datetime) -> datetime:
        """Return a time on the wall clock, or the beginning of the next working day."""
        while not self._is_working_day(wall.date()):
            wall = datetime.combine(wall.date() + DAY, time())
        return wall

    def _is_working_day(self, day: date) -> bool:
        return day.weekday() in self._working_days
