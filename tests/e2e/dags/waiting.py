"""One DAG for each way of waiting. No task is given `since`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor

MODES: dict[str, dict[str, Any]] = {
    "poke": {"poke_interval": 1},
    "reschedule": {"mode": "reschedule", "poke_interval": 3},
    "deferred": {"deferrable": True, "poke_interval": 1},
}

for name, arguments in MODES.items():
    with DAG(f"wait_{name}", schedule=None, catchup=False, is_paused_upon_creation=False) as dag:
        ProgramSessionModifiedSensor(
            task_id="wait",
            session_id="{{ dag_run.conf['session_id'] }}",
            timeout=600,
            retries=3,
            retry_delay=timedelta(seconds=1),
            **arguments,
        )
    globals()[f"wait_{name}"] = dag
