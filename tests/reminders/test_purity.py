"""The planner knows of no Airflow, no socket and no clock but the one that is passed in."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_learning360 import reminders

PURE = ("calendar", "moves", "planner", "policy", "problems", "recipients", "reminder", "rivals")
CLOCKS = {"now", "utcnow", "today", "monotonic", "perf_counter"}


def test_planning_imports_no_airflow_and_no_http_client() -> None:
    code = (
        "import sys, airflow_provider_learning360.reminders.planner, airflow_provider_learning360.reminders.policy\n"
        "print(sorted({'airflow', 'requests', 'aiohttp', 'httpx', 'smtplib'} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("name", PURE)
def test_no_clock_and_no_file_is_read(name: str) -> None:
    tree = ast.parse((Path(reminders.__file__).parent / f"{name}.py").read_text())
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [ast.unparse(one) for one in calls if isinstance(one, ast.Attribute) and one.attr in CLOCKS] == []
    assert {"open", "read_text"} & {ast.unparse(one).rpartition(".")[2] for one in calls} == set()
