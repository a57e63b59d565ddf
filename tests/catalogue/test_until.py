"""Conditions on an answer: what they mean, how mistakes in them are reported, and that no path runs for ever."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from airflow_provider_learning360.api.catalogue import json_path
from airflow_provider_learning360.api.catalogue.json_path import AnswerPath
from airflow_provider_learning360.api.catalogue.until import MAX_CONDITIONS, Conditions, check_until
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.rendering import is_template

SESSION: dict[str, Any] = {
    "status": "ended",
    "progress": 80,
    "isOpen": True,
    "endDate": "2026-03-01T08:00:00.000Z",
    "archivedAt": None,
    "odd name": 1,
    "steps": [{"status": "done"}, {"status": "done"}],
}
ITEMS: list[Any] = [
    {"_id": "1", "status": "late", "progress": 10, "dueDate": "2026-03-01T00:00:00.000Z"},
    {"_id": "2", "status": "late", "progress": 50, "dueDate": None},
    {"_id": "3", "status": "done", "progress": 100, "dueDate": "2026-05-01T00:00:00.000Z"},
]


def is_met(answer: Any, path: str, **condition: Any) -> bool:
    (state,) = Conditions.read({"path": path, **condition}).check(answer)
    return state["is_met"]


@pytest.mark.parametrize(
    ("answer", "path", "condition"),
    [
        (SESSION, "status", {"equals": "ended"}),
        (SESSION, "$.status", {"equals": "ended"}),
        (SESSION, "$['odd name']", {"equals": 1}),
        (SESSION, "['odd name']", {"equals": 1.0}),
        (SESSION, " status ", {"not_equals": "started"}),
        (SESSION, "steps[*].status", {"equals": "done"}),
        (SESSION, "steps[-1].status", {"equals": "done"}),
        (SESSION, "steps", {"equals": [{"status": "done"}, {"status": "done"}]}),
        (SESSION, "isOpen", {"equals": True}),
        (SESSION, "isOpen", {"equals": "true"}),
        (SESSION, "isOpen", {"equals": "True"}),
        (SESSION, "archivedAt", {"equals": None}),
        (SESSION, "archivedAt", {"exists": False}),
        (SESSION, "missing", {"exists": False}),
        (SESSION, "missing", {"exists": "false"}),
        (SESSION, "status", {"exists": True}),
        (SESSION, "progress", {"equals": "80"}),
        (SESSION, "progress", {"at_least": 80}),
        (SESSION, "progress", {"at_least": "79.5"}),
        (SESSION, "endDate", {"at_least": "2026-03-01"}),
        (SESSION, "endDate", {"at_least": "2026-03-01T09:00:00+01:00"}),
        (SESSION, "endDate", {"at_least": datetime(2026, 3, 1, 8, tzinfo=UTC)}),
        (SESSION, "endDate", {"at_least": date(2026, 2, 28)}),
        (SESSION, "endDate", {"equals": datetime(2026, 3, 1, 8)}),  # without a zone, it is UTC
        (ITEMS, "$[0].status", {"equals": "late"}),
        (ITEMS, "[0].status", {"equals": "late"}),
        (ITEMS, "$[?(@.status=='late')]", {"exists": True}),
        (ITEMS, "$[?(@._id=='3')].status", {"equals": "done"}),
        (ITEMS, "$[?@.status == 'late' && @.progress < 20]", {"exists": True}),
        (ITEMS, "$[?(@.status=='absent')]", {"exists": False}),
        (ITEMS, "count($[?(@.status=='late')])", {"at_least": 2}),
        (ITEMS, "count($[?(@.status=='late')])", {"equals": 2}),
        (ITEMS, "count($[*])", {"equals": 3}),
        ([], "count($[*])", {"equals": 0}),
        (SESSION, "count(steps[*])", {"at_least": 2}),
        (ITEMS, "$[*].progress", {"at_least": 10}),
        (ITEMS, "$..progress", {"not_equals": 11}),
        ("done", "$", {"equals": "done"}),
        ('{"a": 1}', "$.a", {"exists": False}),
    ],
)
def test_condition_is_met(answer: Any, path: str, condition: dict[str, Any]) -> None:
    assert is_met(answer, path, **condition)


@pytest.mark.parametrize(
    ("answer", "path", "condition"),
    [
        (SESSION, "status", {"equals": "started"}),
        (SESSION, "status", {"not_equals": "ended"}),
        (SESSION, "status", {"exists": False}),
        (SESSION, "missing", {"equals": "ended"}),
        (SESSION, "missing", {"not_equals": "ended"}),  # nothing is there yet
        (SESSION, "missing", {"at_least": 1}),
        (SESSION, "archivedAt", {"at_least": "2026-01-01"}),
        (SESSION, "archivedAt", {"exists": True}),
        (SESSION, "isOpen", {"equals": 1}),
        (SESSION, "progress", {"at_least": 80.5}),
        (SESSION, "endDate", {"at_least": "2026-03-01T08:00:00.001Z"}),
        (ITEMS, "$[*].status", {"equals": "late"}),  # not all
        (ITEMS, "$[*].progress", {"at_least": 11}),
        (ITEMS, "count($[*])", {"at_least": 4}),
        ([], "$[*].status", {"equals": "done"}),
        ([], "$[*].status", {"exists": True}),
    ],
)
def test_condition_is_not_met(answer: Any, path: str, condition: dict[str, Any]) -> None:
    assert not is_met(answer, path, **condition)


def test_change_is_seen_by_the_fingerprint_and_the_order_does_not_count() -> None:
    until = Conditions.read({"path": "$[*].status", "changed": True})

    def fingerprint(answer: Any) -> str:
        return until.check(answer)[0]["fingerprint"]

    assert fingerprint(ITEMS) == fingerprint(ITEMS[::-1])
    assert fingerprint(ITEMS) != fingerprint(ITEMS[1:])
    assert fingerprint(ITEMS) != fingerprint([])
    assert len(fingerprint(ITEMS)) == 64


@pytest.mark.parametrize("limit", [3, "2026-01-01"])
@pytest.mark.parametrize("value", ["ended", True, [1], {"a": 1}, 5, "2026-01-01"])
def test_value_that_cannot_be_compared_is_an_error_without_it(limit: Any, value: Any) -> None:
    if isinstance(value, bool) or type(value) is not type(limit) or value == "ended":
        with pytest.raises(FixArgumentError, match=r"^until\.at_least: a value at a is not a (number|date)") as error:
            is_met({"a": value}, "a", at_least=limit)
        assert "ended" not in str(error.value)
    else:
        assert is_met({"a": value}, "a", at_least=limit)


MISTAKES: dict[str, tuple[Any, str]] = {
    "no condition": ("x", "^until: 'x' is not a condition; write one such as {path: status, equals: ended}"),
    "an empty list": ([], "^until: "),
    "too many": ([{"path": "a", "exists": True}] * (MAX_CONDITIONS + 1), "more than 20"),
    "an item that is none": ([{"path": "a", "exists": True}, 5], "^until.1: 5 is not a condition"),
    "a word that is near": ({"path": "a", "equal": 1}, "known are exists, .*; did you mean equals"),
    "a word that is far": ({"path": "a", "zzz": 1}, "there is no condition 'zzz'; known are exists"),
    "a path that is near": ({"paths": "a", "equals": 1}, "did you mean path"),
    "no path": ({"equals": 1}, r"^until\.path: it is missing"),
    "no word": ({"path": "a"}, "exactly one of exists, equals, .*; it has none"),
    "two words": ({"path": "a", "equals": 1, "exists": True}, "exactly one of .*; it has exists and equals"),
    "no text": ({"path": 5, "exists": True}, r"^until\.path: 5 is not a JSONPath"),
    "an empty path": ({"path": " ", "exists": True}, r"^until\.path: ' ' is not a JSONPath"),
    "a long path": ({"path": "a" * 1001, "exists": True}, "1,001 characters"),
    "a bad path": ({"path": "$.[", "exists": True}, "at character 3"),
    "a bad path without $": ({"path": "st atus", "exists": True}, "at character 4"),
    "a bad path in a count": ({"path": "count( $.[ )", "at_least": 1}, "at character 10"),
    "an open bracket": ({"path": "$[0", "exists": True}, "at its end"),
    "a word without quotes": ({"path": "$[?@.a==late]", "exists": True}, "unexpected 'late', at character 9"),
    "a union": ({"path": "$.a | $.b", "exists": True}, "at character 5"),
    "a regular expression": ({"path": "$[?match(@.a, '(a+)+b')]", "exists": True}, "known are length, count, value"),
    "a search in a search": ({"path": "$[?count($[*]) > 1]", "exists": True}, "begins with [$]"),
    "a count that exists": ({"path": "count(a)", "exists": True}, "a count always exists"),
    "exists": ({"path": "a", "exists": "maybe"}, r"^until\.exists: 'maybe' is neither true nor false"),
    "changed": ({"path": "a", "changed": False}, r"^until\.changed: false would never"),
    "at least": ({"path": "a", "at_least": "soon"}, r"^until\.at_least: 'soon' is neither a number nor a date"),
    "at least, not finite": ({"path": "a", "at_least": float("inf")}, "neither a number nor a date"),
    "at least, a boolean": ({"path": "a", "at_least": True}, "neither a number nor a date"),
    "equals": ({"path": "a", "equals": float("nan")}, r"^until\.equals: nan is not a value"),
    "equals, half of a character": ({"path": "a", "equals": "\ud800"}, r"^until\.equals: .* is not a value"),
    "a number without an end": ({"path": "$[?@.a > 1e999]", "exists": True}, "is not a JSONPath"),
    "equals, an object": ({"path": "a", "equals": {1: {2}, 3: object()}}, r"^until\.equals: "),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_found_when_the_dag_is_parsed_and_when_it_runs(name: str) -> None:
    until, problem = MISTAKES[name]
    with pytest.raises(FixArgumentError, match=problem):
        check_until(until, is_template)
    with pytest.raises(FixArgumentError, match=problem):
        Conditions.read(until)


@pytest.mark.parametrize(
    "until",
    [
        "{{ params.until }}",
        {"path": "{{ params.path }}", "equals": "{{ x }}"},
        {"path": "a", "at_least": "{{ x }}"},
        {"path": "a", "exists": "{{ x }}"},
        [{"path": "a", "changed": True}, "{{ x }}"],
    ],
)
def test_templates_are_left_to_the_run(until: Any) -> None:
    check_until(until, is_template)


@pytest.mark.parametrize("path", ["$..*", "$..[*]..[*]", "count($..*)", "$[?count(@..*) > 0]"])
def test_search_without_end_is_an_error(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_path, "MAX_STEPS", 50)
    answer = [{"a": [{"b": number}]} for number in range(100)]
    with pytest.raises(FixArgumentError, match="passes more than 50 values"):
        AnswerPath(path).find(answer)
    assert AnswerPath("$[3].a[0].b").find(answer) == [3]


def test_description_has_no_value_of_the_answer() -> None:
    until = Conditions.read(
        [
            {"path": "status", "equals": "x" * 200},
            {"path": "missing", "not_equals": 1},
            {"path": "progress", "at_least": 81},
            {"path": "count(steps[*])", "at_least": 3},
            {"path": "steps[*].status", "equals": "late"},
            {"path": "status", "exists": False},
            {"path": "endDate", "changed": True},
            {"path": "isOpen", "equals": True},
        ]
    )
    assert until.describe(until.check(SESSION)) == (
        "Now, status has another value, and missing has no value, and progress has another value, and count(steps[*]) "
        "is 2, and not all 2 values of steps[*].status meet this, and status exists, and endDate has not changed."
    )
    assert str(until).startswith("status to be 'xxx")
    assert str(until).endswith(
        "… and missing not to be 1 and progress to be at least 81 and count(steps[*]) to be at least 3 and "
        "steps[*].status to be 'late' and status not to exist and endDate to change and isOpen to be True"
    )


def test_address_in_a_condition_is_not_shown() -> None:
    until = Conditions.read({"path": "$[?(@.mail=='ann@example.com')].status", "equals": "bob@example.com"})
    assert "example" not in str(until)


def test_conditions_survive_being_stored() -> None:
    until = [
        {"path": "a", "equals": datetime(2026, 3, 1, tzinfo=UTC)},
        {"path": "a", "at_least": "3"},
        {"path": "a", "equals": None},
        {"path": "count($[*])", "changed": "true"},
    ]
    stored = json.loads(json.dumps(Conditions.read(until).to_list()))
    assert Conditions.read(stored).to_list() == stored
    assert stored[0] == {"path": "a", "equals": "2026-03-01T00:00:00.000Z"}


@pytest.mark.parametrize("limit", [10**400, str(10**400)])
def test_number_of_any_size_is_compared(limit: Any) -> None:
    conditions = Conditions.read({"path": "a", "at_least": limit})
    assert [conditions.check({"a": value})[0]["is_met"] for value in (10**401, 10**399, 1.5)] == [True, False, False]


def test_value_that_is_nested_too_deeply_is_refused() -> None:
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(FixArgumentError, match=r"^until\.equals: .* is not a value"):
        Conditions.read({"path": "a", "equals": deep})
