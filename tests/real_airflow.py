"""A complete Airflow in its own processes: API server, scheduler, DAG processor and triggerer, on SQLite."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import requests

from ports import free_port

PATIENCE = 300  # seconds until a condition that does not come true fails a test
GRACE_PERIOD = 20  # seconds until a terminated service is killed
SERVICES = ("api-server", "dag-processor", "triggerer", "scheduler")  # in the order of their start
JOBS = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}

# Airflow's default intervals are made for many DAGs on many machines.
QUICK = {
    "AIRFLOW__CORE__PARALLELISM": "3",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    # Airflow watches an asset after its DAG file was parsed twice; each time costs a second of CPU.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
    "AIRFLOW__LEARNING360__MIN_POLL_INTERVAL": "0.2",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",  # of the DAG processor
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
}


class Run(NamedTuple):
    """A DAG run."""

    run_id: str
    state: str
    run_type: str
    queued: datetime | None
    started: datetime | None
    ended: datetime | None


class Event(NamedTuple):
    """An asset event."""

    id: int
    at: datetime
    extra: dict[str, Any]


class Airflow:
    """
    Airflow's processes, and read access to its database.

    :param home: An empty folder for all files of Airflow.
    :param connections: Connections in Airflow's JSON form, by ID.
    :param dags: The initial DAGs folder. It is copied, so that tests can add DAGs.
    :param extra: More environment variables; they override those that are set here.
    """

    in_order: ClassVar = SERVICES

    def __init__(
        self, home: Path, connections: dict[str, dict[str, Any]], dags: Path, extra: dict[str, str] | None = None
    ) -> None:
        self.home = home
        self.dags = home / "dags"
        shutil.copytree(dags, self.dags, ignore=shutil.ignore_patterns("__pycache__"))
        self.port = free_port()
        # Without those of coverage: measuring whole services would double their time.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        self.environment = {**inherited, **settings(home, self.port, connections), **(extra or {})}
        self.services: dict[str, subprocess.Popen[bytes]] = {}
        self._started: dict[str, datetime] = {}

    @classmethod
    @contextlib.contextmanager
    def running(
        cls, home: Path, connections: dict[str, dict[str, Any]], dags: Path, extra: dict[str, str] | None = None
    ) -> Iterator[Self]:
        """Run an Airflow with all services while the block runs; then end all of its processes."""
        one = cls(home, connections, dags, extra)
        one.command("db", "migrate")
        try:
            one.start_all()
            yield one
        finally:
            one.end()

    # --- processes ---

    def command(self, *arguments: str) -> None:
        """Run an `airflow` command to its end."""
        run = subprocess.run(
            self._airflow(*arguments), env=self.environment, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]

    def start(self, service: str) -> None:
        """Start a service; `until_alive` waits for it."""
        self._started[service] = datetime.now(UTC)
        with self._log(service).open("ab") as log:
            # Its own process session, so that a kill reaches all of its child processes and no others.
            self.services[service] = subprocess.Popen(
                self._airflow(service), env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def start_all(self) -> None:
        """Start all services, and wait until they work."""
        try:
            for service in self.in_order:
                if service.startswith("scheduler"):
                    # A task that starts before the API server listens fails after a few tries.
                    self.until_alive("api-server")
                self.start(service)
            for service in self.in_order:
                self.until_alive(service)
        except Exception as error:
            error.add_note(self.logs())
            raise

    def until_alive(self, service: str) -> None:
        """Wait until the API server responds, or until another service has written a heartbeat."""
        alive = self._is_healthy if service == "api-server" else lambda: self._has_heartbeat(service)

        def alive_or_dead() -> bool:
            if self.services[service].poll() is not None:
                raise ChildProcessError(f"{service} has ended: {self.logs_of(service)[-3000:]}")
            return alive()

        self.wait_until(alive_or_dead, f"{service} is alive")

    def kill(self, service: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill a service and its child processes; other signals than SIGKILL give it time to end by itself."""
        process = self.services.pop(service)
        process.send_signal(how)
        self._wait_for_end(process)

    def restart(self, service: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill a service, start it again, and wait until it works."""
        self.kill(service, how)
        self.start(service)
        self.until_alive(service)

    def end(self) -> None:
        """End all services."""
        for process in self.services.values():
            process.terminate()
        while self.services:
            self._wait_for_end(self.services.popitem()[1])

    def processes(self, service: str) -> list[int]:
        """Return the process IDs of a service and of its child processes."""
        return members(self.services[service].pid)

    def task_processes(self) -> list[int]:
        """Return the IDs of the processes that run tasks, without their supervisors."""
        title = re.compile(rb"airflow worker -- [0-9a-f]{8}-")
        return [process for process in self.processes("scheduler") if title.match(command_line(process))]

    def runner(self) -> int:
        """Return the ID of the process that runs the triggers."""
        triggerer = self.services["triggerer"].pid

        def fork_with_the_same_command_line() -> list[int]:
            # The other child, which serves logs, changes its command line as soon as it runs.
            own = command_line(triggerer)
            found = [one for one in members(triggerer) if parent(one) == triggerer and command_line(one) == own]
            return found if len(found) == 1 else []

        (runner,) = self.wait_until(fork_with_the_same_command_line, "the triggerer has one runner")
        return int(runner)

    def task_states(self) -> str:
        """Return how many tasks of each DAG are in each state, for people."""
        counts = self.query("select dag_id, state, count(*) from task_instance group by dag_id, state")
        return "\n".join(f"{dag_id}: {number} {state or 'without state'}" for dag_id, state, number in counts)

    def logs(self) -> str:
        """Return what each service's log says of errors, and its end."""
        logs = {path.name: path.read_text(errors="replace") for path in self.home.glob("*.log")}
        return "\n".join(
            f"== {name}: errors\n{errors_of(log)}\n== its end\n{log[-2500:]}" for name, log in logs.items()
        )

    def task_log(self, dag_id: str, task_id: str = "*") -> str:
        """Return the errors of a task, or of all tasks of a DAG, from their logs."""
        logs = (self.home / "logs").glob(f"dag_id={dag_id}/*/task_id={task_id}/*.log")
        lines = [line[:2000] for log in logs for line in log.read_text(errors="replace").splitlines()]
        return "\n".join(line for line in lines if '"level":"error"' in line)[-10_000:]

    def logs_of(self, service: str) -> str:
        """Return the whole log of a service, restarts included; triggers log in that of the triggerer."""
        return self._log(service).read_text(errors="replace")

    # --- actions ---

    def put_dag(self, name: str, source: str) -> None:
        """Write a file into the DAGs folder in one step."""
        half = self.dags / f".{name}.half"
        half.write_text(source)
        half.replace(self.dags / name)

    def trigger(self, dag_id: str, session_id: str | None = None) -> str:
        """Start a run of a DAG for a session; return the run ID."""
        run_id = f"{dag_id}_{secrets.token_hex(4)}"
        self.until_parsed(dag_id)
        conf = json.dumps({} if session_id is None else {"session_id": session_id})
        self.command("dags", "trigger", dag_id, "--run-id", run_id, "--conf", conf)
        return run_id

    # --- state ---

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Query the database, read-only."""
        uri = f"file:{self.home}/airflow.db?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
            return connection.execute(statement, values).fetchall()

    def wait_until(self, condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
        """Wait until a condition is true; return its value."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if result := condition():
                return result
            time.sleep(0.2)
        error = TimeoutError(f"did not happen within {patience} s: {what}")
        with contextlib.suppress(Exception):  # the database may be what does not respond
            error.add_note(f"{self.task_states()}\n{self.logs()}")
        raise error

    def until_parsed(self, dag_id: str) -> None:
        """Wait until a DAG is known and not paused."""
        known = "select 1 from dag where dag_id = ? and not is_paused and not is_stale"
        self.wait_until(lambda: self.query(known, dag_id), f"{dag_id} is known and not paused")

    def until_watched(self, asset: str) -> None:
        """Wait until a triggerer runs all watchers of an asset, given by name or URI."""
        watched = (
            "select count(*), count(triggerer_id) from asset_watcher"
            " join asset on asset.id = asset_id join trigger on trigger.id = trigger_id"
            " where ? in (asset.name, asset.uri)"
        )

        def all_are_running() -> bool:
            ((watchers, taken),) = self.query(watched, asset)
            return 0 < watchers == taken

        self.wait_until(all_are_running, f"a triggerer watches {asset}")

    def runs(self, dag_id: str) -> list[Run]:
        """Return the runs of a DAG, oldest first."""
        rows = self.query(
            "select run_id, state, run_type, queued_at, start_date, end_date from dag_run where dag_id = ? order by id",
            dag_id,
        )
        return [Run(*row[:3], *map(moment, row[3:])) for row in rows]

    def events(self, asset: str) -> list[Event]:
        """Return the events of an asset, given by name or URI, oldest first."""
        rows = self.query(
            "select asset_event.id, timestamp, asset_event.extra from asset_event join asset on asset.id = asset_id"
            " where ? in (asset.name, asset.uri) order by asset_event.id",
            asset,
        )
        return [Event(number, datetime_of(at), json.loads(extra)) for number, at, extra in rows]

    def state(self, run_id: str) -> tuple[str, int]:
        """Return state and try number of the only task of a run."""
        rows = self.query("select state, try_number from task_instance where run_id = ?", run_id)
        return rows[0] if rows else ("none", 0)  # type: ignore[return-value]

    def xcom(self, run_id: str, key: str) -> Any:
        """Return what the only task of a run pushed."""
        return stored(self.query("select value from xcom where run_id = ? and key = ?", run_id, key))

    def task_xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return what a task of a run pushed."""
        which = "dag_id = ? and run_id = ? and task_id = ? and key = ? and map_index = ?"
        return stored(self.query(f"select value from xcom where {which}", dag_id, run_id, task_id, key, map_index))

    # --- details ---

    def _airflow(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "airflow", *arguments]

    def _log(self, service: str) -> Path:
        return self.home / f"{service}.log"

    def _is_healthy(self) -> bool:
        with requests.Session() as client, contextlib.suppress(requests.RequestException):
            client.trust_env = False
            return client.get(f"http://127.0.0.1:{self.port}/api/v2/monitor/health", timeout=10).ok
        return False

    def _has_heartbeat(self, service: str) -> bool:
        """Whether the service has written a heartbeat since its latest start."""
        rows = self.query(
            "select start_date, latest_heartbeat from job where job_type = ? and state = 'running' order by id desc",
            JOBS[service],
        )
        start, heartbeat = map(datetime_of, rows[0]) if rows else (None, None)
        return start is not None and self._started[service] < start < heartbeat  # type: ignore[operator]

    def _wait_for_end(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_PERIOD)

        def all_have_ended() -> bool:
            left = members(process.pid)
            for one in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
            return not left

        self.wait_until(all_have_ended, f"all processes of session {process.pid} have ended")
        process.wait(GRACE_PERIOD)


def settings(home: Path, port: int, connections: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the environment variables of an Airflow."""
    return {
        **QUICK,
        **{f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(one) for conn_id, one in connections.items()},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": f"{home}/logs",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
    }


def members(session: int) -> list[int]:
    """Return the IDs of the running processes of one process session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if os.getsid(int(entry.name)) == session and _status(int(entry.name))["State"][0] not in "ZX":
                    found.append(int(entry.name))
    return found


def parent(process: int) -> int:
    """Return the ID of a process's parent; 0 if the process has ended."""
    return int(_status(process).get("PPid", 0))


def rss(process: int) -> float:
    """Return the resident memory of a process in MB."""
    return int(_status(process)["VmRSS"].split()[0]) * 1024 / 1e6


def command_line(process: int) -> bytes:
    """Return the command line of a process; empty if it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def _status(process: int) -> dict[str, str]:
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return {"State": "X (gone)"}


def errors_of(log: str) -> str:
    """Return the last errors and warnings of a log, with the end of their tracebacks."""
    entries = re.split(r"(?m)^(?=\d{4}-\d\d-\d\dT)", log)
    return "".join(one[-1500:] for one in entries if "[error" in one or "[warning" in one or "Traceback" in one)[-6000:]


def datetime_of(text: str) -> datetime:
    """Parse a time as Airflow stores it in SQLite."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def moment(text: str | None) -> datetime | None:
    """Parse a time; None if there is none yet."""
    return None if text is None else datetime_of(text)


def stored(rows: list[tuple[Any, ...]]) -> Any:
    """Return the value of an XCom."""
    if not rows:
        raise LookupError("no such XCom")
    ((value,),) = rows
    # SQLite stores a JSON number as a number, not as text.
    return json.loads(value) if isinstance(value, str) else value
