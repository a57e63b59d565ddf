"""The progress of learners: from the rows of API v2 to the statistics of API v1, with v2's status and due date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.models import SessionStatistics
from airflow_provider_learning360.api.v2.calls import is_id
from airflow_provider_learning360.api.v2.users import find_mail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_learning360.api.v2.users import User

Row = dict[str, Any]

COMPLETED = "successful"
_KEPT = (
    "userId",
    "progress",
    "score",
    "startedAt",
    "completedAt",
    "dueDate",
    "enrolledAt",
    "unenrolledAt",
    "timeSpent",
)


def pick_row(item: Mapping[str, Any]) -> Row | None:
    """
    Return what is kept of the statistics of one user: texts and numbers.

    :param item: The statistics, as the API sent them.
    :returns: The same without lists and objects, and with the name of the status; None if they have no ID of a user.
    """
    if not is_id(item.get("userId")):
        return None
    row = {name: value for name in _KEPT if isinstance(value := item.get(name), str | int | float)}
    status = find_status(item)
    return row if status is None else {**row, "status": status}


def find_enrolled(rows: Iterable[Row]) -> dict[str, Row]:
    """
    Return the rows of learners who are still enrolled.

    :param rows: The statistics of users, with their IDs.
    :returns: Those without `unenrolledAt`, by user; of a user with two, that of the later enrolment.
    """
    enrolled: dict[str, Row] = {}
    for row in rows:
        known = enrolled.get(row["userId"])
        if not row.get("unenrolledAt") and (known is None or _enrolled_at(row) > _enrolled_at(known)):
            enrolled[row["userId"]] = row
    return enrolled


def _enrolled_at(row: Row) -> str:
    moment = row.get("enrolledAt")
    return moment if isinstance(moment, str) else ""


def find_status(row: Mapping[str, Any]) -> str | None:
    """
    Return the status of a learner, or None.

    :param row: The statistics of a user.
    """
    status = row.get("status")
    kind = status.get("type") if isinstance(status, dict) else status
    return kind if isinstance(kind, str) else None


def build_statistics(
    name: str | None, rows: Iterable[Mapping[str, Any]], users: Mapping[str, User]
) -> SessionStatistics:
    """
    Build the statistics of a session.

    :param name: Name of the session.
    :param rows: The rows of learners who are enrolled.
    :param users: The users by ID; those who are missing have no name and no mail.
    :returns: The statistics, in the shape of API v1.
    """
    items = [_build_item(row, users.get(row["userId"], {})) for row in rows]
    present = [one for one in items if not one["deleted"]]
    document = {
        "name": name,
        "registered": len(present),
        "attendees": sum(bool(one.get("startTime")) for one in present),
        "completed": sum(one.get("status") == COMPLETED for one in present),
        "usersStats": items,
    }
    return SessionStatistics.from_json(document)


def _build_item(row: Mapping[str, Any], user: User) -> dict[str, Any]:
    item: dict[str, Any] = {"userId": row["userId"], "deleted": user.get("status") == "deleted"}
    item |= {name: user[name] for name in ("firstName", "lastName") if name in user}
    if mail := find_mail(user):
        item["mail"] = mail
    item |= {name: row[name] for name in ("progress", "score", "dueDate", "enrolledAt", "status") if name in row}
    for name, source in (("startTime", "startedAt"), ("endTime", "completedAt")):
        if source in row:
            item[name] = row[source]
    spent = row.get("timeSpent")
    if isinstance(spent, int | float) and not isinstance(spent, bool):
        item["totalTimeSpentInSeconds"] = spent / 1000  # API v2 counts milliseconds
    return item
