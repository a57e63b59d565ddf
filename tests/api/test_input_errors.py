"""Errors about what people write: the word that was meant, and values without secrets."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from airflow_provider_learning360.api.input_errors import describe_problem, did_you_mean, find_closest, format_value

FIELDS = ["session_id", "learning_conn_id", "poke_interval", "watch"]


@pytest.mark.parametrize(
    ("given", "closest"),
    [
        ("conn_id", "learning_conn_id"),
        ("http_conn_id", "learning_conn_id"),
        ("poll_interval", "poke_interval"),
        ("sesion_id", "session_id"),
        ("colour", None),
        (7, None),
    ],
)
def test_closest_word_is_found(given: Any, closest: str | None) -> None:
    assert find_closest(given, FIELDS) == closest
    assert did_you_mean(given, FIELDS) == (f"; did you mean {closest}?" if closest else "")


def test_synonym_counts_only_where_its_word_is_known() -> None:
    assert find_closest("conn_id", ["smtp_conn_id"]) == "smtp_conn_id"
    assert find_closest("poke_interval", ["poll_interval"]) == "poll_interval"


class _Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "'a'"), (["ann@example.com"], "an address"), (_Hostile(), "a value of type _Hostile")],
)
def test_value_is_safe_to_show(value: Any, text: str) -> None:
    assert format_value(value) == text


def test_number_that_python_does_not_write_is_named_by_its_type() -> None:
    assert format_value(10**5000) == "a value of type int"


class _Model(BaseModel):
    name: str
    count: int = 0
    names: list[str] = []


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "it is missing"),
        ({"name": 1}, "1 is not a text; put it in quotes"),
        ({"name": ["a"]}, "['a'] is not a text"),
        ({"name": "a", "count": "x"}, "'x' is not a whole number"),
        ({"name": "a", "names": "x"}, "'x' is not a list; write [one, another]"),
    ],
)
def test_problem_names_value_and_what_is_allowed(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _Model.model_validate(given)
    (detail,) = caught.value.errors()
    assert describe_problem(detail, ["name", "count"]) == text
