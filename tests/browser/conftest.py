"""A real browser, a real API server, and a simulator in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from chromium import browser as opened_browser
from chromium import chromium
from far_simulator import FarSimulator
from real_airflow import Airflow
from visitor import Visitor

DAGS = Path(__file__).resolve().parent / "dags"
SKIPPED = pytest.StashKey[int]()
# The machine may be busy: slow is not failed.
expect.set_options(timeout=30_000)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    if chromium() is None:
        config.stash[SKIPPED] = len(here)
        for item in here:
            item.add_marker(pytest.mark.skip(reason="no browser on this machine"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if count := config.stash.get(SKIPPED, 0):
        terminalreporter.write_line(
            f"Skipped: {count} tests in a browser. `make browser` installs Chromium; or set CHROMIUM to one."
        )


@pytest.fixture(scope="module")
def simulator() -> Iterator[FarSimulator]:
    """The simulator that the connection leads to."""
    with FarSimulator(sessions=60, learners=120) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, simulator: FarSimulator) -> Iterator[Airflow]:
    """An API server, with the DAGs beside this file in its database."""
    home = tmp_path_factory.mktemp("airflow")
    extra = {"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False"}
    one = Airflow(home, {"academy": simulator.connection, "learning360_default": simulator.connection}, DAGS, extra)
    one.command("db", "migrate")
    # Airflow watches an asset from the second parsing of its DAG on.
    one.command("dags", "reserialize")
    one.command("dags", "reserialize")
    try:
        one.start("api-server")
        one.until_alive("api-server")
        yield one
    finally:
        one.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser."""
    with opened_browser() as one:
        yield one


@pytest.fixture
def visitor(browser: Browser, airflow: Airflow, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """A visitor with a window of its own; `parametrize("visitor", [{...}], indirect=True)` configures the window."""
    options = {"viewport": {"width": 1280, "height": 900}, "permissions": ["clipboard-read", "clipboard-write"]}
    context = browser.new_context(**{**options, **getattr(request, "param", {})})
    one = Visitor(context, f"http://127.0.0.1:{airflow.port}")
    yield one
    context.close()
    assert one.other_sites == []
