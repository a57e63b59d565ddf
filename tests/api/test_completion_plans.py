"""How each version of the API reads completions: what counts, and what an error stops."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_learning360.api.completions import Completion
from airflow_provider_learning360.api.errors import (
    ContractError,
    FixArgumentError,
    LearningError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
)
from airflow_provider_learning360.api.messages import Response
from airflow_provider_learning360.api.platform import Plan, Work, advance
from airflow_provider_learning360.api.v1.completions import read_sessions
from airflow_provider_learning360.api.v2.completions import read_pages

HOST = "https://app.360learning.com"
SINCE = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
DATE = "Sun, 01 Mar 2026 09:00:00 GMT"
A, B, C, D = (digit * 24 for digit in "abcd")
ROW = {"_id": A, "sessionId": B, "status": {"type": "successful"}, "completedAt": "2026-03-01T08:30:00.000Z"}


class Reader:
    """Carries out a plan with prepared responses."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.requests: list[Any] = []
        self.taken: list[Completion] = []
        self.missing: list[str] = []

    def carry_out(self, plan: Plan[Any]) -> Any:
        outcome: Any = None
        while True:
            try:
                step = advance(plan, outcome)
            except StopIteration as end:
                return end.value
            try:
                outcome = step.run() if isinstance(step, Work) else self._respond(step)
            except LearningError as error:
                outcome = error

    def _respond(self, call: Any) -> Any:
        self.requests.append(call.request)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, LearningError):
            raise outcome
        body, headers = outcome if isinstance(outcome, tuple) else (outcome, {})
        response = Response(call.request, 200, {"date": DATE, **headers}, json.dumps(body).encode())
        return call.parse(response)

    def read_v2(self) -> Any:
        return self.carry_out(read_pages(HOST, SINCE, self.taken.extend))

    def read_v1(self, *session_ids: str) -> Any:
        return self.carry_out(read_sessions(session_ids, SINCE, self.taken.extend, self.missing.append))


def test_v2_reads_the_completions_of_learners_who_are_enrolled() -> None:
    one = Reader(
        [
            ROW,
            ROW | {"_id": B, "unenrolledAt": "2026-03-01T08:40:00.000Z"},
            ROW | {"_id": C, "status": {"type": "toRetake"}},
            ROW | {"_id": D, "sessionId": None},
            ROW | {"_id": "7"},
            ROW | {"_id": D, "completedAt": "soon"},
            "no row",
        ]
    )
    assert one.read_v2() == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert one.taken == [Completion(B, A, datetime(2026, 3, 1, 8, 30, tzinfo=UTC))]
    assert one.requests[0].query == (("completedAt[gte]", "2026-03-01T08:00:00.000Z"),)


def test_v2_refuses_rows_of_which_none_can_be_read() -> None:
    with pytest.raises(ContractError, match="its entries lack _id, sessionId or completedAt"):
        Reader([ROW | {"sessionId": "x"}]).read_v2()


def test_v2_takes_the_time_of_the_first_page() -> None:
    following = {"link": f'<{HOST}/api/v2/paths/stats?next=2>; rel="next"'}
    later = {"date": "Sun, 01 Mar 2026 10:00:00 GMT"}
    one = Reader(([ROW], following), ([ROW | {"_id": C}], later))
    assert one.read_v2() == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert [completion.key for completion in one.taken] == [A, C]


def test_v2_does_not_follow_a_link_to_another_host() -> None:
    one = Reader(([ROW], {"link": '<https://example.com/api/v2/paths/stats?next=2>; rel="next"'}))
    with pytest.raises(ContractError, match="on another host"):
        one.read_v2()
    # Nothing of such a page is taken: the floor stays, and the next poll reads it again.
    assert one.taken == []


def statistics(*rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "Safety",
        "usersStats": [{"mail": f"{number}@example.com"} | row for number, row in enumerate(rows)],
    }


def test_v1_counts_rows_with_an_end_and_names_nobody() -> None:
    end = {"endTime": "2026-03-01T08:30:00.000Z"}
    rows = (end, end, {"progress": 40}, {"endTime": ""}, end | {"deleted": True}, {"endTime": "2026-03-01T07:00:00Z"})
    one = Reader(statistics(*rows, {"endTime": "soon"}, {"endTime": 12}))
    assert one.read_v1(A) == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert {completion.session_id for completion in one.taken} == {A}
    assert len({completion.key for completion in one.taken}) == len(one.taken) == 2
    assert "@" not in str(one.taken)


def test_v1_needs_sessions() -> None:
    with pytest.raises(FixArgumentError, match="^session_ids: API v1 cannot list"):
        Reader().carry_out(read_sessions(None, SINCE, print, print))


def test_v1_tells_sessions_that_do_not_exist() -> None:
    one = Reader(NotFoundError("gone", status=404), statistics({"endTime": "2026-03-01T08:30:00.000Z"}))
    assert one.read_v1(A, B) is not None
    assert one.missing == [A]
    assert len(one.taken) == 1


@pytest.mark.parametrize(
    ("errors", "requests"),
    [
        ([ContractError("odd")], 4),
        ([UnavailableError("down", status=503)], 4),
        ([UnavailableError("down", status=503)] * 3, 3),
        ([UnauthorizedError("no", status=401)], 1),
    ],
    ids=["one session", "one 503", "three 503", "401"],
)
def test_v1_stops_where_the_others_would_meet_the_same_error(errors: list[LearningError], requests: int) -> None:
    one = Reader(*errors, *[statistics()] * 4)
    with pytest.raises(type(errors[0])):
        one.read_v1(A, B, C, D)
    assert len(one.requests) == requests


def test_v1_goes_on_while_some_sessions_can_be_read() -> None:
    down = UnavailableError("down", status=503)
    one = Reader(down, down, statistics(), down, statistics())
    with pytest.raises(UnavailableError):
        one.read_v1(A, B, C, D, "e" * 24)
    assert len(one.requests) == 5
