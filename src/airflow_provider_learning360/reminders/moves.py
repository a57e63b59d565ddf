"""Dates that were moved: what was announced before, and what is to be announced now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.models import format_date, parse_date
from airflow_provider_learning360.reminders.dates import is_set

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.reminders.calendar import Calendar
    from airflow_provider_learning360.reminders.reminder import Dates


@dataclass(frozen=True, slots=True)
class Move:
    """
    A change of dates that has settled.

    :param before: The dates `from` which.
    :param after: The dates `to` which.
    :param at: The `modifiedAt` with which it was found.
    :param due: When it is to be announced.
    """

    before: Dates
    after: Dates
    at: datetime
    due: datetime

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"from": self.before, "to": self.after, "at": format_date(self.at), "due": format_date(self.due)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Move:
        """
        Return what `to_dict` wrote.

        :raises ValueError: It is something else.
        """
        at, due = (datetime.fromisoformat(data[one]) for one in ("at", "due"))
        if at.tzinfo is None or due.tzinfo is None:
            raise ValueError("a time without its zone")
        return cls(_dates(data["from"]), _dates(data["to"]), at, due)


@dataclass(frozen=True, slots=True)
class Announced:
    """
    What is remembered of the dates of one session.

    :param dates: The dates that everybody has been told, or knew from the start.
    :param move: The move that led to them, or that is to be told next.
    """

    dates: Dates
    move: Move | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"announced": self.dates, "change": self.move and self.move.to_dict()}

    @classmethod
    def from_dict(cls, data: Any) -> Announced | None:
        """Return what `to_dict` wrote, or None: what cannot be read is as good as forgotten."""
        try:
            return cls(_dates(data["announced"]), data["change"] and Move.from_dict(data["change"]))
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What a look at the dates of one session found.

    :param memory: What is to be remembered.
    :param move: What is to be announced from `move.due` on, or None.
    :param reason: Why that is nothing.
    """

    memory: Announced
    move: Move | None = None
    reason: str = ""


def dates_of(session: ProgramSession) -> Dates:
    """Return the dates of a session, as the API writes them."""
    dates = {"startDate": session.start_date, "endDate": session.end_date}
    return {name: None if date is None else format_date(date) for name, date in dates.items()}


def find_move(
    session: ProgramSession, known: Announced | None, settle: timedelta, calendar: Calendar, now: datetime
) -> Finding:
    """
    Return whether the dates of a session were moved, and what is to be remembered of them.

    :param session: The session as it is now.
    :param known: What was remembered; None at first sight, where nothing is announced.
    :param settle: How long the session must have been left alone.
    :param calendar: When something may be announced.
    :param now: The time of the look.
    """
    dates = dates_of(session)
    if known is None:
        return Finding(Announced(dates), reason="its dates are seen for the first time")
    if known.move is not None and dates == known.move.after and not _was_touched(session, known, known.move):
        return _announced(session, known, known.move, calendar, now)
    if _known_to_people(dates) == _known_to_people(known.dates):
        return Finding(Announced(dates), reason="its dates are those that are known")
    if session.modified_at is None:
        return Finding(known, reason="it has no modifiedAt, so that nobody knows whether its new dates have settled")
    if now - session.modified_at < settle:
        minutes = f"{settle.total_seconds() / 60:g} minutes"
        return Finding(known, reason=f"its dates were changed, and must be left alone for {minutes} first")
    due = calendar.allowed(session.modified_at + settle, "later")
    return _announced(session, known, Move(known.dates, dates, session.modified_at, due), calendar, now)


def _was_touched(session: ProgramSession, known: Announced, move: Move) -> bool:
    """
    Whether a session was modified after a move that nobody has been told of yet.

    Its dates may have been put back and moved again between two looks, so they have to settle once more.
    """
    is_told = known.dates == move.after
    return not is_told and session.modified_at is not None and session.modified_at > move.at


def _known_to_people(dates: Dates) -> Dates:
    """Return dates without those that stand for none: to people, an open end and no end are the same."""
    return {name: date if date and is_set(datetime.fromisoformat(date)) else None for name, date in dates.items()}


def _announced(session: ProgramSession, known: Announced, move: Move, calendar: Calendar, now: datetime) -> Finding:
    # Until it goes out nobody has been told: if the dates are moved back meanwhile, there is nothing to tell.
    release = calendar.release(move.due, now)
    is_waiting = release.at is not None and now < release.at
    memory = Announced(known.dates if is_waiting else move.after, move)
    if session.start_date and session.end_date and max(session.start_date, session.end_date) <= now:
        return Finding(memory, reason="it is over")
    return Finding(memory, move)


def _dates(data: Any) -> Dates:
    dates = {name: data[name] for name in ("startDate", "endDate")}
    for date in dates.values():
        if date is not None and not isinstance(parse_date(date), datetime):
            raise ValueError("no date")
    return dates
