"""Which calls a question takes: each plan is carried out without a socket."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from airflow_provider_learning360.api.contract import Drift
from airflow_provider_learning360.api.document_list import DocumentChoice
from airflow_provider_learning360.api.errors import (
    ContractError,
    InvalidIdError,
    LearningError,
    NotFoundError,
    UnavailableError,
)
from airflow_provider_learning360.api.fields import known_fields
from airflow_provider_learning360.api.list_entries import parse_entry
from airflow_provider_learning360.api.models import ProgramSession
from airflow_provider_learning360.api.platform import SessionFilter, choose_keys
from airflow_provider_learning360.api.v2 import sessions as sessions_v2
from airflow_provider_learning360.api.v2.documents import PATH_KEYS, SESSION_KEYS
from case_samples import one_in
from path_platform import (
    ALL_ROUTES,
    AUDIENCE,
    AUTHOR,
    COUNTS,
    CUSTOM_FIELDS,
    ENROLMENTS,
    ONE_SESSION,
    PATH,
    PATH_ID,
    ROWS,
    SESSION,
    SESSION_ID,
    SESSIONS,
    USERS,
    VALUES,
    PathPlatform,
)

SINGLE_USER = f"{USERS}/..."
OTHER_ID = "60b8d2956e20ae1a0f8e4400"


def read(platform: PathPlatform, keys: frozenset[str] | None = None) -> ProgramSession:
    session: ProgramSession = platform.run(platform.platform.get_session(SESSION_ID, keys))
    return session


def paths_for(*keys: str) -> list[str]:
    platform = PathPlatform()
    read(platform, frozenset(keys))
    return platform.paths


@pytest.mark.parametrize("key", sorted(SESSION_KEYS))
def test_key_of_the_session_takes_one_call(key: str) -> None:
    assert paths_for(key) == [SESSIONS]


@pytest.mark.parametrize("key", sorted(PATH_KEYS))
def test_key_of_the_path_takes_one_more(key: str) -> None:
    assert paths_for(key) == [SESSIONS, PATH]


@pytest.mark.parametrize(
    ("keys", "more"),
    [
        (["name", "startDate"], []),
        (["requirements", "skills", "validateRegistrations"], []),
        (["groups"], [AUDIENCE]),
        (["customFields"], [VALUES, CUSTOM_FIELDS]),
        (["author"], [PATH, SINGLE_USER]),
        (["tutors"], [USERS]),
        (["users"], [ENROLMENTS, USERS]),
        (["author", "tutors", "users"], [PATH, ENROLMENTS, USERS]),
        (["description", "lang", "modules", "steps"], [PATH]),
    ],
)
def test_only_what_is_asked_for_is_requested(keys: list[str], more: list[str]) -> None:
    assert paths_for(*keys) == [SESSIONS, *more]


def test_whole_document_takes_seven_calls() -> None:
    platform = PathPlatform()
    read(platform)
    assert platform.paths == [SESSIONS, PATH, AUDIENCE, VALUES, CUSTOM_FIELDS, ENROLMENTS, USERS]


def test_names_of_custom_fields_are_not_read_for_none() -> None:
    platform = PathPlatform(values=[])
    assert read(platform, frozenset({"customFields"})).document()["customFields"] == []
    assert platform.paths == [SESSIONS, VALUES]


def test_second_document_reads_again_what_belongs_to_the_session_only() -> None:
    platform = PathPlatform()
    read(platform)
    platform.requests.clear()
    read(platform)
    assert platform.paths == [SESSIONS, AUDIENCE, VALUES, ENROLMENTS]


def test_path_is_read_again_after_a_minute() -> None:
    platform = PathPlatform()
    read(platform, frozenset({"description"}))
    platform.path["description"] = "Edited"
    assert read(platform, frozenset({"description"})).description == "From bookings to balance sheets"
    platform.time += sessions_v2.PATH_AGE
    assert read(platform, frozenset({"description"})).description == "Edited"


def test_names_of_custom_fields_are_read_again_after_ten_minutes() -> None:
    platform = PathPlatform()
    for _ in range(3):
        read(platform, frozenset({"customFields"}))
    assert platform.paths.count(CUSTOM_FIELDS) == 1
    platform.time += sessions_v2.NAMES_AGE
    read(platform, frozenset({"customFields"}))
    assert platform.paths.count(CUSTOM_FIELDS) == 2


def test_number_of_remembered_paths_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_learning360.api.v2.recently_read import RecentlyRead

    kept: RecentlyRead[int] = RecentlyRead(lambda: 0.0, 60.0, 3)
    for number in (1, 2, 3, 1, 4):
        kept.keep(str(number), number)
    assert [kept.find(str(number)) for number in range(1, 5)] == [1, None, 3, 4]


def test_path_of_a_session_is_remembered() -> None:
    platform = PathPlatform()
    platform.run(platform.platform.count_completions(SESSION_ID))
    platform.run(platform.platform.count_completions(SESSION_ID))
    platform.run(platform.platform.get_learners(SESSION_ID))
    assert platform.paths == [SESSIONS, COUNTS, COUNTS, ENROLMENTS, USERS]


def test_statistics_read_the_name_of_the_session_each_time() -> None:
    platform = PathPlatform()
    for _ in range(2):
        platform.run(platform.platform.get_statistics(SESSION_ID))
    assert platform.paths == [SESSIONS, ROWS, USERS, SESSIONS, ROWS]


def test_learners_are_published_enrolments_of_this_session() -> None:
    platform = PathPlatform()
    learners = platform.run(platform.platform.get_learners(SESSION_ID))
    assert platform.requests[1].query == (("sessionId[eq]", SESSION_ID), ("status[eq]", "published"))
    assert [one["mail"] for one in learners] == ["user4@example.com", "user5@example.com"]


def test_id_with_capitals_and_blanks_is_the_same_session() -> None:
    platform = PathPlatform()
    platform.session["_id"] = SESSION_ID.upper()
    assert platform.run(platform.platform.count_completions(f" {SESSION_ID.upper()} ")).learners == 3
    assert platform.paths == [SESSIONS, COUNTS]


@pytest.mark.parametrize("call", ["get_session", "get_learners", "get_statistics", "count_completions"])
@pytest.mark.parametrize("odd", ["", "1", "x" * 24, "../../users", None])
def test_what_is_no_id_is_refused_before_anything_is_sent(call: str, odd: Any) -> None:
    platform = PathPlatform()
    with pytest.raises(InvalidIdError):
        platform.run(getattr(platform.platform, call)(odd))
    assert platform.requests == []


@pytest.mark.parametrize("call", ["get_session", "get_learners", "get_statistics", "count_completions"])
def test_unknown_session_is_not_found(call: str) -> None:
    platform = PathPlatform()
    with pytest.raises(NotFoundError, match="found no program session") as caught:
        platform.run(getattr(platform.platform, call)(OTHER_ID))
    assert (caught.value.code, caught.value.status) == ("sessionNotFound", 200)
    assert OTHER_ID in str(caught.value)


def test_other_session_than_the_requested_one_is_refused() -> None:
    platform = PathPlatform(instead={SESSIONS: json.dumps([SESSION | {"_id": OTHER_ID}]).encode()})
    with pytest.raises(ContractError, match="it has another _id"):
        read(platform)


def test_requested_session_is_found_among_others() -> None:
    others = [SESSION | {"_id": OTHER_ID}, {"_id": 5}, SESSION, SESSION]
    platform = PathPlatform(instead={SESSIONS: json.dumps(others).encode()})
    assert read(platform, frozenset()).id == SESSION_ID


def test_other_path_than_that_of_the_session_is_refused() -> None:
    platform = PathPlatform()
    platform.path["_id"] = OTHER_ID
    with pytest.raises(ContractError, match="it has another _id"):
        read(platform)


@pytest.mark.parametrize("odd", ["absent", None, 5, ["x"], "", "..", "a/b", "a" * 3_000])
def test_session_without_a_path_has_its_own_keys_only(odd: Any) -> None:
    platform = PathPlatform()
    platform.session["pathId"] = odd
    if odd == "absent":
        del platform.session["pathId"]
    if odd is None or isinstance(odd, str):  # a number is no `programTemplate` either
        assert read(platform, frozenset({"name"})).name == SESSION["name"]
    for plan in (platform.platform.get_session(SESSION_ID), platform.platform.count_completions(SESSION_ID)):
        with pytest.raises(ContractError):
            platform.run(plan)
    assert set(platform.paths) == {SESSIONS}


@pytest.mark.parametrize("odd", [5, ["x"], "..", "a/b", {"a": 1}, None])
def test_people_without_a_usable_id_are_left_out(odd: Any) -> None:
    platform = PathPlatform()
    platform.path["authorId"] = odd
    platform.session |= {"mainInstructorId": odd, "instructorIds": [odd, AUTHOR, AUTHOR]}
    document = platform.document()
    assert document["tutors"] == ["user1@example.com"]
    assert "author" not in document


@pytest.mark.parametrize("odd", [5, "text", {"a": 1}, None])
def test_instructors_that_are_no_list_are_left_out(odd: Any) -> None:
    platform = PathPlatform()
    platform.session["instructorIds"] = odd
    assert platform.document()["tutors"] == ["user2@example.com"]


def test_listed_session_is_completed_with_what_it_lacks() -> None:
    platform = PathPlatform()
    (session,) = platform.run(platform.platform.list_sessions()).sessions
    completed = platform.run(platform.platform.complete_session(session, frozenset({"description"})))
    assert completed.description == platform.path["description"]
    assert platform.paths == [SESSIONS, PATH]
    assert platform.run(platform.platform.complete_session(completed, frozenset({"lang", "description"}))).lang == "en"
    assert platform.paths == [SESSIONS, PATH]


def test_complete_session_needs_no_call() -> None:
    platform = PathPlatform()
    platform.path["estimatedDuration"] = {"unit": "day", "value": 2}
    session = read(platform)
    platform.requests.clear()
    assert platform.run(platform.platform.complete_session(session)) is session
    assert platform.requests == []


def test_session_of_a_poll_is_completed_to_the_same_document() -> None:
    platform = PathPlatform()
    (entry,) = platform.stream(platform.platform.stream_sessions())
    session = parse_entry(entry)
    assert platform.run(platform.platform.complete_session(session)).document() == PathPlatform().document()


def test_keys_of_a_document_are_those_of_fields_without_exclude() -> None:
    assert choose_keys(["name", "users"], ["users"]) == {"name"}
    assert choose_keys(None, None) is None
    excluded = choose_keys(None, ["users", "groups"])
    assert excluded is not None
    assert {"users", "groups"}.isdisjoint(excluded)
    assert {"customFields", "steps"} <= excluded


# Lists


def sessions(count: int) -> list[dict[str, Any]]:
    return [SESSION | {"_id": f"{number:024x}"} for number in range(count)]


def list_all(items: list[Any], keys: frozenset[str] | None = frozenset(), **more: Any) -> tuple[Any, PathPlatform]:
    platform = PathPlatform(**more)
    platform_find = platform._find
    platform._find = lambda request: items if request.path == SESSIONS else platform_find(request)  # type: ignore[method-assign]
    return platform.run(platform.platform.list_sessions(keys=keys)), platform


def test_list_of_ten_thousand_takes_twenty_requests() -> None:
    listed, platform = list_all(sessions(10_000))
    assert len(listed.sessions) == 10_000
    assert platform.paths == [SESSIONS] * 20


def test_list_with_keys_of_the_path_reads_each_path_once() -> None:
    listed, platform = list_all(sessions(30), frozenset({"description"}), page_size=10)
    assert {one.description for one in listed.sessions} == {"From bookings to balance sheets"}
    assert platform.paths == [SESSIONS] * 3 + [PATH]


def test_session_on_two_pages_is_listed_once_as_it_is_now() -> None:
    first, second = sessions(2)
    listed, _ = list_all([first, second, first | {"name": "Renamed"}], page_size=2)
    assert [(one.id, one.name) for one in listed.sessions] == [
        (first["_id"], "Renamed"), (second["_id"], SESSION["name"]),
    ]  # fmt: skip


def test_bad_entry_alone_on_the_last_page_costs_itself() -> None:
    listed, _ = list_all([*sessions(4), {"_id": 5}], page_size=2)
    assert (len(listed.sessions), listed.unreadable.count) == (4, 1)


def test_bad_entry_alone_on_the_last_page_of_a_stream_costs_itself() -> None:
    platform = PathPlatform(page_size=1)
    platform._find = lambda request: [*sessions(2), 7, "x"]  # type: ignore[method-assign]
    assert [one.get("_id") for one in platform.stream(platform.platform.stream_sessions())] == [
        f"{0:024x}", f"{1:024x}", None, None,
    ]  # fmt: skip


@pytest.mark.parametrize("body", [b'[{"_id": 5}]', b"[1]"])
def test_list_of_which_nothing_can_be_read_is_an_error(body: bytes) -> None:
    platform = PathPlatform(instead={SESSIONS: body})
    with pytest.raises(ContractError):
        platform.run(platform.platform.list_sessions())


def test_session_that_cannot_be_completed_is_left_out_and_counted() -> None:
    items = sessions(3)
    items[1] = items[1] | {"pathId": OTHER_ID}  # deleted between the two requests
    listed, _ = list_all(items, frozenset({"description"}))
    assert [one.id for one in listed.sessions] == [items[0]["_id"], items[2]["_id"]]
    assert "number 2" in str(listed.unreadable)
    assert "returned 404" in str(listed.unreadable)


def test_session_with_an_unreadable_path_is_left_out_and_counted() -> None:
    items = sessions(3)
    items[1] = items[1] | {"pathId": OTHER_ID}
    body = json.dumps({"_id": OTHER_ID, "description": ["x"]}).encode()
    listed, _ = list_all(items, frozenset({"description"}), instead={f"/api/v2/paths/{OTHER_ID}": body})
    assert [one.id for one in listed.sessions] == [items[0]["_id"], items[2]["_id"]]
    assert "description" in str(listed.unreadable)


@pytest.mark.parametrize("fields", [["_id", "name"], ["description", "tutors", "endDate"], ["lang"]])
@pytest.mark.parametrize("wanted", ["Accounting", "Renamed"])
def test_documents_of_a_list_are_those_of_its_sessions(fields: list[str], wanted: str) -> None:
    first, second, third, fourth = sessions(4)
    items = [first, {"_id": 5}, second, third | {"pathId": OTHER_ID}, first | {"name": "Renamed"}, fourth]
    keys = frozenset(fields)
    listed, platform = list_all(items, keys, page_size=2)
    choice = DocumentChoice(keys, lambda session: wanted in (session.name or ""))
    found = platform.run(platform.platform.list_documents(choice))
    assert found.documents == [one.document(keys) for one in listed.sessions if choice.matches(one)]
    assert found.session_count == 4
    assert found.unreadable.count >= 1
    assert not found.drift


def test_documents_have_the_drift_of_all_sessions_and_of_their_parts() -> None:
    platform = PathPlatform()
    platform.session["color"] = "red"
    for matches in (True, False):
        choice = DocumentChoice(frozenset({"description"}), lambda session: matches)  # noqa: B023 - used at once
        found = platform.run(platform.platform.list_documents(choice))
        assert found.drift == Drift(unknown=("color",))
        assert len(found.documents) == matches


def test_outage_while_completing_ends_the_list() -> None:
    with pytest.raises(UnavailableError):
        list_all(sessions(3), frozenset({"description"}), instead={PATH: (503, "down")})


def test_list_of_which_no_session_can_be_completed_is_an_error() -> None:
    with pytest.raises(NotFoundError):
        list_all(sessions(3), frozenset({"description"}), instead={PATH: (404, "pathNotFound")})


def test_filters_go_to_the_server() -> None:
    platform = PathPlatform()
    start = datetime(2026, 11, 1, 8, 30, 15, 250_000, tzinfo=UTC)
    where = SessionFilter(
        template_id=PATH_ID,
        starts_after=start,
        starts_before=start,
        ends_after=start.replace(microsecond=0),
        ends_before=start.replace(microsecond=0),
        modified_since=start + timedelta(days=1),
    )
    platform.run(platform.platform.list_sessions(where))
    platform.stream(platform.platform.stream_sessions(where))
    assert platform.requests[0].query == platform.requests[1].query == (
        ("pathId[eq]", PATH_ID),
        ("startDate[gte]", "2026-11-01T08:30:15.000Z"),
        # Rounded so that too many are found, never too few.
        ("startDate[lt]", "2026-11-01T08:30:16.000Z"),
        ("endDate[gte]", "2026-11-01T08:30:15.000Z"),
        ("endDate[lt]", "2026-11-01T08:30:15.000Z"),
        ("modifiedAt[gte]", "2026-11-02T08:30:15.000Z"),
    )  # fmt: skip


def test_filters_at_the_ends_of_time() -> None:
    platform = PathPlatform()
    always = SessionFilter(
        starts_after=datetime.min.replace(tzinfo=UTC), starts_before=datetime.max.replace(tzinfo=UTC),
        ends_after=datetime.min.replace(tzinfo=_zone(5)), ends_before=datetime.max.replace(tzinfo=_zone(-5)),
    )  # fmt: skip
    platform.run(platform.platform.list_sessions(always))
    values = dict(platform.requests[0].query)
    assert values["startDate[gte]"] == "0001-01-01T00:00:00.000Z"
    assert "startDate[lt]" not in values  # nothing is later


def _zone(hours: int) -> Any:
    from datetime import timezone

    return timezone(timedelta(hours=hours))


# Any response


BODIES = {
    "empty": b"",
    "html": b"<!doctype html><title>Sign in</title>",
    "text": b"hello",
    "object": b"{}",
    "array": b"[]",
    "array of arrays": b"[[]]",
    "array of objects": b"[{}]",
    "null": b"null",
    "nulls": b"[null, null]",
    "number": b"5",
    "truncated": b'[{"_id": "60b8d2956e20ae1a0f8e44f1", "name": "Intro',
    "deep": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "not UTF-8": b'[{"_id": "\xff\xfe"}]',
    "huge number": b'[{"_id": ' + b"9" * 100_000 + b"}]",
    "unhashable ids": b'[{"_id": ["x"], "userId": {"a": 1}, "customFieldId": [1], "pathId": []}]',
    "unhashable object": b'{"_id": ["x"], "filters": [{"type": ["groups"]}], "steps": [{"type": {}}], "options": [1]}',
    "surrogates": b'[{"_id": "\\ud800", "userId": "\\ud800\\u0000", "customFieldId": "\\udfff"}]',
    "infinite": b'{"estimatedDuration": {"unit": "hour", "value": 1e999}, "usersCountByStatus": {"successful": 1e999}}',
}  # fmt: skip
CALLS: dict[str, Any] = {
    "document": lambda api: api.get_session(SESSION_ID),
    "learners": lambda api: api.get_learners(SESSION_ID),
    "statistics": lambda api: api.get_statistics(SESSION_ID),
    "counts": lambda api: api.count_completions(SESSION_ID),
    "list": lambda api: api.list_sessions(keys=None),
    "documents": lambda api: api.list_documents(DocumentChoice(frozenset(known_fields()), lambda session: True)),
    "test": lambda api: api.test(),
    "check": lambda api: api.check_access(),
}  # fmt: skip


STATUSES = [400, 401, 403, 404, 418, 429, 500, 503]


def error_of(platform: PathPlatform, call: str) -> LearningError | None:
    try:
        platform.run(CALLS[call](platform.platform))
    except LearningError as error:
        return error
    return None


@pytest.mark.parametrize(("call", "route", "body"), one_in(7, product(CALLS, ALL_ROUTES, BODIES)))
def test_any_body_is_a_result_or_one_typed_error(call: str, route: str, body: str) -> None:
    platform = PathPlatform(instead={route: BODIES[body]})
    error = error_of(platform, call)
    assert error is None or isinstance(error, ContractError | NotFoundError)
    assert "\n" not in str(error)
    assert "@" not in str(error)


@pytest.mark.parametrize(("call", "route", "status"), one_in(7, product(CALLS, ALL_ROUTES, STATUSES)))
def test_any_status_is_a_result_or_one_typed_error(call: str, route: str, status: int) -> None:
    platform = PathPlatform(instead={route: (status, "odd")})
    assert "\n" not in str(error_of(platform, call))


def test_unused_routes_are_not_requested() -> None:
    """The route of one session needs its path, and sends all translations."""
    platform = PathPlatform()
    for make in CALLS.values():
        platform.run(make(platform.platform))
    assert ONE_SESSION not in platform.paths
