"""Enrolments in path sessions, and the progress of learners as API v2 shows it: a view of v1's statistics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.simulator.filters import read_moment
from airflow_provider_learning360.simulator.people import derive_id
from airflow_provider_learning360.simulator.sample_data import format_date

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_learning360.simulator.sample_data import Document

STATUSES = (
    "awaitingCorrection",
    "late",
    "notYetStarted",
    "onTime",
    "sessionNotOpened",
    "successful",
    "toRetake",
    "unsuccessful",
)
LONGEST_COURSE = 12 * 86_400
"""Seconds after the start in which all generated completions are."""


@dataclass(slots=True)
class Enrolment:
    """A learner in a session, or a former one.

    :param user_id: who.
    :param place: place among the learners; decides which oddities the learner has.
    :param enrolled_at: since when.
    :param item: progress as v1's statistics have it.
    :param unenrolled_at: until when; None for a learner of now.
    :param self_enrolled: whether the learner asked for it.
    :param due_date: a due date of the learner's own; None for that of the session.
    """

    user_id: str
    place: int
    enrolled_at: str
    item: Document
    unenrolled_at: str | None = None
    self_enrolled: bool = False
    due_date: str | None = None

    @property
    def completed_at(self) -> str | None:
        """When the learner completed the session."""
        return self.item.get("endTime") or None


@dataclass(frozen=True)
class Period:
    """When a session starts and ends, in seconds since 1970; None for what is open or no date."""

    start: float | None
    end: float | None

    @classmethod
    def of(cls, document: Document) -> Period:
        """Return the period of a session."""
        return cls(read_moment(document.get("startDate")), read_moment(document.get("endDate")))

    def due_date(self, enrolment: Enrolment) -> float | None:
        """Return when a learner is due: with the session's end, some earlier, some never."""
        if enrolment.due_date is not None:
            return read_moment(enrolment.due_date)
        if enrolment.place % 7 == 6 or self.end is None:
            return None
        if enrolment.place % 4 == 1 and self.start is not None:
            return self.start + (self.end - self.start) // 5
        return self.end


def find_status(enrolment: Enrolment, period: Period, now: float) -> Document:
    """Return the status of a learner, one of ``STATUSES``, with the reason where there is one."""
    has_started = bool(enrolment.item.get("startTime"))
    due = period.due_date(enrolment)
    if enrolment.completed_at:
        return {"type": "successful"}
    if period.start is not None and now < period.start:
        return {"type": "sessionNotOpened"}
    if has_started and enrolment.place % 10 == 3:
        return {"type": "awaitingCorrection"}
    if has_started and enrolment.place % 10 == 7:
        return {"type": "toRetake", "reason": "mandatoryReplay"}
    if period.end is not None and now >= period.end:
        return {"type": "unsuccessful", "reason": "sessionEnded"}
    if due is not None and now >= due:
        return {"type": "late"}
    return {"type": "onTime" if has_started else "notYetStarted"}


def make_row(session_id: str, enrolment: Enrolment, period: Period, now: float) -> Document:
    """Return the progress of a learner as ``user-stats`` has it; what there is not is left out."""
    item, due, completed_at = enrolment.item, period.due_date(enrolment), enrolment.completed_at
    row: Document = {
        "_id": enrolment_id(session_id, enrolment),
        "progress": item.get("progress") or (100 if completed_at else 0),
        "status": find_status(enrolment, period, now),
        "timeSpent": item.get("totalTimeSpentInSeconds") or 0,
        "userId": enrolment.user_id,
        "completedAt": completed_at,
        "score": item.get("score") if item.get("startTime") else None,
        "enrolledAt": enrolment.enrolled_at,
        "unenrolledAt": enrolment.unenrolled_at,
        "selfEnrolled": enrolment.self_enrolled,
        "startedAt": item.get("startTime") or None,
        "dueDate": None if due is None else format_date(datetime.fromtimestamp(due, UTC)),
    }
    return {key: value for key, value in row.items() if value is not None}


def enrolment_id(session_id: str, enrolment: Enrolment) -> str:
    """Return the ID of an enrolment."""
    return derive_id("enrolment", session_id, enrolment.user_id)


def make_enrolment_view(session_id: str, enrolment: Enrolment) -> Document:
    """Return an enrolment as ``/paths/{id}/enrollments`` has it: archived when the learner has left."""
    view: Document = {
        "_id": enrolment_id(session_id, enrolment),
        "createdAt": enrolment.enrolled_at,
        "isSelfEnrolled": enrolment.self_enrolled,
        "modifiedAt": enrolment.unenrolled_at or enrolment.enrolled_at,
        "sessionId": session_id,
        "status": "archived" if enrolment.unenrolled_at else "published",
        "userId": enrolment.user_id,
    }
    return view | ({"archivedAt": enrolment.unenrolled_at} if enrolment.unenrolled_at else {})


def count_statuses(enrolments: Iterable[Enrolment], period: Period, now: float) -> dict[str, int]:
    """Return how many learners of now have each status."""
    counts: dict[str, Any] = dict.fromkeys(STATUSES, 0)
    for enrolment in enrolments:
        if enrolment.unenrolled_at is None:
            counts[find_status(enrolment, period, now)["type"]] += 1
    return counts


def make_enrolments(
    learners: Iterable[tuple[str | None, Document]], enrolled_at: str, users: object
) -> dict[str, Enrolment]:
    """Return enrolments by user ID.

    :param learners: user IDs with their progress.
    :param enrolled_at: since when.
    :param users: the users of the session's document; one may have a ``dueDate`` of its own.
    """
    listed = [user for user in users if isinstance(user, dict)] if isinstance(users, list) else []
    due_dates = {user.get("_id"): user["dueDate"] for user in listed if "dueDate" in user}
    return {
        user_id: Enrolment(user_id, place, enrolled_at, item, None, place % 9 == 8, due_dates.get(user_id))
        for place, (user_id, item) in enumerate(learners)
        if user_id is not None
    }


def merge_enrolments(old: dict[str, Enrolment], new: dict[str, Enrolment], now: str) -> dict[str, Enrolment]:
    """Return enrolments after an edit: those who stay keep their date, those who are gone have left now."""
    for user_id, enrolment in old.items():
        kept = new.get(user_id)
        if kept is None:
            new[user_id] = replace(enrolment, unenrolled_at=enrolment.unenrolled_at or now)
        elif enrolment.unenrolled_at is None:
            kept.enrolled_at, kept.self_enrolled = enrolment.enrolled_at, enrolment.self_enrolled
    for user_id in new.keys() - old.keys():
        new[user_id].enrolled_at, new[user_id].self_enrolled = now, False
    return new
