"""The arguments of a call: one message that names the right thing, and a request as the API documents it."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_learning360.api.catalogue.arguments import (
    MAX_PROBLEMS,
    build_request,
    check_arguments,
    find_problems,
    to_json,
)
from airflow_provider_learning360.api.catalogue.catalogue import find_operation, load_operations
from airflow_provider_learning360.api.catalogue.operation import Operation
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.rendering import is_template

ID, OTHER = "60b8d2956e20ae1a0f8e44f1", "60b8d2956e20ae1a0f8e44f2"
NOT_JSON = "{}: it holds a value that JSON cannot have, such as NaN or half of a character"
SESSION = {"pathId": ID, "sessionId": OTHER}


def made_up(**data: Any) -> Operation:
    """An operation that the catalogue does not have."""
    return Operation("made-up", "v2", {"method": "POST", "path": "/x", "answer": {"status": 200}, **data}, {})  # type: ignore[typeddict-item]


NUMBERS = made_up(
    repeat="once",
    parameters=[
        {"name": "count", "place": "query", "schema": {"type": "integer", "minimum": 1}},
        {"name": "deep", "place": "query", "schema": {"type": "boolean"}},
        {"name": "kind", "place": "query", "schema": {"type": "string", "enum": ["a", "b"]}},
        {"name": "day", "place": "query", "schema": {"type": "string", "format": "date"}},
    ],
)


def problems(operation: Operation, parameters: Any = None, body: Any = None) -> list[str]:
    return [str(one) for one in find_problems(operation, parameters, body, is_template)]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"count": "3", "deep": "true", "kind": "a", "day": date(2026, 3, 1)}, []),
        ({"count": 0}, ["parameters.count: 0 is less than 1"]),
        ({"count": "many"}, ["parameters.count: 'many' is not a whole number"]),
        ({"count": True}, ["parameters.count: True is not a whole number"]),
        ({"deep": "yes"}, ["parameters.deep: 'yes' is not true or false"]),
        ({"kind": "c"}, ["parameters.kind: 'c' is not one of a, b"]),
        ({"day": "2026-02-30"}, ["parameters.day: '2026-02-30' is not a date, such as 2026-03-01"]),
        ({"count": "{{ n }}", "kind": SimpleNamespace(resolve=print)}, []),
        ("{{ all }}", []),
        (["count"], ["parameters: ['count'] is not a mapping of names and values"]),
        (
            {"cuont": 3},
            ["parameters.cuont: there is no such parameter; known are count, deep, kind, day; did you mean count?"],
        ),
    ],
)
def test_parameters(parameters: Any, expected: list[str]) -> None:
    assert problems(NUMBERS, parameters) == expected


def test_unknown_and_missing_parameters_of_a_path() -> None:
    found = problems(find_operation("get-path-session"), {"pathId": ID, "session_id": OTHER})
    assert found == [
        "parameters.session_id: there is no such parameter; known are pathId, sessionId; did you mean sessionId?",
        "parameters.sessionId: it is missing",
    ]


def test_filter_needs_an_operator_and_many_names_are_cut_to_the_nearest() -> None:
    sessions = find_operation("list-path-sessions")
    (first,) = problems(sessions, {"modifiedAt": {"gte": "2026-03-01T00:00:00Z"}})
    assert first == "parameters.modifiedAt: it needs an operator; write modifiedAt[gte] or modifiedAt[lt]"
    (second,) = problems(sessions, {"modifiedAt[gt]": "2026-03-01T00:00:00Z"})
    assert second.endswith("and 8 more; did you mean modifiedAt[gte]?")
    assert second.count(",") == 8


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"mode": "manual", "filters": [{"type": "users", "ids": [ID]}]}, []),
        (None, ["body: it is missing"]),
        ("{{ body }}", []),
        (5, ["body: 5 is not a mapping"]),
        ({"mode": float("nan")}, [NOT_JSON.format("body")]),
        (
            {"mode": "manual", "filters": [{"type": "users", "ids": ["x"]}]},
            ["body.filters.0.ids.0: 'x' is not an ID: 24 characters of 0-9 and a-f"],
        ),
        (
            {"mode": "manual", "filters": [{"type": "user", "ids": [ID]}]},
            ["body.filters.0.type: 'user' is not one of users, groups, excludedLearners; did you mean users?"],
        ),
        (
            {"mode": "manual", "filters": [{"ids": [ID]}]},
            ["body.filters.0.type: it is missing; write one of users, groups, excludedLearners"],
        ),
        (
            {"mode": "manual", "filters": [{"type": "users", "ids": [ID], "mode": 1}]},
            ["body.filters.0.mode: there is no such field; known are type, ids"],
        ),
        (
            {"mod": "manual", "filters": []},
            [
                "body.mode: it is missing",
                "body.mod: there is no such field; known are filters, mode; did you mean mode?",
            ],
        ),
        # Names are known also where values are not.
        (
            {"mode": "{{ m }}", "filters": [{"type": "users", "idz": "{{ ids }}"}]},
            [
                "body.filters.0.ids: it is missing",
                "body.filters.0.idz: there is no such field; known are type, ids; did you mean ids?",
            ],
        ),
        ({"mode": "{{ m }}", "filters": [{"type": "{{ t }}", "ids": "{{ ids }}"}, "{{ more }}"]}, []),
        ({"mode": "manual", "filters": "{{ filters }}"}, []),
    ],
)
def test_body_of_several_shapes(body: Any, expected: list[str]) -> None:
    assert problems(find_operation("replace-path-session-audience"), SESSION, body) == expected


def test_body_where_there_is_none() -> None:
    assert problems(find_operation("list-groups"), None, {"a": 1}) == ["body: the operation takes no body"]


def test_error_names_three_problems_and_the_command_that_helps() -> None:
    with pytest.raises(FixArgumentError) as caught:
        check_arguments(find_operation("get-path-session"), {"pathIdd": ID}, None)
    assert str(caught.value) == (
        "get-path-session: parameters.pathIdd: there is no such parameter; known are pathId, sessionId; did you mean "
        "pathId? parameters.pathId: it is missing. parameters.sessionId: it is missing. "
        "`airflow learning360 operation get-path-session` shows what it takes."
    )
    with pytest.raises(
        FixArgumentError, match=r"is missing\. parameters\.sessionId: it is missing\. body: .* `air"
    ) as two:
        check_arguments(find_operation("get-path-session"), None, {"a": 1})
    assert "Also wrong" not in str(two.value)
    with pytest.raises(
        FixArgumentError,
        match=r"pathIdd: .* parameters\.pathIddd: .* parameters\.pathId: it is missing\. Also wrong: 2 more\. `",
    ):
        check_arguments(find_operation("get-path-session"), {"pathIdd": ID, "pathIddd": ID}, {"a": 1})


def test_no_mail_address_and_few_problems_in_an_error() -> None:
    found = problems(find_operation("list-path-sessions"), {f"ada{n}@example.com": 1 for n in range(50)})
    assert len(found) == MAX_PROBLEMS
    with pytest.raises(FixArgumentError) as caught:
        check_arguments(find_operation("get-user"), {"userId": "ada@example.com"}, None)
    assert "ada" not in str(caught.value)


def test_request_has_path_query_and_body() -> None:
    request = build_request(
        find_operation("list-path-sessions"),
        {
            "sessionId[in]": [{"_id": ID, "name": "Lyon"}, OTHER],
            "modifiedAt[gte]": datetime(2026, 3, 1, 9, tzinfo=timezone(timedelta(hours=1))),
        },
        None,
    )
    assert set(request.query) == {
        ("modifiedAt[gte]", "2026-03-01T08:00:00.000Z"),
        ("sessionId[in][0]", ID),
        ("sessionId[in][1]", OTHER),
    }
    user = build_request(find_operation("get-user-v1"), {"user_email_or_id": "a/b+c@example.com"}, None)
    assert user.path.endswith("/a%2Fb%2Bc%40example.com")
    write = build_request(find_operation("edit-path-session"), SESSION, {"startDate": datetime(2026, 3, 1, tzinfo=UTC)})
    assert json.loads(write.body) == {"startDate": "2026-03-01T00:00:00.000Z"}
    assert write.path == f"/api/v2/paths/{ID}/sessions/{OTHER}"


def test_only_what_may_be_sent_twice_is_repeatable() -> None:
    assert build_request(find_operation("create-tag"), None, {"name": "safety", "isMain": False}).is_once
    assert build_request(NUMBERS, None, None).is_once
    assert not build_request(find_operation("list-groups"), None, None).is_once
    assert {one.repeat for one in load_operations().values()} == {"read", "repeatable", "once"}


def test_document_stands_for_its_id_in_parameters_only() -> None:
    assert problems(find_operation("get-path-session"), {"pathId": {"_id": ID}, "sessionId": {"_id": OTHER}}) == []
    assert problems(find_operation("get-path-session"), {"pathId": {"id": ID}, "sessionId": {"_id": "x"}}) == [
        "parameters.pathId: a mapping is not a text",
        "parameters.sessionId: 'x' is not an ID: 24 characters of 0-9 and a-f",
    ]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (datetime(2026, 3, 1, 8), "2026-03-01T08:00:00.000Z"),
        (date(2026, 3, 1), "2026-03-01"),
        ({"a": (1, {2}), 3: None}, {"a": [1, [2]], "3": None}),
        (1.5, 1.5),
    ],
)
def test_values_as_plain_json(value: Any, plain: Any) -> None:
    assert to_json(value) == plain


@pytest.mark.parametrize("text", ["..", ".", " ", " .. ", "a/../b", "..\\a", {"_id": ".."}])
def test_path_parameter_leads_to_no_other_path(text: Any) -> None:
    remove = find_operation("unenrol-user-from-program-session-v1")
    (found,) = problems(remove, {"session_id": ID, "user_email_or_id": text})
    assert found.endswith("would lead to another path; write the ID or name that is meant")
    with pytest.raises(FixArgumentError):
        build_request(remove, {"session_id": ID, "user_email_or_id": text}, None)


@pytest.mark.parametrize("value", ["\ud800", 10**5000, math.inf, {"\ud800": 1}, b"x"], ids=type)
def test_value_that_cannot_be_sent_is_refused(value: Any) -> None:
    assert problems(find_operation("get-user-v1"), {"user_email_or_id": value}) == [
        NOT_JSON.format("parameters.user_email_or_id")
    ]
    assert problems(find_operation("create-group"), None, {"name": value}) == [NOT_JSON.format("body")]


@pytest.mark.parametrize("levels", [400, 100_000])
def test_deep_value_is_refused(levels: int) -> None:
    value: Any = []
    for _ in range(levels):
        value = [value]
    assert problems(find_operation("create-group"), None, {"name": value}) == ["body: it is nested too deeply"]
    found = problems(find_operation("list-path-sessions"), {"pathId[in]": value})
    assert found == ["parameters: it is nested too deeply"]


def test_problem_shows_no_password_and_nothing_of_a_list() -> None:
    replace = find_operation("replace-user-password")
    found = problems(replace, {"userId": ID}, {"password": 12345678, "passwordMustBeChanged": True})
    assert found == ["body.password: the value is not a text"]
    body = {"name": ["Marie"], "parentId": {"lastName": "Curie"}, "public": True}
    assert problems(find_operation("create-group"), None, body) == [
        "body.name: a list is not a text",
        "body.parentId: a mapping is not a text",
    ]
