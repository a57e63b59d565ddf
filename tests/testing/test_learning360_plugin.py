"""The pytest plugin in the project of a DAG author."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import requests

pytest_plugins = ["pytester"]


def _connection(conn_id: str = "LEARNING360_DEFAULT") -> dict[str, object]:
    return json.loads(os.environ[f"AIRFLOW_CONN_{conn_id}"])


def test_the_connection_points_at_a_running_simulator(learning360_simulator):
    connection = _connection()
    assert connection == {
        "conn_type": "learning360",
        "host": learning360_simulator.url,
        "login": "demo-company",
        "password": "demo-key",
        "extra": {},
    }
    keys = {"X-company-id": connection["login"], "X-apiKey": connection["password"]}
    response = requests.get(f"{connection['host']}/api/v1/programs/sessions", headers=keys, timeout=10)
    assert len(response.json()) == 12


@pytest.mark.learning360_simulator(auth="oauth2", conn_id="academy", extra={"timeout": 3}, sessions=3, api_key="canary")
def test_the_marker_chooses_connection_and_size(learning360_simulator):
    connection = _connection("ACADEMY")
    assert connection["password"] == "canary"
    assert connection["extra"] == {"timeout": 3, "auth": "oauth2"}
    assert "AIRFLOW_CONN_LEARNING360_DEFAULT" not in os.environ
    assert len(learning360_simulator.session_ids) == 3


def test_dates_are_the_same_in_every_run(learning360_simulator):
    first, *_ = learning360_simulator.session_ids
    assert learning360_simulator.session(first)["startDate"].startswith("2026-05-25T")


@pytest.mark.learning360_simulator(today=None)
def test_dates_lie_around_the_day_of_the_run_on_request(learning360_simulator):
    first, *_ = learning360_simulator.session_ids
    start = datetime.fromisoformat(learning360_simulator.session(first)["startDate"])
    assert timedelta(days=6) < datetime.now(UTC) - start < timedelta(days=8)


@pytest.mark.learning360_simulator(clock=lambda: datetime(2031, 5, 12, tzinfo=UTC))
def test_dates_lie_around_the_day_of_a_clock(learning360_simulator):
    first, *_ = learning360_simulator.session_ids
    assert learning360_simulator.session(first)["startDate"].startswith("2031-05-05T")


@pytest.mark.learning360_simulator(sessions=3, learners=5)
class TestMarkersAddUp:
    @pytest.mark.learning360_simulator(sessions=2)
    def test_closest_marker_wins(self, learning360_simulator):
        assert len(learning360_simulator.session_ids) == 2
        assert len(learning360_simulator.session(learning360_simulator.session_ids[0])["users"]) == 5


def test_fixture_works_in_any_project_and_cleans_up(pytester, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_LEARNING360_DEFAULT", raising=False)
    pytester.makepyfile(
        """
        import os
        import pytest

        seen = {}

        @pytest.mark.learning360_simulator(sessions=1)
        def test_inside(learning360_simulator):
            seen["simulator"] = learning360_simulator

        def test_after():
            assert "AIRFLOW_CONN_LEARNING360_DEFAULT" not in os.environ
            assert seen["simulator"].connections == 0

        @pytest.mark.learning360_simulator(3)
        def test_wrong(learning360_simulator):
            pass
        """
    )
    result = pytester.runpytest_inprocess("--strict-markers")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*takes keyword arguments only*"])


def test_loading_the_plugin_loads_neither_airflow_nor_the_simulator():
    code = (
        "import sys, pytest, airflow_provider_learning360.testing.plugin\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'airflow' or name.endswith('http.server')\n"
        "       or name.startswith(('airflow_provider_learning360.simulator', 'airflow_provider_learning360.api'))])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
