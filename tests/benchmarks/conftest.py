"""One table of all figures, and simulators in processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from simulator_process import SimulatorProcess
from versions import connect


class Figure(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    bar: str
    peer: str = ""


FIGURES = pytest.StashKey[list[Figure]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave all of these to `make bench` and `make test-rest`."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("slow")


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
    """Add a line to the table."""

    def put(what: str, measured: str, bar: str, peer: str = "") -> None:
        request.config.stash[FIGURES].append(Figure(what, measured, bar, peer))

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
