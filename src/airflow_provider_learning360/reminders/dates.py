"""Dates at the ends of the calendar, which stand for "not set", and times on the wall clock of a zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import timedelta, tzinfo

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_MIDDLE_YEAR = 5000


def is_set(date: datetime | None) -> bool:
    """
    Whether a date is set. A date in the year 1 or 9999 is not: it stands for an open end.

    :param date: The date, or None.
    """
    return date is not None and EARLIEST.year < date.year < LATEST.year


def to_zone(moment: datetime, zone: tzinfo) -> datetime:
    """
    Return a moment on the wall clock of a zone; in UTC where that would leave the years 1 to 9999.

    :param moment: The moment, with a time zone.
    :param zone: The zone.
    """
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment.astimezone(UTC)


def add_time(moment: datetime, time: timedelta) -> datetime:
    """
    Return the moment that is so much later, or the end of the year 9999.

    :param moment: The moment, in UTC.
    :param time: The time to add.
    """
    try:
        return moment + time
    except OverflowError:
        return LATEST


def nearest_end(date: datetime) -> datetime:
    """
    Return the first or the last moment of the calendar, whichever is closer to a date.

    :param date: The date.
    """
    return EARLIEST if date.year < _MIDDLE_YEAR else LATEST


def find_instant(wall: datetime, zone: tzinfo, direction: Literal["earlier", "later"]) -> datetime:
    """
    Return the instant at which a wall clock shows a time, in UTC.

    :param wall: The time on the clock, without a time zone.
    :param zone: Zone of the clock.
    :param direction: Which instant to choose where the clock shows the time twice or never.
    """
    instants = [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return min(instants) if direction == "earlier" else max(instants)
