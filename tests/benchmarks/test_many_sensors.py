"""The cost of many deferred sensors of one connection, beside the same number of the HTTP provider's sensors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from benchmark_results import beside
from benchmark_waiting import wait_with
from simulator_process import SimulatorProcess
from versions import connect

LISTS = {"v1": "/api/v1/programs/sessions", "v2": "/api/v2/paths/sessions"}
PEER = "HttpSensorTrigger"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_many_deferred_sensors(
    version: str,
    benchmark: Any,
    measuring: bool,
    figure: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count, interval, seconds = (1_000, 10.0, 30.0) if measuring else (150, 4.0, 8.0)
    runs: list[dict[str, Any]] = []
    with SimulatorProcess(sessions=count, learners=20) as simulator:
        connect(monkeypatch, simulator, version, **({"auth": "oauth2"} if version == "v1" else {}))
        monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", json.dumps({"conn_type": "http", "host": simulator.url}))
        benchmark.pedantic(
            lambda: runs.append(wait_with("sensor", simulator, tmp_path, interval, seconds)),
            rounds=2 if measuring and version == "v1" else 1,
        )
        peer = wait_with(PEER, simulator, tmp_path, interval, seconds) if measuring and version == "v1" else None

    # The first poll reads everything, where later ones read what was modified.
    paths = [one["path"] for one in runs[0]["requests"]]
    assert paths.count(LISTS[version]) >= len(paths) - 1
    assert all((run["connections"], run["tokens"]) == (1, 1) for run in runs)
    name = f"{count:,} deferred sensors, {version}"

    def put(what: str, key: str, bar: str, unit: str = "", scale: float = 1, digits: int = 0) -> None:
        values = sorted(run[key] * scale for run in runs)
        worst = f" (worst of {len(values)}: {values[-1]:.0f}{unit})" if "stall" in key else ""
        theirs = "" if peer is None else beside(PEER, peer[key] * scale, median(values), unit)
        figure(f"{name}: {what}", f"{median(values):.{digits}f}{unit}{worst}", bar, theirs)

    put("TCP connections", "connections", "1")
    put("requests an interval", "requests_per_interval", "1", digits=1)
    figure(f"{name}: tokens", str(runs[0]["tokens"]), "1")
    put("memory over an idle runner", "memory", "<= 40 MiB", " MiB")
    put("event-loop stall, start", "start_stall", "< 50 ms", " ms", 1000)
    put("event-loop stall, polls", "stall", "< 50 ms", " ms", 1000)
    put("event-loop stall, start, without garbage collections", "start_work_stall", "< 50 ms", " ms", 1000)
    put("event-loop stall, polls, without garbage collections", "work_stall", "< 50 ms", " ms", 1000)
    collections = [run["collection"] * 1000 for run in runs]
    figure(f"{name}: a full garbage collection before they start", f"{median(collections):.0f} ms", "")
