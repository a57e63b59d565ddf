"""The cost of importing all operators, sensors and triggers in a DAG file."""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import airflow_provider_learning360

OURS = "airflow_provider_learning360"
MODULES = [f"{OURS}.operators.program_session", f"{OURS}.sensors.program_session", f"{OURS}.triggers.program_session"]
PEERS = [f"airflow.providers.http.{one}.http" for one in ("hooks", "operators", "sensors", "triggers")]
HEAVY = {"requests", "aiohttp", "httpx", f"{OURS}.api.models", f"{OURS}.hooks.learning", f"{OURS}.hooks.learning_async"}

# Modules that every DAG file loads do not count.
SCRIPT = """
import gc, importlib, json, os, sys, time
import airflow.sdk
from airflow.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

before = set(sys.modules)
gc.collect()
memory, started = resident(), time.process_time()
for name in sys.argv[1:]:
    importlib.import_module(name)
cpu, memory = time.process_time() - started, resident() - memory
print(json.dumps({"cpu_ms": cpu * 1000, "mb": memory / 1e6, "new": sorted(set(sys.modules) - before)}))
"""


def cost_of(modules: list[str]) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("COV", "PYTHONDONT"))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *modules], capture_output=True, text=True, check=True, env=environment
    )
    cost: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return cost


def test_import(benchmark: Any, measuring: bool, figure: Callable[..., None]) -> None:
    ours: list[dict[str, Any]] = []
    peers: list[dict[str, Any]] = []

    def once() -> None:
        ours.append(cost_of(MODULES))
        if measuring:
            peers.append(cost_of(PEERS))

    if measuring:
        compileall.compile_dir(Path(airflow_provider_learning360.__file__).parent, quiet=1)
    benchmark.pedantic(once, rounds=9 if measuring else 1)

    assert not HEAVY & set(ours[0]["new"])
    for key, what, bar in (("cpu_ms", "import, CPU", "< 25 ms"), ("mb", "import, memory", "< 1 MB")):
        values = [f"{median(one[key] for one in costs):.1f} {bar[-2:]}" for costs in (ours, peers) if costs]
        figure(what, values[0], bar, f"HTTP provider {values[1]}" if peers else "")
