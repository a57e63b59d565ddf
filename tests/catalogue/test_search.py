"""Operations are found by the words that people type, with their typing errors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.catalogue import search
from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.api.catalogue.operation import Operation
from airflow_provider_learning360.api.catalogue.search import (
    count_errors,
    list_topics,
    search_operations,
    split_words,
    suggest_words,
)
from airflow_provider_learning360.api.errors import FixArgumentError
from case_samples import each_name

OPERATIONS = load_operations()


def names(words: str, topic: str | None = None) -> list[str]:
    return [one.name for one in search_operations(words, topic)]


def build_operation(name: str, **data: Any) -> Operation:
    given = {"method": "GET", "path": "/api", "topic": "Things", "text": "", "repeat": "read", **data}
    return Operation(name, "v2", given, {})  # type: ignore[arg-type]


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replace the catalogue by a few operations."""

    def replace(*operations: Operation) -> None:
        monkeypatch.setattr(search, "load_operations", lambda: {one.name: one for one in operations})
        forget()

    def forget() -> None:
        search._index.cache_clear()
        search._vocabulary.cache_clear()

    yield replace
    forget()


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("audiance", "get-path-session-audience"),
        ("learners of a session", "list-program-session-learners-v1"),
        ("custom field", "list-custom-fields"),
        ("webhok", "list-webhook-subscriptions"),
        ("list users", "list-users"),
        ("certifcate outline", "list-certificate-outlines"),
        ("Wait-List", "list-classroom-slot-waitlist"),
        ("créate GROUP", "create-group"),
        ("/paths/{pathId}/tags", "list-path-tags"),
        ("replace_path_steps", "replace-path-steps"),
    ],
)
def test_query_finds_operation_first(words: str, first: str) -> None:
    assert names(words)[0] == first


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("enrol", {"enrol-user-in-program-session-v1", "enrol-group-in-program-session-v1", "list-path-enrollments"}),
        ("enroll user", {"enrol-user-in-program-session-v1", "enrol-users-in-path-session-v1"}),
        ("gruop members", {"bulk-add-users-to-groups", "bulk-remove-users-from-groups"}),
        ("notificaton mail", {"subscribe-users-to-notifications-v1", "bulk-create-notification-subscriptions"}),
    ],
)
def test_query_finds_operations(words: str, expected: set[str]) -> None:
    assert expected <= set(names(words))


@each_name(OPERATIONS)
def test_name_finds_its_operation_first(name: str) -> None:
    assert names(name)[0] == name
    assert names(name.upper().replace("-", "_"))[0] == name


@pytest.mark.parametrize(("words", "found"), [("tag", True), ("tags", True), ("tga", False)])
def test_errors_in_short_words_are_not_forgiven(words: str, found: bool) -> None:
    assert ("list-tags" in names(words)) == found


def test_every_word_has_to_fit() -> None:
    assert names("users") != []
    assert names("users qqqq") == []


def test_better_place_and_better_fit_win(catalogue: Any) -> None:
    catalogue(
        build_operation("one", path="/api/badge"),
        build_operation("two", text="A badge."),
        build_operation("three", topic="Badge"),
        build_operation("four-badgx"),
        build_operation("five-xbadge"),
        build_operation("six-badgex"),
        build_operation("seven-badge"),
    )
    assert names("badge") == ["seven-badge", "six-badgex", "five-xbadge", "three", "four-badgx", "one", "two"]


def test_usual_operation_wins_over_an_equal_one(catalogue: Any) -> None:
    catalogue(build_operation("get-badge"), build_operation("list-badges", usual=True), build_operation("edit-badge"))
    assert names("badge") == ["list-badges", "get-badge", "edit-badge"]
    assert names("get badge")[0] == "get-badge"


def test_empty_query_lists_usual_operations_first_and_the_others_by_topic(catalogue: Any) -> None:
    catalogue(
        build_operation("a", topic="X"),
        build_operation("b", topic="Y"),
        build_operation("c", topic="X"),
        build_operation("d", topic="Y", usual=True),
    )
    assert names("") == names(" - ") == ["d", "a", "c", "b"]


def test_empty_query_lists_all() -> None:
    assert sorted(names("")) == sorted(OPERATIONS)


@pytest.mark.parametrize("topic", ["Users", "users", "USERS"])
def test_topic_limits_the_search(topic: str) -> None:
    found = search_operations("", topic)
    assert {one.data["topic"] for one in found} == {"Users"}
    assert set(names("list", topic)) < {one.name for one in found}


def test_unknown_topic_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(FixArgumentError, match=r"topic: 'usrs' is not a topic; known are .*; did you mean Users\?"):
        search_operations("", "usrs")
    assert "Users" in list_topics()


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        ("lst usrs", "; did you mean list-users?"),
        ("classrms", "; did you mean classrooms?"),
        ("zzz", ""),
        ("add people to session", ""),
    ],
)
def test_suggestion_is_a_name_or_a_topic(words: str, suggestion: str) -> None:
    assert suggest_words(words) == suggestion


@each_name(one.name for one in OPERATIONS.values() if not one.is_read)
def test_no_write_is_suggested_for_words_that_fit_nothing(name: str) -> None:
    closest = suggest_words(name[:-2]).removeprefix("; did you mean ").removesuffix("?")
    assert closest not in OPERATIONS or OPERATIONS[closest].is_read


def test_words_are_split_folded_and_singular() -> None:
    assert split_words("Élèves/pathId_user-stats {x} ids") == ("eleve", "path", "id", "user", "stat", "x", "ids")


@pytest.mark.parametrize(
    ("one", "other", "errors"),
    [
        *[("group", "group", 0), ("gruop", "group", 1), ("grop", "group", 1), ("grooup", "group", 1)],
        *[("graup", "group", 1), ("grpuo", "group", 2), ("", "abc", 3)],
    ],
)
def test_swapped_letters_are_one_error(one: str, other: str, errors: int) -> None:
    assert count_errors(one, other) == count_errors(other, one) == errors


@given(words=st.text(max_size=60))
def test_any_text_can_be_searched(words: str) -> None:
    assert set(names(words)) <= set(OPERATIONS)
