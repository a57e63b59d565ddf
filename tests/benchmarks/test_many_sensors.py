"""The cost of many deferred sensors of one connection, beside the same number of the HTTP provider's sensors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from simulator_process import SimulatorProcess
from versions import connect

PROCESS = Path(__file__).with_name("waiting_process.py")
LISTS = {"v1": "/api/v1/programs/sessions", "v2": "/api/v2/paths/sessions"}


def wait_with(kind: str, simulator: SimulatorProcess, folder: Path, interval: float, seconds: float) -> dict[str, Any]:
    """Let sensors wait for all sessions in another process; return what that took."""
    sessions = folder / "sessions.json"
    sessions.write_text(json.dumps({one: simulator.session(one)["modifiedAt"] for one in simulator.session_ids}))
    simulator.forget()
    command = [sys.executable, str(PROCESS), kind, str(interval), str(seconds), str(sessions)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    requests = simulator.requests
    data = [one for one in requests if "token" not in one["path"]]
    assert not found["ended"]
    return found | {
        "requests": data,
        "tokens": len(requests) - len(data),
        "connections": len({one["connection"] for one in requests}),
    }


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_many_deferred_sensors(
    version: str,
    benchmark: Any,
    measuring: bool,
    figure: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count, interval, seconds = (1_000, 10.0, 60.0) if measuring else (150, 1.0, 4.0)
    runs: list[dict[str, Any]] = []
    with SimulatorProcess(sessions=count, learners=20) as simulator:
        connect(monkeypatch, simulator, version, **({"auth": "oauth2"} if version == "v1" else {}))
        monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", json.dumps({"conn_type": "http", "host": simulator.url}))
        benchmark.pedantic(
            lambda: runs.append(wait_with("ours", simulator, tmp_path, interval, seconds)),
            rounds=3 if measuring else 1,
        )
        peer = wait_with("peer", simulator, tmp_path, interval, seconds) if measuring and version == "v1" else None

    # The first poll reads everything, where later ones read what was modified.
    paths = [one["path"] for one in runs[0]["requests"]]
    assert paths.count(LISTS[version]) >= len(paths) - 1
    assert all((run["connections"], run["tokens"]) == (1, 1) for run in runs)
    intervals = (runs[0]["requests"][-1]["at"] - runs[0]["requests"][2]["at"]) / interval
    measured = (len(runs[0]["requests"]) - 3) / max(intervals, 1)
    name = f"{count:,} deferred sensors, {version}"
    sent = "" if peer is None else f"{peer['connections']} / {len(peer['requests']) / seconds * interval:.0f}"
    theirs = "" if peer is None else f"HttpSensorTrigger {sent}"
    figure(f"{name}: connections / requests an interval / tokens", f"1 / {measured:.2f} / 1", "1 / 1 / 1", theirs)
    grown = median(run["after"] - run["before"] for run in runs)
    figure(
        f"{name}: memory over an idle runner",
        f"{grown:.0f} MB",
        "<= 40 MB",
        "" if peer is None else f"HttpSensorTrigger {peer['after'] - peer['before']:.0f} MB",
    )
    for what, key in (("start", "start_stall"), ("polls", "stall")):
        stalls = sorted(run[key] * 1000 for run in runs)
        figure(
            f"{name}: event-loop stall, {what}",
            f"{median(stalls):.0f} ms (worst of {len(stalls)}: {stalls[-1]:.0f} ms)",
            "< 50 ms",
            "" if peer is None else f"HttpSensorTrigger {peer[key] * 1000:.0f} ms",
        )
