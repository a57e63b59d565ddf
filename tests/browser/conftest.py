"""A real browser and a real API server, which talks to a simulator in another process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from browser_page import BrowserPage
from chromium import browser as opened_browser
from chromium import chromium
from real_airflow import Airflow
from simulator_process import SimulatorProcess

DAGS = Path(__file__).resolve().parent / "dags"
NO_BROWSER = "no browser on this machine"
# Long, because a busy machine must not fail a test.
expect.set_options(timeout=30_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder as slow, and skip them on a machine without a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("slow")
            if chromium() is None:
                item.add_marker(pytest.mark.skip(reason=NO_BROWSER))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # Counted in the reports: with several processes, only they reach the process that writes the summary.
    skipped = terminalreporter.stats.get("skipped", [])
    if count := sum(NO_BROWSER in str(one.longrepr) for one in skipped):
        terminalreporter.write_line(
            f"Skipped: {count} tests in a browser. `make browser` installs Chromium; or set CHROMIUM to one."
        )


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    """The simulator that the connection leads to."""
    with SimulatorProcess(sessions=60, learners=120) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, simulator: SimulatorProcess) -> Iterator[Airflow]:
    """An API server, and a database with the DAGs of this folder."""
    home = tmp_path_factory.mktemp("airflow")
    extra = {"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False"}
    connections = {
        "academy": simulator.connection,
        "learning360_default": simulator.connection,
        "learning360_v2": simulator.connection_v2,
        "swapped": {**simulator.connection_v2, "extra": {"auth": "oauth2"}},
    }
    one = Airflow(home, connections, DAGS, extra)
    one.command("db", "migrate")
    # Airflow watches an asset after its DAG was parsed twice.
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
    """A browser without a window."""
    with opened_browser() as one:
        yield one


@pytest.fixture
def browser_page(browser: Browser, airflow: Airflow, request: pytest.FixtureRequest) -> Iterator[BrowserPage]:
    """The page in a window of its own; `parametrize("browser_page", [{...}], indirect=True)` configures the window."""
    options = {"viewport": {"width": 1280, "height": 900}, "permissions": ["clipboard-read", "clipboard-write"]}
    context = browser.new_context(**{**options, **getattr(request, "param", {})})
    one = BrowserPage(context, f"http://127.0.0.1:{airflow.port}")
    yield one
    context.close()
    assert one.other_sites == []
