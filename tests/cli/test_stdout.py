"""Standard output holds the result only, even if Airflow logs to it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from airflow_provider_learning360.simulator import Simulator
from case_samples import one_in


@pytest.mark.learning360_simulator(extra={"timeout": "20"}, api_key="abcd")
def test_field_is_the_only_line_of_stdout(learning360_simulator: Simulator) -> None:
    session_id = learning360_simulator.session_ids[0]
    command = [sys.executable, "-m", "airflow_provider_learning360.cli", "get-session", session_id]
    run = subprocess.run([*command, "--field", "startDate"], env=os.environ, capture_output=True, text=True, check=True)
    assert run.stdout == learning360_simulator.session(session_id)["startDate"] + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("command", one_in(3, ["get-session", "list-sessions -o json", "schema"]))
def test_reader_may_stop(learning360_simulator: Simulator, command: str) -> None:
    session = learning360_simulator.session_ids[:1] if command == "get-session" else []
    read, write = os.pipe()
    os.close(read)  # as `head` does when it has enough
    arguments = [sys.executable, "-m", "airflow_provider_learning360.cli", *command.split(), *session]
    run = subprocess.run(arguments, env=os.environ, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert run.returncode == 1
    assert [word for word in ("Traceback", "Broken") if word in run.stderr] == []
