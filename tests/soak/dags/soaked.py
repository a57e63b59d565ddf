"""Two DAGs that act on changed sessions: one has an asset for many sessions, one has an asset for each session."""

from __future__ import annotations

import json
import os
from typing import Any

from airflow.sdk import DAG, AssetAny

from airflow_provider_learning360.assets.program_session import watched_program_session, watched_program_sessions
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator

# Session IDs by asset name.
MANY: dict[str, list[str]] = json.loads(os.environ["SOAK_MANY"])
ONE: dict[str, str] = json.loads(os.environ["SOAK_ONE"])


def react(dag_id: str, schedule: Any) -> None:
    with DAG(dag_id, schedule=schedule, catchup=False, is_paused_upon_creation=False, max_active_runs=1) as dag:
        ChangedProgramSessionsOperator(task_id="changed", retries=5, retry_delay=1)
    globals()[dag_id] = dag


# Different intervals, so that each DAG has its own poller.
react(
    "many",
    [watched_program_sessions(name, sessions, poll="list", poll_interval=1.0) for name, sessions in MANY.items()],
)
react(
    "one",
    AssetAny(
        *(
            watched_program_session(session_id, name=name, poll="single", poll_interval=1.1)
            for name, session_id in ONE.items()
        )
    ),
)
