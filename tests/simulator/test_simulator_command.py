"""The simulator as a command, in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

from airflow_provider_learning360.simulator.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "airflow_provider_learning360.simulator"]


@contextmanager
def _running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*COMMAND, "--port", "0", *arguments], **pipes) as process:
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_prints_its_address_logs_requests_and_stops_on_a_signal(number, tmp_path):
    scenario = tmp_path / "scenario.json"
    scenario.write_text(json.dumps([{"when": {"after_requests": 1}, "do": {"status": 429}}]))
    with _running("--sessions", "3", "--scenario", str(scenario)) as (process, ready):
        url = ready.split()[3]
        v1, v2 = ready.split("  API v2: ")
        assert v1 == f"360Learning simulator on {url}  company ID demo-company  API key demo-key  (3 sessions)"
        assert v2 == "client ID 36003600360036003600360036003600  client secret demo-secret\n"
        keys = {"company": "demo-company", "apiKey": "demo-key"}
        for _ in range(2):
            requests.get(f"{url}/api/v1/programs/sessions", params=keys, timeout=10)
        process.send_signal(number)
        output, log = process.communicate(timeout=10)
    assert process.returncode == 0
    assert output == ""
    # Threads write their lines after the response: on a busy machine in either order.
    succeeded, limited = sorted(log.splitlines(), key=lambda line: line.endswith("[status]"))
    assert "GET /api/v1/programs/sessions?company=***&apiKey=***  200  " in succeeded
    assert limited.endswith("[status]")
    assert " 429 " in limited
    assert "demo-key" not in log


def test_importing_it_imports_nothing_of_airflow_or_of_the_client():
    code = (
        "import sys, airflow_provider_learning360.simulator, airflow_provider_learning360.testing.factories\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('airflow', 'requests', 'aiohttp', 'pydantic')\n"
        "       or name.startswith('airflow_provider_learning360.api')])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "loopback only"),
        (["--port", "70000"], "port"),
        (["--scenario", "/nowhere/at/all.json"], "No such file"),
        (["--scopes", "paths:read", "path:read"], "unknown scopes ['path:read']; known: attendanceSheets:read"),
        (["--page-size", "0"], "a page holds at least one item"),
    ],
)
def test_command_says_why_it_cannot_start(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert main(arguments) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("simulator: ")
    assert message in shown


def test_command_says_what_a_scenario_may_hold(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    scenario = tmp_path / "scenario.json"
    scenario.write_text('{"do": {"status": 500}, "wenn": {}}')
    assert main(["--port", "0", "--scenario", str(scenario)]) == 1
    assert "unknown key 'wenn' in a scenario; allowed: when, do" in capsys.readouterr().err
