"""The progress of learners: one small item for each, and who of them is late."""

from __future__ import annotations

from datetime import MINYEAR, datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from airflow_provider_learning360.api.models import has_completed, parse_date

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.api.models import LearnerStatistics, SessionStatistics

Who = Literal["not_completed", "completed", "late", "all"]


class LearnerProgress(TypedDict):
    """
    How far one learner of a session is.

    `userId`, `status` and `dueDate` are null on API v1. `mail` is null if no mail reaches the learner.
    """

    userId: str | None
    mail: str | None
    firstName: str | None
    lastName: str | None
    status: str | None
    progress: float | None
    completedAt: str | None
    dueDate: str | None
    isCompleted: bool
    isLate: bool


class SessionProgress(LearnerProgress):
    """How far one learner is, with the session: items of several sessions can be in one list."""

    sessionId: str
    sessionName: str | None


def build_progress(
    statistics: SessionStatistics,
    now: datetime,
    end_date: datetime | None = None,
    is_mailable: Callable[[str], bool] = bool,
) -> list[LearnerProgress]:
    """
    Build one item for each learner; deleted learners are left out.

    :param statistics: The statistics of a session.
    :param now: The time, with its zone.
    :param end_date: The `endDate` of the session, which counts where API v1 has no due dates; default none.
    :param is_mailable: Whether a mail can be sent to an address; default every address.
    :returns: The items, in the order of the statistics.
    """
    present = [one for one in statistics.users_stats or [] if not one.get("deleted")]
    return [_build_item(one, is_late(one, now, end_date), is_mailable) for one in present]


def _build_item(learner: LearnerStatistics, late: bool, is_mailable: Callable[[str], bool]) -> LearnerProgress:
    mail, progress = learner.get("mail"), learner.get("progress")
    return {
        "userId": learner.get("userId"),
        "mail": mail if mail and is_mailable(mail) else None,
        "firstName": learner.get("firstName"),
        "lastName": learner.get("lastName"),
        "status": learner.get("status"),
        "progress": None if isinstance(progress, str) else progress,
        "completedAt": _text(learner.get("endTime")),
        "dueDate": learner.get("dueDate") or None,
        "isCompleted": has_completed(learner),
        "isLate": late,
    }


def _text(value: Any) -> str | None:
    """Return a text that is not empty, or None: API v1 does not promise a type."""
    return value if value and isinstance(value, str) else None


def choose_progress(items: list[LearnerProgress], who: Who) -> list[LearnerProgress]:
    """
    Return the items of some of the learners.

    :param items: The items of all.
    :param who: Which learners.
    :returns: Their items.
    """
    wanted: dict[Who, Callable[[LearnerProgress], bool]] = {
        "not_completed": lambda one: not one["isCompleted"],
        "completed": lambda one: one["isCompleted"],
        "late": lambda one: one["isLate"],
        "all": lambda one: True,
    }
    return [one for one in items if wanted[who](one)]


def find_late(
    statistics: SessionStatistics, now: datetime, end_date: datetime | None = None
) -> list[LearnerStatistics]:
    """
    Return the learners who are late.

    :param statistics: The statistics of a session.
    :param now: The time, with its zone.
    :param end_date: The `endDate` of the session, which counts where API v1 has no due dates; default none.
    :returns: Their statistics.
    """
    return [one for one in statistics.not_completed() if is_late(one, now, end_date)]


def is_late(learner: LearnerStatistics, now: datetime, end_date: datetime | None = None) -> bool:
    """
    Whether a learner should have completed the session by now, and has not.

    :param learner: The statistics of the learner.
    :param now: The time, with its zone.
    :param end_date: The `endDate` of the session; it counts only without a status, which API v1 does not send.
    :returns: True for the status `late`, or after the due date.
    """
    if has_completed(learner):
        return False
    status = learner.get("status")
    return status == "late" or _is_over(find_due_date(learner) if status else end_date, now)


def find_due_date(learner: LearnerStatistics) -> datetime | None:
    """
    Return the due date of a learner, or None.

    :param learner: The statistics of the learner.
    :returns: The date in UTC; None also for a text that is not a date.
    """
    try:
        date = parse_date(learner.get("dueDate"))
    except ValueError:
        return None
    return date if isinstance(date, datetime) else None


def find_due_dates(statistics: SessionStatistics) -> list[datetime]:
    """
    Return the due dates of the learners who have not completed a session.

    :param statistics: The statistics of the session.
    :returns: The dates in UTC, each once, the earliest first.
    """
    return sorted({date for one in statistics.not_completed() if (date := find_due_date(one)) is not None})


def select_due_date(statistics: SessionStatistics, due_date: datetime) -> SessionStatistics:
    """
    Return the statistics of the learners who share a due date.

    :param statistics: The statistics of a session.
    :param due_date: The date.
    :returns: Their statistics, with the counts of those who are not deleted.
    """
    learners = [one for one in statistics.users_stats or [] if find_due_date(one) == due_date]
    present = [one for one in learners if not one.get("deleted")]
    counts = {
        "registered": len(present),
        "attendees": sum(bool(one.get("startTime")) for one in present),
        "completed": sum(map(has_completed, present)),
    }
    return statistics.model_copy(update={**counts, "users_stats": learners})


def _is_over(date: datetime | None, now: datetime) -> bool:
    # The first year stands for "not set".
    return date is not None and date.year > MINYEAR and date <= now
