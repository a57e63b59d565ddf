"""What `make airflow` starts, as a test sees it: its output, Airflow's REST API, and the simulator's control routes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import psutil
import requests

from ports import free_port
from real_airflow import members

REPOSITORY = Path(__file__).resolve().parent.parent
PATIENCE = 600  # seconds until a condition that does not come true fails a test


class LocalAirflow:
    """
    A running `demo/local_airflow.py`. Use it as a context manager.

    :param home: An empty folder for all that Airflow keeps.
    :param dags: The DAGs folder.
    :param environment: Further environment variables.
    """

    def __init__(self, home: Path, dags: Path, environment: dict[str, str] | None = None) -> None:
        self.home = home
        self.port = free_port()
        self._output = home.with_name(f"{home.name}.out")
        command = [sys.executable, str(REPOSITORY / "demo" / "local_airflow.py")]
        self._command = [*command, f"--port={self.port}", f"--home={home}", f"--dags={dags}"]
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._sessions: set[int] = set()
        self._client = requests.Session()
        self._client.trust_env = False

    def __enter__(self) -> Self:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=output, stderr=output)
        try:
            self.wait_until(self.is_ready, "Airflow is ready")
        except BaseException:
            self.kill()
            raise
        token = self._client.get(f"http://127.0.0.1:{self.port}/auth/token", timeout=30).json()["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    # --- the process ---

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text(errors="replace")

    def is_ready(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise ChildProcessError(f"it has ended:\n{self.output[-3000:]}")
        return "\nReady after " in self.output

    def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit status."""
        assert self._process
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(PATIENCE)

    def service(self, name: str) -> psutil.Process:
        """Return the process of a service."""

        def find() -> list[psutil.Process]:
            assert self._process
            found = []
            for one in psutil.Process(self._process.pid).children():
                with contextlib.suppress(psutil.Error):
                    if name in " ".join(one.cmdline()) and one.status() != psutil.STATUS_ZOMBIE:
                        found.append(one)
            return found

        service: psutil.Process = self.wait_until(find, f"{name} runs")[0]
        return service

    def processes(self) -> list[int]:
        """Return the IDs of all processes of this Airflow that are still there."""
        assert self._process
        if self._process.poll() is None:
            # Each service has a session of its own, which what it starts belongs to.
            self._sessions |= {one.pid for one in psutil.Process(self._process.pid).children()}
        return [one for session in self._sessions for one in members(session)]

    def kill(self) -> None:
        """End it with all that it started, whatever state it is in."""
        assert self._process
        self.processes()  # to know all of them while their parent is there
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
        self._process.kill()
        self._process.wait()
        for one in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)

    def wait_until(self, condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
        """Return what the condition gives as soon as it is true."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if result := condition():
                return result
            time.sleep(0.5)
        log = self.home / "services.log"
        end = log.read_text(errors="replace")[-3000:] if log.exists() else ""
        raise TimeoutError(f"never happened: {what}\n{self.output[-2000:]}\n{end}")

    # --- Airflow ---

    def get(self, path: str, **query: Any) -> Any:
        """Return the response of Airflow's REST API to a request, or None if there is no such thing."""
        response = self._request("GET", path, params=query)
        if response.status_code == 404:
            return None
        assert response.ok, f"GET {path}: {response.status_code} {response.text}"
        return response.json()

    def send(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """Send a body to Airflow's REST API, and return the response; again if Airflow's database is locked."""

        def send_once() -> tuple[requests.Response] | None:
            response = self._request(method, path, json=body)
            return None if response.status_code == 500 and "Database error" in response.text else (response,)

        (response,) = self.wait_until(send_once, f"{method} {path} meets no lock of the database")
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.json()

    def _request(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            return self._client.request(method, f"http://127.0.0.1:{self.port}/api/v2/{path}", timeout=120, **options)
        except requests.ConnectionError as error:
            error.add_note(self.output[-5000:])
            raise

    def dag_ids(self) -> list[str]:
        return [dag["dag_id"] for dag in self.get("dags", limit=100)["dags"]]

    def switch_on(self, dag_id: str) -> None:
        self.send("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str) -> str:
        """Start a run as the button of the page does, with the defaults of the form; return its ID."""
        run: dict[str, str] = self.send("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None})
        return run["dag_run_id"]

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = self.get(f"dags/{dag_id}/dagRuns", limit=100)["dag_runs"]
        return runs

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        tasks: list[dict[str, Any]] = self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return tasks

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Return the state of each task of a run; of mapped tasks, that of the last one."""
        return {task["task_id"]: task["state"] for task in self.tasks(dag_id, run_id)}

    def xcom(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> Any:
        """Return what a task returned."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.get(path, map_index=map_index, deserialize=True)["value"]

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Query Airflow's database, read-only."""
        uri = f"file:{self.home}/airflow.db?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
            return connection.execute(statement, values).fetchall()

    # --- the simulator ---

    def edit_session(self, session_id: str, **fields: Any) -> dict[str, Any]:
        """Edit a session in the simulator, as the output says, and return it."""
        url = re.findall(r"simulator\s+(http://\S+)", self.output)[0]
        response = self._client.post(f"{url}/_simulator/sessions/{session_id}", json=fields, timeout=60)
        assert response.ok, response.text
        document: dict[str, Any] = response.json()
        return document
