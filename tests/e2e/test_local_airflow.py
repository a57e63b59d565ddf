"""What `make airflow` starts: it says what it does, sees new files, and leaves nothing running."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_airflow_process import REPOSITORY, LocalAirflow

pytestmark = pytest.mark.slow

EXAMPLES = REPOSITORY / "dags_examples"


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DAGs folder with few files."""
    folder = tmp_path_factory.mktemp("dags")
    shutil.copy(EXAMPLES / "any_route.py", folder)
    shutil.copytree(EXAMPLES / "blueprint", folder / "blueprint", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, dags: Path) -> Iterator[LocalAirflow]:
    with LocalAirflow(tmp_path_factory.mktemp("local") / "home", dags) as airflow:
        yield airflow


def test_output_names_ports_and_files(airflow: LocalAirflow) -> None:
    assert airflow.output.startswith(
        f"Starting a local Airflow on port {airflow.port}. Another port: make airflow PORT={airflow.port + 1}\n"
    )
    for text in ("simulator     http://127.0.0.1:", "mail server   127.0.0.1:", f"http://127.0.0.1:{airflow.port} ("):
        assert text in airflow.output
    assert "connection learning360_v2, the same sessions through API v2\n" in airflow.output
    log = airflow.home / "services.log"
    assert str(log) in airflow.output
    assert "[warning" in log.read_text()
    assert "[warning" not in airflow.output


def test_tasks_log_at_info(airflow: LocalAirflow) -> None:
    run_id = airflow.trigger("any_route")
    run = f"dags/any_route/dagRuns/{run_id}"
    airflow.wait_until(lambda: airflow.get(run)["state"] == "success", "the run ends")
    log = airflow.get(f"{run}/taskInstances/count_sessions/logs/1")
    assert "info" in {line.get("level") for line in log["content"]}
    assert "  GET /api/v1/programs/sessions  200  " in airflow.output


def test_new_python_file_is_found(airflow: LocalAirflow, dags: Path) -> None:
    (dags / "new.py").write_text((dags / "any_route.py").read_text().replace("any_route", "new_dag"))
    airflow.wait_until(lambda: airflow.get("dags/new_dag"), "Airflow finds a new Python file")


def test_new_yaml_file_is_found(airflow: LocalAirflow, dags: Path) -> None:
    text = (dags / "blueprint" / "fetch_session.dag.yaml").read_text()
    (dags / "blueprint" / "new.dag.yaml").write_text(text.replace("blueprint_fetch_session", "new_yaml_dag"))
    airflow.wait_until(lambda: airflow.get("dags/new_yaml_dag"), "Airflow finds a new YAML file")


def test_used_port_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        command = [sys.executable, "demo/local_airflow.py", f"--port={port}", f"--home={tmp_path}"]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"port {port} cannot be used (Address already in use)" in done.stdout
    assert f"make airflow PORT={port + 1}" in done.stdout


def test_help_names_the_port() -> None:
    shown = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert "make airflow PORT=8081" in shown


def test_service_that_ends_starts_again(airflow: LocalAirflow) -> None:
    before = airflow.service("triggerer")
    before.kill()
    airflow.wait_until(
        lambda: "The triggerer ended with exit code -9; it starts again." in airflow.output, "the output says so"
    )
    airflow.wait_until(lambda: airflow.service("triggerer").pid != before.pid, "a new triggerer runs")


def test_interrupt_leaves_nothing_running(airflow: LocalAirflow) -> None:
    assert len(airflow.processes()) >= 4
    assert airflow.interrupt() == 0
    assert airflow.output.endswith("Ended.\n")
    airflow.wait_until(lambda: not airflow.processes(), "no process is left", patience=10)
