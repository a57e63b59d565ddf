"""When something is due, counted from a date of a session: the same arithmetic for policies and sensors."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ValidationError, field_validator, model_validator

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.input_errors import did_you_mean
from airflow_provider_learning360.reminders.dates import find_instant, nearest_end
from airflow_provider_learning360.reminders.duration import STRICT_MODEL, Duration
from airflow_provider_learning360.reminders.problems import problems_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.api.models import ProgramSession

Anchor = Literal["startDate", "endDate", "dueDate"]
SessionAnchor = Literal["startDate", "endDate"]
EMPTY_BEFORE = "before: must be longer than 0; write `after: {}` for the date itself"


def _check_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # Some names are folders of zones.
        close = did_you_mean(name, available_timezones())
        raise ValueError(f"it is not an IANA time zone, such as Europe/Paris{close}") from None
    return name


TimeZone = Annotated[str, AfterValidator(_check_time_zone)]


class Schedule(BaseModel):
    """
    When something is due: at a date of a session or of a learner, before it or after it.

    :param anchor: Name of the date: `startDate` or `endDate` of the session, or the learner's `dueDate`.
    :param before: How long before the date; default none.
    :param after: How long after the date; default none.
    :param every: Time between repetitions; default no repetition.
    """

    model_config = STRICT_MODEL

    anchor: Anchor
    before: Duration | None = None
    after: Duration | None = None
    every: Duration | None = None

    @model_validator(mode="after")
    def _check(self) -> Schedule:
        if self.before is not None and not self.before.total:
            raise ValueError(EMPTY_BEFORE)
        return self

    @property
    def distance(self) -> Duration:
        """The time between the date and the first occurrence."""
        return self.before or self.after or Duration()

    def find_date(self, session: ProgramSession) -> datetime | None:
        """
        Return the date of a session to count from, or None if it has none; `dueDate` is a date of each learner.

        :param session: The session.
        """
        dates = {"startDate": session.start_date, "endDate": session.end_date}
        return dates.get(self.anchor)

    def apply(self, date: datetime, zone: ZoneInfo, occurrence: int = 0) -> datetime:
        """
        Return when an occurrence is due, in UTC.

        :param date: The date to count from.
        :param zone: Zone whose wall clock counts the days.
        :param occurrence: Number of the repetition, from 0 on.
        :raises OverflowError: The result is beyond the years 1 to 9999.
        """
        days, elapsed = self.distance.days, self.distance.elapsed
        if occurrence and self.every is not None:
            days, elapsed = days + occurrence * self.every.days, elapsed + occurrence * self.every.elapsed
        if self.before is not None:
            return _move(date, -days, -elapsed, zone)
        return _move(date, days, elapsed, zone)


class SessionSchedule(Schedule):
    """
    The schedule of a sensor, which waits for one session.

    :param anchor: Name of the date: `startDate` or `endDate`.
    :param before: How long before the date; default none.
    :param after: How long after the date; default none.
    :param time_zone: IANA name of the zone whose wall clock counts the days; default UTC.
    """

    anchor: SessionAnchor
    time_zone: TimeZone = "UTC"

    @field_validator("anchor", mode="before")
    @classmethod
    def _refuse_due_date(cls, anchor: Any) -> Any:
        if anchor == "dueDate":
            raise ValueError(
                "each learner has a due date of their own, so a session has none to wait for; use startDate or endDate"
            )
        return anchor

    @classmethod
    def read(
        cls,
        anchor: str,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        time_zone: str,
    ) -> SessionSchedule:
        """
        Return the schedule that the arguments of a sensor describe.

        :param anchor: Name of the date: `startDate` or `endDate`.
        :param before: How long before the date: `days`, `hours` and `minutes`.
        :param after: How long after the date; without either, it is due at the date.
        :param time_zone: IANA name of the zone whose wall clock counts the days.
        :raises FixArgumentError: An argument is not valid.
        """
        data = {"anchor": anchor, "before": before or None, "after": after or None, "time_zone": time_zone}
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            problems = problems_of(error, data, {"": cls, "before": Duration, "after": Duration})
        raise FixArgumentError(problems)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone whose wall clock counts the days."""
        return ZoneInfo(self.time_zone)

    def find_due(self, session: ProgramSession) -> datetime | None:
        """
        Return when it is time for a session; None as long as its date is not set.

        :param session: The session.
        """
        date = self.find_date(session)
        if date is None:
            return None
        try:
            return self.apply(date, self.zone)
        except OverflowError:  # the date stands for "never", or for "always"
            return nearest_end(date)


def _move(date: datetime, days: int, elapsed: timedelta, zone: ZoneInfo) -> datetime:
    """Return a date moved by days on the wall clock, then by elapsed time."""
    if not days:
        return date + elapsed
    wall = date.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    # A time that the clock shows twice, or never, resolves away from the date.
    return find_instant(wall, zone, "earlier" if days < 0 else "later") + elapsed
