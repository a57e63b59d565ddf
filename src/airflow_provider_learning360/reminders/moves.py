"""Dates that were rescheduled: which were announced before, and what to announce now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_learning360.api.models import format_date, parse_date
from airflow_provider_learning360.reminders.dates import is_set

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_learning360.api.models import ProgramSession
    from airflow_provider_learning360.reminders.calendar import Calendar
    from airflow_provider_learning360.reminders.reminder import SessionDates

# Functional, since `from` is a keyword.
MoveRecord = TypedDict("MoveRecord", {"from": "SessionDates", "to": "SessionDates", "at": str, "due": str})


class AnnouncedRecord(TypedDict):
    """What is stored of the dates of one session: those that were announced, and the latest change."""

    announced: SessionDates
    change: MoveRecord | None


@dataclass(frozen=True, slots=True)
class Move:
    """
    A change of dates that has settled.

    :param before: The dates before the change.
    :param after: The dates after it.
    :param at: The `modifiedAt` with which it was found.
    :param due: When it is to be announced.
    """

    before: SessionDates
    after: SessionDates
    at: datetime
    due: datetime

    def to_dict(self) -> MoveRecord:
        """Return it as JSON."""
        return {"from": self.before, "to": self.after, "at": format_date(self.at), "due": format_date(self.due)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Move:
        """
        Return what `to_dict` wrote.

        :param data: What it wrote.
        :raises ValueError: It is something else.
        """
        at, due = (datetime.fromisoformat(data[one]) for one in ("at", "due"))
        if at.tzinfo is None or due.tzinfo is None:
            raise ValueError("a time has no time zone")
        return cls(_parse_dates(data["from"]), _parse_dates(data["to"]), at, due)


@dataclass(frozen=True, slots=True)
class Announced:
    """
    What the planner knows of the dates of one session.

    :param dates: The dates that were announced, or that were there from the start.
    :param move: The change that led to them, or that is to be announced next.
    """

    dates: SessionDates
    move: Move | None = None

    def to_dict(self) -> AnnouncedRecord:
        """Return it as JSON."""
        return {"announced": self.dates, "change": None if self.move is None else self.move.to_dict()}

    @classmethod
    def from_dict(cls, data: Any) -> Announced | None:
        """
        Return what `to_dict` wrote, or None if it cannot be read.

        :param data: What was stored.
        """
        try:
            return cls(_parse_dates(data["announced"]), data["change"] and Move.from_dict(data["change"]))
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


@dataclass(frozen=True, slots=True)
class MoveResult:
    """
    What the planner found out about the dates of one session.

    :param announced: What to store.
    :param move: The change to announce from `move.due` on, or None.
    :param reason: Why there is nothing to announce.
    """

    announced: Announced
    move: Move | None = None
    reason: str = ""


def read_dates(session: ProgramSession) -> SessionDates:
    """
    Return the dates of a session, as the API writes them.

    :param session: The session.
    """
    start, end = session.start_date, session.end_date
    return {
        "startDate": None if start is None else format_date(start),
        "endDate": None if end is None else format_date(end),
    }


def find_move(
    session: ProgramSession, known: Announced | None, settle: timedelta, calendar: Calendar, now: datetime
) -> MoveResult:
    """
    Return whether the dates of a session changed, and what to store of them.

    :param session: The session as it is now.
    :param known: What was stored; None for a new session, for which nothing is announced.
    :param settle: How long the session must stay unmodified before a change is announced.
    :param calendar: When something may be announced.
    :param now: The time.
    """
    dates = read_dates(session)
    if known is None:
        return MoveResult(Announced(dates), reason="its dates are seen for the first time")
    if known.move is not None and dates == known.move.after and not _must_settle_again(session, known, known.move):
        return _announce(session, known, known.move, calendar, now)
    if _drop_open_ends(dates) == _drop_open_ends(known.dates):
        return MoveResult(Announced(dates), reason="its dates have not changed")
    if session.modified_at is None:
        return MoveResult(
            known, reason="its dates changed, but it has no modifiedAt, so the time of the change is unknown"
        )
    if now - session.modified_at < settle:
        minutes = f"{settle.total_seconds() / 60:g} minutes"
        return MoveResult(known, reason=f"its dates changed; it must stay unmodified for {minutes} first")
    due = calendar.find_allowed(session.modified_at + settle, "later")
    return _announce(session, known, Move(known.dates, dates, session.modified_at, due), calendar, now)


def _must_settle_again(session: ProgramSession, known: Announced, move: Move) -> bool:
    """
    Whether a session was modified while a change of its dates waited to be announced.

    Its dates may have changed back and forth between two sweeps.
    """
    is_announced = known.dates == move.after
    return not is_announced and session.modified_at is not None and session.modified_at > move.at


def _drop_open_ends(dates: SessionDates) -> SessionDates:
    """Return dates without those that stand for "not set": to people, an open end is the same as no end."""
    return {"startDate": _drop_open_end(dates["startDate"]), "endDate": _drop_open_end(dates["endDate"])}


def _drop_open_end(date: str | None) -> str | None:
    return date if date and is_set(datetime.fromisoformat(date)) else None


def _announce(session: ProgramSession, known: Announced, move: Move, calendar: Calendar, now: datetime) -> MoveResult:
    release = calendar.find_release(move.due, now)
    is_waiting = release.at is not None and now < release.at
    # A waiting notice does not count as announced: if the dates change back meanwhile, there is nothing to announce.
    announced = Announced(known.dates if is_waiting else move.after, move)
    if session.start_date and session.end_date and max(session.start_date, session.end_date) <= now:
        return MoveResult(announced, reason="it is over")
    return MoveResult(announced, move)


def _parse_dates(data: Any) -> SessionDates:
    return {"startDate": _parse_date(data["startDate"]), "endDate": _parse_date(data["endDate"])}


def _parse_date(date: Any) -> str | None:
    if date is None or isinstance(parse_date(date), datetime):
        return date  # type: ignore[no-any-return]
    raise ValueError("not a date")
