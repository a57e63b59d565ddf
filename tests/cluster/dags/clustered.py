"""Sensors that wait in three modes, DAGs that act on changed sessions, and reminders of both kinds of delivery."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, AssetAny

from airflow_provider_learning360.assets.program_session import watched_program_session
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator
from airflow_provider_learning360.operators.reminders import PlanSessionRemindersOperator, SendSessionReminderOperator
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor

# Session IDs by mode; session IDs by asset name, by DAG ID; the policy of the reminders.
PLAN: dict[str, Any] = json.loads(os.environ["CLUSTER_PLAN"])
COMMON: dict[str, Any] = {
    "start_date": datetime(2025, 1, 1, tzinfo=UTC),
    "catchup": False,
    "is_paused_upon_creation": False,
}
# As a user would set them: a service may die while a task needs it.
RETRIES: dict[str, Any] = {"retries": 3, "retry_delay": timedelta(seconds=3)}
# A waiting task outlives more deaths than a short one.
WAITING: dict[str, Any] = {**RETRIES, "retries": 10}
POLLERS = ({"poll": "single", "poll_interval": 3.0}, {"poll": "list", "poll_interval": 3.1})
INTERVALS = {"deferred": 10, "reschedule": 90, "poke": 10}

with DAG("wait", schedule="@once", **COMMON):
    for mode, session_ids in PLAN["waiting"].items():
        ProgramSessionModifiedSensor.partial(
            task_id=mode,
            deferrable=mode == "deferred",
            mode="reschedule" if mode == "reschedule" else "poke",
            poke_interval=INTERVALS[mode],
            **WAITING,
        ).expand(session_id=session_ids)

for number, (dag_id, assets) in enumerate(PLAN["watched"].items()):
    # Different intervals, so that there is a poller of each kind.
    options: dict[str, Any] = POLLERS[number % len(POLLERS)]
    watched = [watched_program_session(session_id, name=name, **options) for name, session_id in assets.items()]
    with DAG(dag_id, schedule=AssetAny(*watched), max_active_runs=1, **COMMON) as dag:
        ChangedProgramSessionsOperator(task_id="changed", **RETRIES)
    globals()[dag_id] = dag

with DAG("plan", schedule=timedelta(seconds=30), max_active_runs=1, **COMMON):
    planned = PlanSessionRemindersOperator(task_id="plan", policy=PLAN["policy"], delivery_dag_id="deliver", **RETRIES)
    TriggerDagRunOperator.partial(
        task_id="start", trigger_dag_id="deliver", skip_when_already_exists=True, **RETRIES
    ).expand_kwargs(planned.output)

with DAG("deliver", schedule=None, **COMMON):
    SendSessionReminderOperator(task_id="send", policy=PLAN["policy"], connections=PLAN["connections"], **RETRIES)
