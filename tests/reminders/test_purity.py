"""The planner imports no Airflow, no HTTP client, no mail and no templates, and reads no clock."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from airflow_provider_learning360 import reminders

PURE = (
    *("addresses", "calendar", "dates", "due_dates", "duration", "moves", "overlaps", "planner", "policy", "problems"),
    *("recipients", "reminder", "schedule", "validity"),
)
PACKAGE = "airflow_provider_learning360.reminders"
CLOCKS = {"now", "utcnow", "today", "monotonic", "perf_counter"}


FOREIGN = {"airflow", "requests", "aiohttp", "httpx", "smtplib", "jinja2", "babel"}
MAILING = {f"{PACKAGE}.{name}" for name in ("compose", "delivery", "headers", "language", "mail", "mail_templates")}


def test_planner_imports_no_airflow_no_http_client_and_no_mail() -> None:
    code = (
        f"import sys, {PACKAGE}.planner, {PACKAGE}.policy, {PACKAGE}.recipients, {PACKAGE}.validity\n"
        f"print(sorted({FOREIGN | MAILING!r} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_mailing_modules_exist() -> None:
    assert {find_spec(name) is not None for name in MAILING} == {True}


@pytest.mark.parametrize("name", PURE)
def test_pure_module_reads_no_clock_and_no_file(name: str) -> None:
    tree = ast.parse((Path(reminders.__file__).parent / f"{name}.py").read_text())
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [ast.unparse(one) for one in calls if isinstance(one, ast.Attribute) and one.attr in CLOCKS] == []
    assert {"open", "read_text"} & {ast.unparse(one).rpartition(".")[2] for one in calls} == set()
