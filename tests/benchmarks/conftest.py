"""One table of all figures, which `make bench` writes into the documentation; simulators in their own processes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmark_plots import plot
from benchmark_results import Figure, Point, store_results
from simulator_process import SimulatorProcess
from versions import connect

FIGURES = pytest.StashKey[dict[str, list[Figure]]]()
CURVES = pytest.StashKey[dict[str, dict[str, list[Point]]]]()
PASSED = pytest.StashKey[set[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES], config.stash[CURVES], config.stash[PASSED] = {}, {}, set()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave all of these to `make bench` and `make test-rest`."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("slow")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Note which tests passed: figures of others are not stored."""
    report = yield
    if report.when == "call" and report.passed:
        item.config.stash[PASSED].add(name_of(item))
    return report


def name_of(item: pytest.Item) -> str:
    """Return the file and the name of a test."""
    return f"{item.path.name}::{item.name}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    passed = {test: rows for test, rows in config.stash[FIGURES].items() if test in config.stash[PASSED]}
    if not passed or not config.getoption("benchmark_only", default=False):
        return
    rows = [Figure("what", "measured", "bar", "peer"), *(row for figures in passed.values() for row in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(Figure._fields))]
    terminalreporter.section("figures")
    for row in rows:
        terminalreporter.write_line("   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)))
    plots = plot(store_results(passed, config.stash[CURVES]))
    written = f"{len(plots)} plots" if plots else "no plots, because matplotlib is not installed"
    terminalreporter.write_line(f"Written: docs/benchmarks.md, docs/benchmarks.json, {written}.")


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Add a line to the table."""

    def put(what: str, measured: str, bar: str, peer: str = "") -> None:
        rows = request.config.stash[FIGURES].setdefault(name_of(request.node), [])
        rows.append(Figure(what, measured, bar, peer))

    return put


@pytest.fixture
def curve(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Add the points of a line to a plot."""

    def put(name: str, label: str, points: list[Point]) -> None:
        request.config.stash[CURVES].setdefault(name, {})[label] = points

    return put


@pytest.fixture
def measuring(request: pytest.FixtureRequest) -> bool:
    """Whether to measure, or only to check quickly that everything still runs."""
    return bool(request.config.getoption("benchmark_only", default=False))


@pytest.fixture
def simulator_process(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., AbstractContextManager[tuple[str, str]]]:
    """Start a simulator in a process of its own; return its URL, and the ID of a session with many learners."""

    @contextmanager
    def start(
        learners: int, scenario: dict[str, object] | None = None, sessions: int = 1, version: str = "v1"
    ) -> Iterator[tuple[str, str]]:
        with SimulatorProcess(sessions, learners) as simulator:
            if scenario:
                simulator.play(scenario)
            connect(monkeypatch, simulator, version)
            yield simulator.url, simulator.session_ids[0]

    return start
