"""Airflow as many run it: Celery, PostgreSQL and Redis, with two schedulers, triggerers and workers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from servers import Postgres, Redis

from real_airflow import JOBS, Airflow, command_line

# In the order of their start.
SERVICES = (
    "api-server",
    "dag-processor",
    "triggerer 1",
    "triggerer 2",
    "scheduler 1",
    "scheduler 2",
    "worker 1",
    "worker 2",
)
COMMANDS = {
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "worker": ("celery", "worker", "--skip-serve-logs", "--concurrency", "4", "--without-mingle", "--without-gossip"),
}
# A dead process is noticed soon. A pause of the database, or a busy machine, is not taken for a death.
# A queued task has a token for as long as `task_queued_timeout`; it must outlive the queue of a busy machine.
SETTINGS = {
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__CELERY__OPERATION_TIMEOUT": "10",
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "90",
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CORE__PARALLELISM": "8",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "3",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "180",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "15",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "3",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "30",
}
TASK_TITLE = re.compile(rb"airflow worker -- ([0-9a-f-]{36})")


class Cluster(Airflow):
    """
    The processes of Airflow; PostgreSQL and Redis run already.

    :param home: An empty folder for all files of Airflow.
    :param postgres: Its database, and the store of Celery's results.
    :param redis: The broker of Celery.
    :param connections: Connections in Airflow's JSON form, by ID.
    :param dags: The DAGs folder.
    :param extra: More environment variables.
    """

    in_order = SERVICES

    def __init__(
        self,
        home: Path,
        postgres: Postgres,
        redis: Redis,
        connections: dict[str, dict[str, Any]],
        dags: Path,
        extra: dict[str, str],
    ) -> None:
        database = f"postgresql+psycopg2://{postgres.address}"
        own = {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__CELERY__BROKER_URL": redis.url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
        }
        super().__init__(home, connections, dags, {**SETTINGS, **own, **extra})
        self.postgres = postgres
        self._ready_lines: dict[str, int] = {}

    def start(self, service: str) -> None:
        """Start a service; `until_alive` waits for it."""
        self._ready_lines[service] = self._count_ready_lines(service)
        super().start(service)

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Query the database, with `%s` for each value."""
        return self.postgres.query(statement, *values)

    def tasks(self) -> dict[int, str]:
        """Return the task instance IDs of the processes that run tasks, without their supervisors."""
        found = {}
        for service in self.services:
            for process in self.processes(service) if service.startswith("worker") else ():
                if title := TASK_TITLE.match(command_line(process)):
                    found[process] = title[1].decode()
        return found

    def _airflow(self, *arguments: str) -> list[str]:
        kind, _, number = arguments[0].partition(" ")
        command = [*COMMANDS.get(kind, (kind,)), *arguments[1:]]
        if kind == "worker":
            # A worker that was killed leaves its file behind.
            started = datetime.now(UTC).timestamp()
            command += ["--celery-hostname", f"worker{number}@%h", "--pid", f"{self.home}/worker{number}.{started}.pid"]
        return super()._airflow(*command)

    def _has_heartbeat(self, service: str) -> bool:
        kind = service.split()[0]
        if kind == "worker":
            return self._count_ready_lines(service) > self._ready_lines[service]
        # Services start one after the other, so the newest job is that of this service.
        alive = "select 1 from job where job_type = %s and state = 'running' and start_date > %s"
        return bool(self.query(f"{alive} and latest_heartbeat > start_date", JOBS[kind], self._started[service]))

    def _count_ready_lines(self, service: str) -> int:
        log = self._log(service)
        return len(re.findall(r"worker\d@\S+ ready", log.read_text(errors="replace"))) if log.exists() else 0
