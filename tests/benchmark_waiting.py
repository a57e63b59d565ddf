"""Triggers that wait in a process of their own: what they cost there, and what they ask of a simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

from simulator_process import SimulatorProcess

TESTS = Path(__file__).resolve().parent
PROCESS = TESTS / "benchmarks" / "waiting_process.py"
OURS = ("sensor", "asset")
LIST = "/api/v1/programs/sessions"


def wait_with(kind: str, simulator: SimulatorProcess, folder: Path, interval: float, seconds: float) -> dict[str, Any]:
    """Let a trigger for each session wait in another process; return what that took."""
    sessions = read_sessions(simulator)
    simulator.forget()
    began = time.monotonic()
    found = run_triggers(kind, sessions, folder, interval, seconds)
    seen = [one for one in simulator.requests if one["at"] >= began]  # a request is noted after its response
    data = [one for one in seen if "token" not in one["path"]]
    later = [one for one in data if found["from"] <= one["at"] < found["until"]]
    return found | {
        "requests": data,
        "requests_per_interval": len(later) * interval / (found["until"] - found["from"]),
        "tokens": len(seen) - len(data),
        "connections": len({one["connection"] for one in seen}),
        "memory": found["after"] - found["before"],
    }


def run_triggers(kind: str, sessions: dict[str, str], folder: Path, interval: float, seconds: float) -> dict[str, Any]:
    """Run triggers in another process; return what it measured."""
    file = folder / "sessions.json"
    file.write_text(json.dumps(sessions))
    command = [sys.executable, str(PROCESS), kind, str(interval), str(seconds), str(file)]
    paths = [str(TESTS), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "AIRFLOW__LEARNING360__MIN_POLL_INTERVAL": "0.1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    # Triggers of others may end: under load, some fail at the first error of the network.
    assert kind not in OURS or found["ended"] == [], found["ended"][:3]
    return found


def read_sessions(simulator: SimulatorProcess) -> dict[str, str]:
    """Return when each session was modified, by its ID."""
    keys = {"X-company-id": simulator.company_id, "X-apiKey": simulator.api_key}
    with requests.Session() as client:
        client.trust_env = False
        response = client.get(simulator.url + LIST, headers=keys, timeout=120)
    response.raise_for_status()
    return {one["_id"]: one["modifiedAt"] for one in response.json()}
