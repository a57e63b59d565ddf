"""Dates at the ends of the calendar, which stand for "none", and which no clock of some zones can show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta, tzinfo

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_MIDDLE = 5000  # a year


def is_set(date: datetime | None) -> bool:
    """Whether somebody set a date: those in the years 1 and 9999 stand for none, such as for an end that is open."""
    return date is not None and FIRST.year < date.year < LAST.year


def on_the_clock(moment: datetime, zone: tzinfo) -> datetime:
    """Return a moment as a clock in a zone shows it; as UTC shows it where the calendar has no such day."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment.astimezone(UTC)


def later(moment: datetime, time: timedelta) -> datetime:
    """Return the moment that is so much later, or the last one that there is."""
    try:
        return moment + time
    except OverflowError:
        return LAST


def nearest_end(date: datetime) -> datetime:
    """Return the first or the last moment that there is, whichever is closer to a date."""
    return FIRST if date.year < _MIDDLE else LAST
