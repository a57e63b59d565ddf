"""The cost of waiting and of watching, from one session to 10,000, beside the HTTP provider's triggers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmark_results import Point, beside
from benchmark_waiting import wait_with
from simulator_process import SimulatorProcess
from versions import connect

PEERS_UP_TO = 1_000


class Step(NamedTuple):
    """
    A point of a curve.

    :param count: How many sessions there are.
    :param interval: Seconds between polls.
    :param seconds: How long to measure.
    """

    count: int
    interval: float
    seconds: float


class Kind(NamedTuple):
    """
    A curve, and whose lines it has.

    :param name: The name of the curve.
    :param ours: What of ours is run for each session.
    :param label: The same in the plot.
    :param peer: The trigger of the HTTP provider.
    """

    name: str
    ours: str
    label: str
    peer: str


STEPS = [Step(1, 1, 4), Step(10, 1, 4), Step(100, 2, 6), Step(1_000, 5, 15), Step(10_000, 10, 30)]
QUICK = [Step(1, 0.5, 2), Step(20, 0.5, 2)]
KINDS = [
    Kind("waiting sensors", "sensor", "ProgramSessionModifiedSensor", "HttpSensorTrigger"),
    Kind("watched assets", "asset", "watched_program_session", "HttpEventTrigger"),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda one: one.ours)
def test_curve(
    kind: Kind,
    benchmark: Any,
    measuring: bool,
    figure: Callable[..., None],
    curve: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: dict[str, list[Point]] = {kind.label: [], kind.peer: []}

    def measure() -> None:
        for step in STEPS if measuring else QUICK:
            with SimulatorProcess(sessions=step.count, learners=3) as simulator:
                connect(monkeypatch, simulator, "v1", requests_per_second=1000)
                http = {"conn_type": "http", "host": simulator.url}
                monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", json.dumps(http))
                lines[kind.label].append(point(kind.ours, step, simulator, tmp_path))
                if measuring and step.count <= PEERS_UP_TO:
                    lines[kind.peer].append(point(kind.peer, step, simulator, tmp_path))

    benchmark.pedantic(measure, rounds=1)

    for label, points in lines.items():
        curve(kind.name, label, points)
    for ours in lines[kind.label]:
        peer = next((one for one in lines[kind.peer] if one["count"] == ours["count"]), None)
        put_rows(f"{ours['count']:,} {kind.name}", ours, kind.peer, peer, figure)
    # For up to ten sessions there is a request for each, at the same time.
    assert all(one["connections"] <= min(one["count"], 10) for one in lines[kind.label])
    assert all(one["connections"] == 1 for one in lines[kind.label] if one["count"] > 10)


def point(kind: str, step: Step, simulator: SimulatorProcess, folder: Path) -> Point:
    """Measure one point."""
    found = wait_with(kind, simulator, folder, step.interval, step.seconds)
    return {
        "count": step.count,
        "requests": round(found["requests_per_interval"], 2),
        "connections": found["connections"],
        "memory": round(found["memory"], 1),
        "ended": len(found["ended"]),
    }


def put_rows(name: str, ours: Point, label: str, peer: Point | None, figure: Callable[..., None]) -> None:
    """Add the rows of one point: the peers have none for the largest number."""

    def theirs(value: float, mine: float, unit: str = "", digits: int = 0) -> str:
        return "" if peer is None else beside(label, value, mine, unit, digits)

    at = peer or ours
    figure(f"{name}: requests an interval", f"{ours['requests']:.1f}", "", theirs(at["requests"], ours["requests"]))
    figure(f"{name}: TCP connections", str(ours["connections"]), "", theirs(at["connections"], ours["connections"]))
    memory = theirs(at["memory"], ours["memory"], " MiB", 1)
    figure(f"{name}: memory over an idle runner", f"{ours['memory']:.1f} MiB", "", memory)
    if peer and peer.get("ended"):
        figure(f"{name}: ended with an error", "0", "0", f"{label} {peer['ended']:,}")
