"""One Airflow and one simulator for all tests in this folder, each in its own processes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from real_airflow import Airflow
from simulator_process import SimulatorProcess
from smtp_server import Behaviour, SmtpServerProcess

DAGS = Path(__file__).resolve().parent / "dags"
QUICK = {"requests_per_second": 100}
# Assets that are watched from the start, and how many sessions each of them watches.
WATCHED = {"edited": 1, "shown": 1, "paused": 1, "killed": 1, "crashed": 1, "outage": 1, "burst": 5}


@pytest.fixture(scope="package")
def simulator() -> Iterator[SimulatorProcess]:
    """The simulator that the connections of this Airflow lead to."""
    with SimulatorProcess(sessions=240, learners=3) as simulator:
        yield simulator


@pytest.fixture(scope="package")
def unused(simulator: SimulatorProcess) -> Iterator[str]:
    """The sessions that no test has used yet."""
    return iter(simulator.session_ids)


@pytest.fixture(scope="package")
def watched(unused: Iterator[str]) -> dict[str, list[str]]:
    """The sessions that the DAGs watch, by the name of their asset."""
    return {name: list(islice(unused, count)) for name, count in WATCHED.items()}


@pytest.fixture(scope="package")
def smtp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmtpServerProcess]:
    """The mail server; slow enough for a task to be killed between two mails."""
    log = tmp_path_factory.mktemp("smtp") / "mails.jsonl"
    with SmtpServerProcess(log, Behaviour(delay=0.3)) as server:
        yield server


@pytest.fixture(scope="package")
def airflow(
    tmp_path_factory: pytest.TempPathFactory,
    simulator: SimulatorProcess,
    smtp: SmtpServerProcess,
    watched: dict[str, list[str]],
) -> Iterator[Airflow]:
    """A running Airflow with the DAGs of this folder."""
    home = tmp_path_factory.mktemp("airflow")
    connections = {
        "learning360_default": simulator.connection | {"extra": simulator.connection["extra"] | QUICK},
        "smtp_default": {**smtp.connection, "extra": {**smtp.connection["extra"], "from_email": "academy@example.com"}},
        # Another name of the host, so that a pause of this connection does not hold the others.
        "outage": {**simulator.connection, "host": simulator.url.replace("127.0.0.1", "localhost")},
    }
    extra = {
        "WATCHED_SESSIONS": json.dumps(watched),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        # How soon Airflow deletes what belongs to a DAG file that is broken or deleted.
        "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": "2",
    }
    with Airflow.running(home, connections, DAGS, extra) as airflow:
        yield airflow
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def session_id(unused: Iterator[str]) -> str:
    """A session that no other test uses."""
    return next(unused)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:  # type: ignore[attr-defined]
        for one in getattr(item, "funcargs", {}).values():
            if isinstance(one, Airflow):
                report.sections.append(("Airflow", one.logs()))  # type: ignore[attr-defined]
    return report
