"""A whole Airflow in processes of its own: API server, scheduler, DAG processor and triggerer, on SQLite."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_learning360.simulator import Simulator

DAGS = Path(__file__).resolve().parent / "dags"
PATIENCE = 120  # seconds until a condition that does not come true fails a test
SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer")


class Airflow:
    """Airflow's processes, and a look into its database."""

    def __init__(self, home: Path, simulator: Simulator) -> None:
        self.home = home
        self.simulator = simulator
        self.port = free_port()
        self.environment = {**os.environ, **settings(home, self.port, simulator)}
        self.services: dict[str, subprocess.Popen[bytes]] = {}

    def command(self, *arguments: str) -> None:
        """Run an `airflow` command to its end."""
        run = subprocess.run(
            self._airflow(*arguments), env=self.environment, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]

    def start(self, service: str) -> None:
        log = (self.home / f"{service}.log").open("ab")
        # A session of its own: killing it kills what it forked, and nothing else.
        self.services[service] = subprocess.Popen(
            self._airflow(service), env=self.environment, stdout=log, stderr=log, start_new_session=True
        )

    def kill(self, service: str, how: signal.Signals = signal.SIGKILL) -> None:
        process = self.services.pop(service)
        ours = members(process.pid)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
        if how is not signal.SIGKILL:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
        for one in ours:
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(one) == process.pid:
                    os.kill(one, signal.SIGKILL)
        process.wait()

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(statement, values).fetchall()

    def wait_until(self, condition: Callable[[], Any], what: str) -> Any:
        """Return what the condition gives as soon as it is true."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if result := condition():
                return result
            time.sleep(0.2)
        raise TimeoutError(f"never happened: {what}")

    def trigger(self, dag_id: str, session_id: str) -> str:
        run_id = f"{dag_id}_{secrets.token_hex(4)}"
        self.wait_until(lambda: self.query("select 1 from dag where dag_id = ?", dag_id), f"{dag_id} is known")
        conf = json.dumps({"session_id": session_id})
        self.command("dags", "trigger", dag_id, "--run-id", run_id, "--conf", conf)
        return run_id

    def state(self, run_id: str) -> tuple[str, int]:
        """State and number of tries of the run's task."""
        rows = self.query("select state, try_number from task_instance where run_id = ?", run_id)
        return rows[0] if rows else ("none", 0)  # type: ignore[return-value]

    def xcom(self, run_id: str, key: str) -> Any:
        value = self.query("select value from xcom where run_id = ? and key = ?", run_id, key)[0][0]
        while isinstance(value, str):
            value = json.loads(value)
        return value

    def task_processes(self) -> list[int]:
        """IDs of the processes in which our scheduler runs tasks; not of those that supervise them."""
        return [
            process
            for process in members(self.services["scheduler"].pid)
            if re.match(rb"airflow worker -- [0-9a-f]{8}-", Path(f"/proc/{process}/cmdline").read_bytes())
        ]

    def logs(self) -> str:
        return "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')[-2500:]}" for path in self.home.glob("*.log")
        )

    def _airflow(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "airflow", *arguments]


def members(session: int) -> list[int]:
    """IDs of the processes of one session: a service of ours, and all that it started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if os.getsid(int(entry.name)) == session:
                    found.append(int(entry.name))
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def settings(home: Path, port: int, simulator: Simulator) -> dict[str, str]:
    connection = {
        "conn_type": "learning360",
        "host": simulator.url,
        "login": simulator.company_id,
        "password": simulator.api_key,
    }
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONN_LEARNING360_DEFAULT": json.dumps(connection),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "3",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": f"{home}/logs",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    }


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """A running Airflow with the DAGs beside this file, and a simulator to talk to."""
    home = tmp_path_factory.mktemp("airflow")
    with Simulator(sessions=6, learners=3) as simulator:
        one = Airflow(home, simulator)
        one.command("db", "migrate")
        try:
            for service in SERVICES:
                one.start(service)
            yield one
        finally:
            for service in list(one.services):
                one.kill(service, signal.SIGTERM)
            shutil.rmtree(home, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    running = getattr(item, "funcargs", {}).get("airflow")
    if report.failed and isinstance(running, Airflow):  # type: ignore[attr-defined]
        report.sections.append(("Airflow", running.logs()))  # type: ignore[attr-defined]
    return report
