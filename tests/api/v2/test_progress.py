"""From the rows of API v2 to the statistics of API v1."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_learning360.api.completion_target import CompletionTarget
from airflow_provider_learning360.api.errors import ContractError, LearningError
from airflow_provider_learning360.api.v2.completion_count import MAX_LOOKED_UP
from path_platform import COUNTS, ROWS, SESSION_ID, USERS, PathPlatform, user, user_id

# Completed is one of the nine; the others are shown as they are.
STATUSES = (
    "notStarted",
    "onTime",
    "late",
    "successful",
    "unsuccessful",
    "toRetake",
    "waitingForCorrection",
    "brandNew",
)


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"userId": user_id(number), "progress": 50, "status": {"type": "onTime"}, "timeSpent": 90_000} | more


def read(rows: list[Any], **platform: Any) -> Any:
    served = PathPlatform(rows=rows, **platform)
    return served.run(served.platform.get_statistics(SESSION_ID))


def test_row_becomes_an_item_with_the_keys_of_v1() -> None:
    given = row(
        4,
        score=80,
        startedAt="2026-11-03T08:00:00.000Z",
        completedAt="2026-11-04T08:00:00.000Z",
        dueDate="2026-11-30T08:00:00.000Z",
        enrolledAt="2026-11-01T08:00:00.000Z",
        status={"type": "successful"},
        selfEnrolled=False,
    )
    statistics = read([given], users=[user(4, firstName="Anna", lastName="Arndt"), user(5)])
    assert statistics.users_stats == [
        {
            "userId": user_id(4),
            "deleted": False,
            "firstName": "Anna",
            "lastName": "Arndt",
            "mail": "user4@example.com",
            "progress": 50,
            "score": 80,
            "startTime": "2026-11-03T08:00:00.000Z",
            "endTime": "2026-11-04T08:00:00.000Z",
            "dueDate": "2026-11-30T08:00:00.000Z",
            "enrolledAt": "2026-11-01T08:00:00.000Z",
            "status": "successful",
            "totalTimeSpentInSeconds": 90.0,
        }
    ]
    assert (statistics.name, statistics.registered, statistics.attendees, statistics.completed) == (
        "Introduction to Accounting", 1, 1, 1,
    )  # fmt: skip


def test_learner_who_left_is_not_counted() -> None:
    statistics = read([row(4), row(5, unenrolledAt="2026-11-02T08:00:00.000Z")])
    assert [one["userId"] for one in statistics.users_stats] == [user_id(4)]


def test_learner_who_came_back_is_counted_once_with_the_later_enrolment() -> None:
    rows = [
        row(4, enrolledAt="2026-10-01T08:00:00.000Z", progress=100),
        row(4, enrolledAt="2026-11-01T08:00:00.000Z", progress=10),
        row(4, enrolledAt="2026-12-01T08:00:00.000Z", unenrolledAt="2026-12-02T08:00:00.000Z", progress=20),
        row(4, progress=30),
    ]
    statistics = read(rows)
    assert (statistics.registered, [one["progress"] for one in statistics.users_stats]) == (1, [10])


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("as_object", [True, False])
def test_not_completed_is_every_status_but_successful(status: str, as_object: bool) -> None:
    statistics = read([row(4, progress=100, status={"type": status, "reason": "x"} if as_object else status)])
    assert (len(statistics.not_completed()), statistics.completed) == ((0, 1) if status == "successful" else (1, 0))


def test_deleted_user_is_listed_but_not_counted() -> None:
    statistics = read([row(4), row(5)], users=[user(4), user(5, status="deleted")])
    assert (statistics.registered, len(statistics.users_stats), len(statistics.not_completed())) == (1, 2, 1)
    assert "mail" not in statistics.users_stats[1]


def test_learner_without_mail_is_listed_without_one() -> None:
    person = user(4)
    del person["mail"]
    statistics = read([row(4)], users=[person, user(5)])
    assert "mail" not in statistics.users_stats[0]
    assert statistics.registered == 1


@pytest.mark.parametrize("odd", [1, None, [], {}, {"userId": ["x"]}, {"userId": 5}, {"userId": "../users"}])
def test_row_without_a_user_costs_itself(odd: Any, caplog: pytest.LogCaptureFixture) -> None:
    statistics = read([odd, row(4)])
    assert statistics.registered == 1
    assert [one for one in caplog.messages if "1 item that cannot be read" in one]


@pytest.mark.parametrize(
    "odd",
    [
        {"progress": "half"},
        {"score": ["80"]},
        {"dueDate": 5},
        {"status": 5},
        {"status": {"type": ["x"]}},
        {"status": []},
        {"timeSpent": "long"},
        {"timeSpent": 1e308},
        {"enrolledAt": {}},
        {"unenrolledAt": {}},
        {"startedAt": [1]},
    ],
)
def test_odd_row_costs_itself_at_most(odd: dict[str, Any]) -> None:
    statistics = read([row(4, **odd), row(5)])
    assert user_id(5) in {one["userId"] for one in statistics.users_stats}


def test_rows_of_which_none_can_be_read_are_an_error() -> None:
    with pytest.raises(ContractError, match="none of its items can be read"):
        read([{"user": "anna@example.com"}])


def test_unreadable_row_alone_on_the_last_page_costs_itself() -> None:
    assert read([row(4), row(5), {"userId": None}], page_size=2).registered == 2


def test_session_without_learners() -> None:
    statistics = read([])
    assert (statistics.registered, statistics.completed, statistics.users_stats) == (0, 0, [])


def test_rows_come_in_pages() -> None:
    served = PathPlatform(learners=list(range(1, 12)), users=[user(one) for one in range(1, 12)], page_size=4)
    assert served.run(served.platform.get_statistics(SESSION_ID)).registered == 11
    assert served.paths.count(ROWS) == 3


def count(counts: Any) -> Any:
    served = PathPlatform(counts=counts)
    return served.run(served.platform.count_completions(SESSION_ID))


def test_counts_are_sums() -> None:
    counted = count({"certificates": 1, "usersCountByStatus": {"successful": 3, "onTime": 4, "late": 5}})
    assert (counted.learners, counted.completed) == (12, 3)


def test_nobody_has_completed() -> None:
    assert count({"usersCountByStatus": {}}).completed == 0


def count_with_deleted(platform: PathPlatform, wanted: float = 1.0) -> tuple[int, int]:
    """Count for a wait until a share of the learners has completed."""
    platform.requests.clear()
    counted = platform.run(platform.platform.count_completions(SESSION_ID, CompletionTarget(wanted).is_reached))
    return counted.learners, counted.completed


def platform_with_deleted(unfinished: int = 3, **more: Any) -> PathPlatform:
    """One has completed; of the others the first is deleted, the second does not exist any more, the third is there."""
    rows = [row(1, status={"type": "successful"}), *(row(one) for one in range(2, 2 + unfinished))]
    rows.append(row(90, unenrolledAt="2026-11-02T08:00:00.000Z"))
    users = [user(1), user(2, status="deleted"), *(user(one) for one in range(4, 2 + unfinished))]
    counts = {"usersCountByStatus": {"successful": 1, "onTime": unfinished}}
    return PathPlatform(rows=rows, users=users, counts=counts, **more)


def test_deleted_learners_do_not_keep_a_wait_from_its_end() -> None:
    platform = platform_with_deleted()
    assert count_with_deleted(platform) == (2, 1)
    assert platform.paths[-3:] == [COUNTS, ROWS, USERS]
    assert count_with_deleted(platform) == (2, 1)
    assert platform.paths == [COUNTS, ROWS]  # who is deleted is remembered
    assert count_with_deleted(platform_with_deleted(unfinished=2)) == (1, 1)


def test_deleted_learners_are_looked_up_only_if_that_may_end_the_wait() -> None:
    platform = platform_with_deleted()
    assert count_with_deleted(platform, 0.25) == (4, 1)
    assert platform.paths[-1] == COUNTS
    nobody = platform_with_deleted()
    nobody.counts = {"usersCountByStatus": {"onTime": 4}}
    assert count_with_deleted(nobody) == (4, 0)
    assert nobody.paths[-1] == COUNTS
    many = platform_with_deleted(MAX_LOOKED_UP + 1)
    assert count_with_deleted(many) == (MAX_LOOKED_UP + 2, 1)
    assert many.paths[-1] == COUNTS
    assert count_with_deleted(platform_with_deleted(MAX_LOOKED_UP)) == (MAX_LOOKED_UP - 1, 1)


def test_counts_are_those_of_the_server_without_the_scope_for_people(caplog: pytest.LogCaptureFixture) -> None:
    platform = platform_with_deleted(missing_scopes=frozenset({"users:read"}))
    assert count_with_deleted(platform) == count_with_deleted(platform) == (4, 1)
    (line,) = [line for line in caplog.messages if "users:read" in line]
    assert line.startswith("Deleted learners may be counted as learners who have not completed: the client lacks")


@pytest.mark.parametrize("trouble", [(503, "down"), (403, "forbidden")])
def test_other_errors_of_the_look_up_fail_the_poll(trouble: tuple[int, str]) -> None:
    platform = platform_with_deleted(instead={USERS: trouble})
    with pytest.raises(LearningError):
        count_with_deleted(platform)


@pytest.mark.parametrize(
    "odd",
    [
        {},
        [],
        *({"usersCountByStatus": one} for one in (None, [], 5)),
        *({"usersCountByStatus": {"successful": one}} for one in ("3", True, -1, 1.5, [1], None)),
    ],
)
def test_odd_counts_are_one_error(odd: Any) -> None:
    with pytest.raises(LearningError) as caught:
        count(odd)
    assert type(caught.value) is ContractError
    assert COUNTS in str(caught.value)
