"""DAGs that start when a session was modified. The environment says which sessions."""

from __future__ import annotations

import json
import os
from typing import Any

from airflow.sdk import DAG, Asset

from airflow_provider_learning360.assets.program_session import watched_program_session, watched_program_sessions
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator

SESSIONS: dict[str, list[str]] = json.loads(os.environ["WATCHED_SESSIONS"])


def react(dag_id: str, schedule: Any) -> None:
    with DAG(dag_id, schedule=schedule, catchup=False, is_paused_upon_creation=False, max_active_runs=1) as dag:
        ChangedProgramSessionsOperator(task_id="changed", retries=3, retry_delay=1)
    globals()[dag_id] = dag


def single(name: str, **arguments: Any) -> Asset:
    return watched_program_session(SESSIONS[name][0], name=name, poll="single", **arguments)


# Assets with different intervals have different pollers.
for asset in ("edited", "shown", "paused"):
    react(asset, [single(asset, poll_interval=1.0, watch=["startDate", "name", "tutors"])])
for asset in ("killed", "crashed"):
    react(asset, [single(asset, poll_interval=1.1)])
react("outage", [single("outage", poll_interval=1.2, learning_conn_id="outage")])
react("burst", [watched_program_sessions("burst", SESSIONS["burst"], poll="single", poll_interval=0.5)])
