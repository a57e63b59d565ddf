"""A real browser in front of a real API server, which talks to a simulator in a process of its own."""

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
LEFT_OUT = pytest.StashKey[int]()
# A condition that comes true late is no failure; the machine may be busy with something else.
expect.set_options(timeout=30_000)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    if chromium() is None:
        config.stash[LEFT_OUT] = len(here)
        for item in here:
            item.add_marker(pytest.mark.skip(reason="no browser on this machine"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if count := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(
            f"Left out: {count} tests in a browser. `make browser` installs Chromium; or set CHROMIUM to one."
        )


@pytest.fixture(scope="module")
def simulator() -> Iterator[FarSimulator]:
    """What the connection leads to."""
    with FarSimulator(sessions=60, learners=120) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, simulator: FarSimulator) -> Iterator[Airflow]:
    """An API server, and a database that knows the DAGs beside this file."""
    home = tmp_path_factory.mktemp("airflow")
    extra = {"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False"}
    one = Airflow(home, {"learning360_default": simulator.connection}, DAGS, extra)
    one.command("db", "migrate")
    # An asset is watched from the second time on that a DAG with it is read.
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
    """A visitor with a window of its own; `@pytest.mark.parametrize("visitor", [{...}], indirect=True)` sets it."""
    options = {"viewport": {"width": 1280, "height": 900}, "permissions": ["clipboard-read", "clipboard-write"]}
    context = browser.new_context(**{**options, **getattr(request, "param", {})})
    one = Visitor(context, f"http://127.0.0.1:{airflow.port}")
    yield one
    context.close()
    assert one.elsewhere == []
