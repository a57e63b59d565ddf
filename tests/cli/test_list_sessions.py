"""`list-sessions`: the sessions of the company, in the formats of Airflow's own commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_learning360.cli.__main__ import main
from airflow_provider_learning360.testing.factories import session_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_learning360.simulator import Simulator

pytestmark = pytest.mark.learning360_simulator(sessions=0)

IDS = [f"{number:024x}" for number in range(1, 5)]
SESSIONS: list[dict[str, Any]] = [
    {"_id": IDS[0], "name": "Safety [red] Lyon", "startDate": "2026-03-05T09:00:00.000Z"},
    {"_id": IDS[1], "name": "Onboarding\nof\x1b[31m ann@example.com", "startDate": "2026-03-01T09:00:00.000Z"},
    {"_id": IDS[2], "name": "safety Paris", "startDate": "2026-04-01T09:00:00.000Z"},
]


@pytest.fixture
def list_sessions(
    learning360_simulator: Simulator, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run `list-sessions` on three sessions; return exit status, standard output and standard error."""
    for fields in SESSIONS:
        learning360_simulator.add(session_document(**fields))

    def run(*options: str) -> tuple[int, str, str]:
        capfd.readouterr()
        status = 0
        try:
            main(["list-sessions", *options])
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capfd.readouterr()
        return status, out, err

    return run


ListSessions = Any


def test_sessions_are_sorted_by_start(list_sessions: ListSessions) -> None:
    status, out, err = list_sessions("-o", "json")
    assert (status, err) == (0, "")
    rows = json.loads(out)
    assert [row["_id"] for row in rows] == [IDS[1], IDS[0], IDS[2]]
    assert list(rows[0]) == ["_id", "name", "startDate", "endDate", "modifiedAt"]
    assert rows[1]["startDate"] == SESSIONS[0]["startDate"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--name", "SAFETY*"], [0, 2]),
        (["--name", "safety [red]*"], [0]),
        (["--name", "?afety paris"], [2]),
        (["--name", "nothing"], []),
        (["--starts-after", "2026-03-05T09:00:00Z"], [0, 2]),
        (["--starts-after", "2026-03-06"], [2]),
        (["--name", "safety*", "--starts-after", "2026-03-06"], [2]),
    ],
)
def test_filters_choose_sessions(list_sessions: ListSessions, options: list[str], found: list[int]) -> None:
    status, out, err = list_sessions(*options, "-o", "json")
    assert (status, err) == (0, "")
    assert [row["_id"] for row in json.loads(out)] == [IDS[place] for place in found]


@pytest.mark.parametrize("output", ["table", "plain", "yaml", "json"])
def test_every_format_is_safe_for_a_terminal(list_sessions: ListSessions, output: str) -> None:
    status, out, err = list_sessions("--output", output)
    assert (status, err) == (0, "")
    assert [row_id for row_id in IDS[:3] if row_id not in out] == []
    assert "Safety [red] Lyon" in out
    assert "\x1b" not in out
    assert "ann@example.com" not in out


def test_table_is_the_default(list_sessions: ListSessions) -> None:
    lines = list_sessions()[1].splitlines()
    assert [column.strip() for column in lines[0].split("|")] == ["_id", "name", "startDate", "endDate", "modifiedAt"]
    assert len([line for line in lines if line.startswith("0000")]) == 3


def test_yaml_can_be_read_back(list_sessions: ListSessions) -> None:
    assert [row["_id"] for row in yaml.safe_load(list_sessions("-o", "yaml")[1])] == [IDS[1], IDS[0], IDS[2]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--starts-after", "soon"], ["--starts-after", "'soon'", "2026-03-01T08:00:00Z"]),
        (["--learning-conn-id", "nowhere"], ["'nowhere' is not defined"]),
    ],
)
def test_error_is_one_line(list_sessions: ListSessions, options: list[str], words: list[str]) -> None:
    status, out, err = list_sessions(*options)
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert [word for word in words if word not in err] == []
