"""How far learners are: who has completed, and who is late."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_learning360.api.models import SessionStatistics
from airflow_provider_learning360.api.progress import build_progress, choose_progress, find_due_date, find_late

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BEFORE, AFTER = "2026-06-01T11:59:59.000Z", "2026-06-01T12:00:01.000Z"
STATUSES = (
    *("awaitingCorrection", "late", "notYetStarted", "onTime"),
    *("sessionNotOpened", "successful", "toRetake", "unsuccessful"),
)


def statistics(*learners: dict[str, Any]) -> SessionStatistics:
    return SessionStatistics.from_json({"usersStats": list(learners)})


def test_item_holds_what_is_known_of_a_learner() -> None:
    known = statistics(
        {
            "userId": "0" * 24,
            "mail": "ann@example.com",
            "firstName": "Ann",
            "lastName": "Lee",
            "status": "late",
            "progress": 40,
            "startTime": BEFORE,
            "dueDate": BEFORE,
            "deleted": False,
        },
        {"mail": "bob@example.com", "endTime": BEFORE, "progress": "1" + "0" * 30, "dueDate": ""},
    )
    assert build_progress(known, NOW) == [
        {
            "userId": "0" * 24,
            "mail": "ann@example.com",
            "firstName": "Ann",
            "lastName": "Lee",
            "status": "late",
            "progress": 40,
            "completedAt": None,
            "dueDate": BEFORE,
            "isCompleted": False,
            "isLate": True,
        },
        {
            "userId": None,
            "mail": "bob@example.com",
            "firstName": None,
            "lastName": None,
            "status": None,
            "progress": None,
            "completedAt": BEFORE,
            "dueDate": None,
            "isCompleted": True,
            "isLate": False,
        },
    ]


def test_only_successful_is_completed() -> None:
    items = build_progress(statistics(*({"status": one, "progress": 100, "endTime": BEFORE} for one in STATUSES)), NOW)
    assert [one["status"] for one in choose_progress(items, "completed")] == ["successful"]
    assert {one["status"] for one in choose_progress(items, "not_completed")} == {*STATUSES} - {"successful"}
    assert len(choose_progress(items, "all")) == len(STATUSES)


@pytest.mark.parametrize(
    ("learner", "end", "is_late"),
    [
        ({"status": "late"}, None, True),
        ({"status": "late", "dueDate": AFTER}, None, True),
        ({"status": "onTime", "dueDate": BEFORE}, None, True),
        ({"status": "onTime", "dueDate": AFTER}, BEFORE, False),
        ({"status": "onTime"}, BEFORE, False),
        ({"status": "onTime", "dueDate": "soon"}, None, False),
        ({"status": "onTime", "dueDate": "0001-01-01T00:00:00.000Z"}, None, False),
        ({"status": "successful", "dueDate": BEFORE}, None, False),
        ({"status": "late", "deleted": True}, None, False),
        ({"progress": 50}, BEFORE, True),
        ({"progress": 50}, AFTER, False),
        ({"progress": 50}, None, False),
        ({"progress": 50}, "0001-01-01T00:00:00.000Z", False),
        ({"progress": 100}, BEFORE, False),
    ],
)
def test_late_is_who_has_not_completed_after_the_due_date(
    learner: dict[str, Any], end: str | None, is_late: bool
) -> None:
    end_date = datetime.fromisoformat(end) if end else None
    known = statistics(learner)
    assert bool(find_late(known, NOW, end_date)) == is_late
    assert [one["isLate"] for one in build_progress(known, NOW, end_date)] == (
        [] if learner.get("deleted") else [is_late]
    )


def test_mail_that_reaches_nobody_is_null() -> None:
    known = statistics({"mail": "ann.lee#company"}, {"userId": "0" * 24}, {"mail": "left@example.com", "deleted": True})
    items = build_progress(known, NOW, is_mailable=lambda mail: "#" not in mail)
    assert [one["mail"] for one in items] == [None, None]


def test_due_date_is_read_in_utc() -> None:
    (learner,) = statistics({"dueDate": "2026-06-01T14:00:00+02:00"}).users_stats or []
    assert find_due_date(learner) == NOW
