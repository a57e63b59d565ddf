"""A wait whose polls are processes of their own: nothing but Airflow remembers the first poll."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor


class ForgetfulSensor(ProgramSessionModifiedSensor):
    """`dag.test()` uses one object for all polls; a worker builds a new one for each."""

    def execute(self, context: Any) -> Any:
        self._in_process.clear()
        return super().execute(context)


class TwoProcesses(ProgramSessionModifiedSensor):
    """Polls twice with sensors that share nothing; in between, somebody moves the session."""

    def execute(self, context: Any) -> Any:
        found = []
        for _ in range(2):
            self._in_process.clear()
            found.append(bool(self.poke(context)))
        return found


with DAG("remember", schedule=None, start_date=datetime(2026, 1, 1), params={"session_id": ""}) as dag:
    ForgetfulSensor(
        task_id="wait",
        session_id="{{ params.session_id }}",
        watch=["startDate"],
        mode="reschedule",
        poke_interval=1,
        timeout=120,
    )

with DAG("two_processes", schedule=None, start_date=datetime(2026, 1, 1), params={"session_id": ""}) as two_processes:
    TwoProcesses(task_id="wait", session_id="{{ params.session_id }}")
