"""One table of all figures, and simulators in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import pytest
import requests


class Figure(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    bar: str
    peer: str = ""


FIGURES = pytest.StashKey[list[Figure]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash[FIGURES]
    if not figures or not config.getoption("benchmark_only", default=False):
        return
    rows = [Figure("what", "measured", "bar", "peer"), *figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(Figure._fields))]
    terminalreporter.section("figures")
    for row in rows:
        terminalreporter.write_line("   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)))


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Put a line into the table."""

    def put(what: str, measured: str, bar: str, peer: str = "") -> None:
        request.config.stash[FIGURES].append(Figure(what, measured, bar, peer))

    return put


@pytest.fixture
def measuring(request: pytest.FixtureRequest) -> bool:
    """Whether figures are wanted, and not only a quick look at whether all of it still runs."""
    return bool(request.config.getoption("benchmark_only", default=False))


@contextmanager
def _far_simulator(learners: int, scenario: dict[str, object] | None = None) -> Iterator[tuple[str, str]]:
    command = [sys.executable, "-m", "airflow_provider_learning360.simulator", "--port", "0"]
    with subprocess.Popen(
        [*command, "--sessions", "1", "--learners", str(learners)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout
            url = next(word for word in process.stdout.readline().split() if word.startswith("http://"))
            keys = {"X-company-id": "demo-company", "X-apiKey": "demo-key"}
            (session,) = requests.get(f"{url}/api/v1/programs/sessions", headers=keys, timeout=60).json()
            if scenario:
                requests.post(f"{url}/_simulator/scenario", json=scenario, timeout=10).raise_for_status()
            yield url, session["_id"]
        finally:
            process.terminate()


@pytest.fixture
def far_simulator(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., AbstractContextManager[tuple[str, str]]]:
    """Start a simulator in a process of its own; its URL, and the ID of its session, which holds many learners."""

    @contextmanager
    def start(learners: int, scenario: dict[str, object] | None = None) -> Iterator[tuple[str, str]]:
        with _far_simulator(learners, scenario) as (url, session_id):
            connection = {"conn_type": "learning360", "host": url, "login": "demo-company", "password": "demo-key"}
            monkeypatch.setenv("AIRFLOW_CONN_LEARNING360_DEFAULT", json.dumps(connection))
            yield url, session_id

    return start
