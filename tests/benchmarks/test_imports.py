"""The cost of a DAG file: importing operators, sensors and triggers, and checking a call of an operation."""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import airflow_provider_learning360
from benchmark_results import beside

OURS = "airflow_provider_learning360"
WRITES = [f"{OURS}.operators.{one}" for one in ("enrolment", "session_update")]
MODULES = [
    f"{OURS}.{kind}.{one}" for kind in ("operators", "sensors", "triggers") for one in ("program_session", "operation")
] + WRITES
KINDS = ("hooks", "operators", "sensors", "triggers")
PEERS = {
    "HTTP provider": [f"airflow.providers.http.{one}.http" for one in KINDS],
    "dbt Cloud provider": [f"airflow.providers.dbt.cloud.{one}.dbt" for one in KINDS],
    "Airbyte provider": [f"airflow.providers.airbyte.{one}.airbyte" for one in KINDS],
}
HEAVY = {
    *("requests", "aiohttp", "httpx", "jsonschema", "jsonpath"),
    *(f"{OURS}.{one}" for one in ("api.models", "api.catalogue", "hooks.learning", "hooks.learning_async")),
}

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

CALLS = f"""
import json, time
from airflow.sdk import DAG
from {OURS}.operators.operation import LearningOperationOperator

def build(number):
    started = time.process_time()
    LearningOperationOperator(
        task_id=f"call_{{number}}",
        operation="list-path-sessions",
        parameters={{"modifiedAt[gte]": "2026-03-01T00:00:00Z"}},
    )
    return (time.process_time() - started) * 1000

with DAG("calls", schedule=None):
    print(json.dumps([build(number) for number in range(5)]))
"""


def cost_of(modules: list[str]) -> dict[str, Any]:
    cost: dict[str, Any] = run(SCRIPT, *modules)
    return cost


def is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def run(script: str, *arguments: str) -> Any:
    """Run a script in a process of its own, and return what it printed last."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("COV", "PYTHONDONT"))}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_import(benchmark: Any, measuring: bool, figure: Callable[..., None]) -> None:
    ours: list[dict[str, Any]] = []
    peers: dict[str, list[dict[str, Any]]] = {name: [] for name in PEERS}

    def once() -> None:
        ours.append(cost_of(MODULES))
        for name, modules in PEERS.items():
            if measuring and is_installed(modules[0]):
                peers[name].append(cost_of(modules))

    if measuring:
        compileall.compile_dir(Path(airflow_provider_learning360.__file__).parent, quiet=1)
    benchmark.pedantic(once, rounds=5 if measuring else 1)

    assert not HEAVY & set(ours[0]["new"])
    for key, what, bar in (("cpu_ms", "import, CPU", "< 25 ms"), ("mb", "import, memory", "< 1 MB")):
        mine, unit = median(one[key] for one in ours), f" {bar[-2:]}"
        theirs = {name: median(one[key] for one in costs) if costs else None for name, costs in peers.items()}
        named = [beside(name, cost, mine, unit, digits=1) for name, cost in theirs.items()]
        figure(what, f"{mine:.1f}{unit}", bar, "; ".join(named) if measuring else "")


def test_operation_in_a_dag_file(benchmark: Any, measuring: bool, figure: Callable[..., None]) -> None:
    costs: list[list[float]] = []
    benchmark.pedantic(lambda: costs.append(run(CALLS)), rounds=9 if measuring else 1)
    figure("check of a file's first operation, CPU", f"{median(one[0] for one in costs):.1f} ms", "< 50 ms")
    figure("check of each further one, CPU", f"{median(median(one[1:]) for one in costs):.1f} ms", "< 1 ms")
