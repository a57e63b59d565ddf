"""API v1 through the interface that both versions have: each question is one call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_learning360.api.errors import (
    FixArgumentError,
    ForbiddenError,
    InvalidIdError,
    LearningError,
    NotFoundError,
    UnavailableError,
)
from airflow_provider_learning360.api.messages import Call, Response
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.api.platform import Work, advance, observe_responses
from airflow_provider_learning360.api.v1.platform import PlatformV1

SESSION_ID = "60b8d2956e20ae1a0f8e44f1"
LIST = "/api/v1/programs/sessions"
SESSION, LEARNERS, STATISTICS = (f"{LIST}/{SESSION_ID}{end}" for end in ("/", "/users", "/stats"))
DOCUMENT = {"_id": SESSION_ID, "name": "Accounting", "modifiedAt": "2026-10-05T09:00:00.000Z"}
ROWS = [
    {"mail": "a@example.com", "progress": 100},
    {"mail": "b@example.com", "endTime": "2026-10-05T09:00:00.000Z"},
    {"mail": "c@example.com", "progress": 99},
    {"mail": "d@example.com", "progress": 100, "deleted": True},
]
BODIES: dict[str, Any] = {
    LIST: [DOCUMENT],
    SESSION: DOCUMENT,
    LEARNERS: [{"_id": "u1", "mail": "a@example.com"}],
    STATISTICS: {"name": "Accounting", "registered": 4, "usersStats": ROWS},
}


def run(plan: Any, **errors: LearningError) -> tuple[Any, list[str]]:
    """Carry out a plan; return its result, and the paths of its requests."""
    named = {LIST: errors.get("listing"), SESSION: errors.get("session"), STATISTICS: errors.get("statistics")}
    paths: list[str] = []
    outcome: Any = None
    while True:
        try:
            step: Call[Any] | Work = advance(plan, outcome)
        except StopIteration as end:
            return end.value, paths
        assert isinstance(step, Call)
        path = step.request.path
        paths.append(path)
        outcome = named.get(path) or step.parse(Response(step.request, 200, {}, json.dumps(BODIES[path]).encode()))


@pytest.fixture
def platform() -> PlatformV1:
    return PlatformV1()


def test_session_is_one_call_whatever_keys_are_wanted(platform: PlatformV1) -> None:
    for keys in (None, frozenset[str](), frozenset({"users"})):
        session, paths = run(platform.get_session(SESSION_ID, keys))
        assert (session.name, paths) == ("Accounting", [SESSION])


def test_session_is_complete(platform: PlatformV1) -> None:
    session = ProgramSession.model_validate(DOCUMENT)
    assert run(platform.complete_session(session)) == (session, [])
    assert session.coverage.untimed == frozenset()


def test_lists_learners_and_statistics_are_one_call(platform: PlatformV1) -> None:
    assert run(platform.list_sessions())[1] == [LIST]
    assert run(platform.get_learners(SESSION_ID))[0] == BODIES[LEARNERS]
    assert run(platform.get_statistics(SESSION_ID))[0].registered == 4
    assert [step.request.path for step in platform.stream_sessions()] == [LIST]
    poll = platform.new_poll()
    assert [step.request.path for step in poll.stream()] == [LIST]
    assert poll.is_full


def test_completions_are_those_of_present_learners(platform: PlatformV1) -> None:
    counts, paths = run(platform.count_completions(SESSION_ID))
    assert (counts.learners, counts.completed, paths) == (3, 2, [STATISTICS])


def test_unknown_session_may_be_one_of_v2(platform: PlatformV1) -> None:
    with pytest.raises(NotFoundError, match="set `api_version` to v2 in the extra of the connection"):
        run(platform.get_session(SESSION_ID), session=NotFoundError("GET ... returned 404.", status=404))


def test_other_errors_have_no_such_hint(platform: PlatformV1) -> None:
    with pytest.raises(UnavailableError, match=r"^GET ... returned 503\.$"):
        run(platform.get_session(SESSION_ID), session=UnavailableError("GET ... returned 503."))


@pytest.mark.parametrize("call", ["get_session", "get_learners", "get_statistics", "count_completions"])
def test_what_is_no_id_is_refused_before_anything_is_sent(platform: PlatformV1, call: str) -> None:
    with pytest.raises(InvalidIdError):
        run(getattr(platform, call)("../users"))


def test_check_reads_each_route_once(platform: PlatformV1) -> None:
    checks, paths = run(platform.check_access())
    assert paths == [LIST, SESSION, LEARNERS, STATISTICS]
    assert [(one.name, one.granted) for one in checks] == [
        ("sessions", True), ("one session", True), ("learners", True), ("statistics", True),
    ]  # fmt: skip
    assert "@" not in str(checks)


def test_check_says_what_is_refused(platform: PlatformV1) -> None:
    refused = ForbiddenError("GET ... returned 403.", status=403)
    assert run(platform.check_access(), listing=refused)[0][0].granted is False
    by_name = {one.name: one.granted for one in run(platform.check_access(), statistics=refused)[0]}
    assert by_name == {"sessions": True, "one session": True, "learners": True, "statistics": False}


def test_due_dates_are_refused_with_the_way_out(platform: PlatformV1) -> None:
    with pytest.raises(FixArgumentError, match=r"`anchor: dueDate` cannot be used\. Use `endDate`, or API v2"):
        platform.require_due_dates()


def test_test_needs_no_request_beside_the_token(platform: PlatformV1) -> None:
    assert run(platform.test()) == (None, [])


def test_observed_call_returns_the_same(platform: PlatformV1) -> None:
    seen: list[Response] = []
    call = observe_responses(next(platform.get_session(SESSION_ID)), seen.append)  # type: ignore[arg-type]
    response = Response(call.request, 200, {}, json.dumps(DOCUMENT).encode())
    assert call.parse(response).name == "Accounting"
    assert seen == [response]
