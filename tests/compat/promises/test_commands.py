"""The commands, in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow.providers_manager import ProvidersManager

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
def test_operations_are_found_and_documented(command: list[str]) -> None:
    found = run(command, "operations", "sessions", "of", "a", "path", "--output", "json")
    documented = run(command, "operation", "list-path-sessions", "--output", "json")

    assert found.returncode == 0, found.stderr
    assert "list-path-sessions" in [one["name"] for one in json.loads(found.stdout)]
    assert documented.returncode == 0, documented.stderr
    assert json.loads(documented.stdout)["path"] == "/api/v2/paths/sessions"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.learning360_simulator(api_version="v2", today=None)
def test_call_reads_and_writes(command: list[str], learning360_simulator: Any) -> None:
    session_id = learning360_simulator.session_ids[0]
    path_id = learning360_simulator.session(session_id)["programTemplate"]
    names = ["-p", f"pathId={path_id}", "-p", f"sessionId={session_id}"]
    write = ["call", "edit-path-session", *names, "--body", "{name: Moved}"]

    assert run(command, *write, "--dry-run").returncode == 0
    assert learning360_simulator.session(session_id)["name"] != "Moved"
    written = run(command, *write, "--yes")
    read = run(command, "call", "get-path-session", *names, "--field", "name")

    assert written.returncode == 0, written.stderr
    assert read.returncode == 0, read.stderr
    assert "Moved" in read.stdout
