"""The commands, in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow.providers_manager import ProvidersManager

from airflow_provider_learning360.cli.__main__ import main

MODULE = [sys.executable, "-m", "airflow_provider_learning360.cli"]
AIRFLOW = [str(Path(sys.executable).parent / "airflow"), "learning360"]
COMMANDS = [pytest.param(MODULE, id="module")]
if hasattr(ProvidersManager, "cli_command_functions"):
    COMMANDS.append(pytest.param(AIRFLOW, id="airflow"))


def run(command: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("command", COMMANDS)
def test_get_session(command: list[str], learning360_simulator: Any) -> None:
    session_id = learning360_simulator.session_ids[0]

    done = run(command, "get-session", session_id, "--show-people")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == learning360_simulator.session(session_id)


@pytest.mark.parametrize("command", COMMANDS)
def test_get_session_of_an_unknown_id(command: list[str], learning360_simulator: Any) -> None:
    done = run(command, "get-session", "0" * 24)

    assert done.returncode == 1
    assert done.stdout == ""
    assert "0" * 24 in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_operations_are_found(command: list[str]) -> None:
    done = run(command, "operations", "sessions", "of", "a", "path", "--output", "json")

    assert done.returncode == 0, done.stderr
    assert "list-path-sessions" in [one["name"] for one in json.loads(done.stdout)]


def test_operation_is_documented(capfd: pytest.CaptureFixture[str]) -> None:
    main(["operation", "list-path-sessions", "--output", "json"])

    assert json.loads(capfd.readouterr().out)["path"] == "/api/v2/paths/sessions"


@pytest.mark.learning360_simulator(api_version="v2", today=None)
def test_call_reads_and_writes(learning360_simulator: Any, capfd: pytest.CaptureFixture[str]) -> None:
    session_id = learning360_simulator.session_ids[0]
    path_id = learning360_simulator.session(session_id)["programTemplate"]
    names = ["-p", f"pathId={path_id}", "-p", f"sessionId={session_id}"]
    write = ["call", "edit-path-session", *names, "--body", "{name: Moved}"]

    main([*write, "--dry-run"])
    assert learning360_simulator.session(session_id)["name"] != "Moved"
    main([*write, "--yes"])
    capfd.readouterr()
    main(["call", "get-path-session", *names, "--field", "name"])
    assert "Moved" in capfd.readouterr().out
