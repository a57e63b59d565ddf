"""The people and groups that a task acts on, as authors and templates write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_learning360.api.enrolment import read_group_ids
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.api.people import describe_positions, read_people, require_found

ID, OTHER = "5f" * 12, "6f" * 12


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        (None, []),
        ("", []),
        ("ann@example.com", ["ann@example.com"]),
        ("ann@example.com; bob@example.com\n" + ID, ["ann@example.com", "bob@example.com", ID]),
        (json.dumps(["ann@example.com", {"userId": ID}]), ["ann@example.com", ID]),
        (str(["ann@example.com", {"userId": None, "mail": "bob@example.com"}]), ["ann@example.com", "bob@example.com"]),
        ({"_id": ID, "mail": "ann@example.com"}, [ID]),
        (json.dumps({"mail": "jane#acme@example.com"}), ["jane#acme@example.com"]),
        (("ann@example.com", " Ann@Example.com "), ["ann@example.com"]),
        (iter([int("5" * 24)]), ["5" * 24]),
    ],
)
def test_people_are_read(value: Any, keys: list[str]) -> None:
    assert [one.key for one in read_people(value)] == keys


@pytest.mark.parametrize("value", [["a@"], ["x" * 24], [None], [True], [5], [["a@example.com"]], [{"mail": 5}], [b"x"]])
def test_what_is_no_person_is_refused(value: Any) -> None:
    with pytest.raises(FixArgumentError, match="^people: item 1 names nobody"):
        read_people(value)


@pytest.mark.parametrize("value", [5, b"a@example.com", "[ann@example.com", '{"mail": ann@example.com}', "[" * 100_000])
def test_what_is_no_list_is_refused_without_being_shown(value: Any) -> None:
    with pytest.raises(FixArgumentError, match="^people: ") as failed:
        read_people(value)
    assert "ann" not in str(failed.value)


def test_a_person_is_not_shown() -> None:
    assert "ann" not in repr(read_people("ann@example.com"))


def test_positions_are_those_of_the_given_list() -> None:
    people = read_people(["ann@example.com", "ANN@example.com", "bob@example.com"])
    assert [one.position for one in people] == [1, 3]
    with pytest.raises(FixArgumentError, match=r"2 of 9 people are unknown \(items 1 and 3\)"):
        require_found(people, 9, "unknown")
    require_found([], 9, "unknown")


def test_many_positions_are_cut() -> None:
    assert describe_positions([3]) == "item 3"
    assert describe_positions(range(1, 31)) == "items 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 20 more"


def test_group_ids_are_read() -> None:
    assert read_group_ids([ID.upper(), {"_id": OTHER}, ID]) == [ID, OTHER]
    assert read_group_ids(f"{ID}, {OTHER}") == [ID, OTHER]
    for wrong in ("sales", [5], [None], {"name": "x"}):
        with pytest.raises(FixArgumentError, match="^groups: item 1, .* is not the ID of a group"):
            read_group_ids(wrong)
