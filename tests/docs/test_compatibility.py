"""The table of docs/compatibility.md is that of the recorded run, and the recorded run is complete."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
COMPAT = REPOSITORY / "tests" / "compat"
SENTENCE = "watched assets need Airflow 3.0 or later."


@pytest.fixture(scope="module")
def results() -> Iterator[Any]:
    """The module that writes the table."""
    sys.path.insert(0, str(COMPAT))
    yield import_module("results")
    sys.path.remove(str(COMPAT))


@pytest.fixture
def recorded(results: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = results.load_results()
    return found


def kept_by(environment: str, **promises: Any) -> dict[str, Any]:
    """A result of an environment; `refused` stands for the promised error."""
    airflow, _, python = environment.partition("/")
    outcomes = {
        name.replace("_", " "): {"outcome": one, "sentence": SENTENCE} if one == "refused" else {"outcome": one}
        for name, one in promises.items()
    }
    versions = {"python": f"{python}.1", "apache-airflow": airflow}
    return {"environment": environment, "run": "2026-01-01", "seconds": 1, "versions": versions, "promises": outcomes}


def test_page_has_the_table_of_the_recorded_run(results: Any, recorded: list[dict[str, Any]]) -> None:
    assert results.TABLE.findall(results.PAGE.read_text("utf-8")) == [results.format_table(recorded)]


def test_recorded_run_has_every_environment(results: Any, recorded: list[dict[str, Any]]) -> None:
    assert [one["environment"] for one in recorded] == [one.name for one in results.list_environments()]


def test_recorded_run_broke_no_promise(results: Any, recorded: list[dict[str, Any]]) -> None:
    failed = [
        (one["environment"], name)
        for one in recorded
        for name, kept in one["promises"].items()
        if kept["outcome"] == "failed"
    ]
    assert failed == []
    assert {name for one in recorded for name in one["promises"]} <= set(results.PROMISES)


def test_classifiers_are_the_pythons_of_the_recorded_run(recorded: list[dict[str, Any]]) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    prefix = "Programming Language :: Python :: 3."
    named = {one.removeprefix(prefix) for one in project["classifiers"] if one.startswith(prefix)}
    assert named == {one["versions"]["python"].split(".")[1] for one in recorded}


def test_worst_python_counts(results: Any) -> None:
    both = [kept_by("3.0.6/3.11", watch="kept"), kept_by("3.0.6/3.12", watch="failed")]
    assert "| **failed** |" in results.format_table(both)
    assert "| yes |" in results.format_table(both[:1])


def test_same_refusal_has_one_number(results: Any) -> None:
    old = [kept_by("lowest/3.11", watch="refused", YAML="refused"), kept_by("2.11.2/3.11", page="kept")]
    table = results.format_table(old)
    assert table.count("refused (1)") == 2
    assert table.count(SENTENCE) == 1
    (row,) = [one for one in table.splitlines() if one.startswith("| **page**")]
    assert row.endswith("| not there | yes |")
