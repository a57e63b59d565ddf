"""DAGs that start because a session was modified. Which sessions, the tests say in the environment."""

from __future__ import annotations

import json
import os
from typing import Any

from airflow.sdk import DAG, Asset, AssetAny

from airflow_provider_learning360.assets.program_session import watched_program_session, watched_program_sessions
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator

SESSIONS: dict[str, list[str]] = json.loads(os.environ["WATCHED_SESSIONS"])


def react(dag_id: str, schedule: Any) -> None:
    with DAG(dag_id, schedule=schedule, catchup=False, is_paused_upon_creation=False, max_active_runs=1) as dag:
        ChangedProgramSessionsOperator(task_id="changed", retries=3, retry_delay=1)
    globals()[dag_id] = dag


def single(use: str, **arguments: Any) -> Asset:
    return watched_program_session(SESSIONS[use][0], name=use, poll="single", **arguments)


# Each with an interval of its own, and so with a poller of its own.
react("edited", [single("edited", poll_interval=1.0, watch=["startDate", "name", "tutors"])])
react("killed", [single("killed", poll_interval=1.1)])
react("outage", [single("outage", poll_interval=1.2, learning_conn_id="outage")])
react("burst", [watched_program_sessions("burst", SESSIONS["burst"], poll="single", poll_interval=0.5)])
react(
    "counted",
    AssetAny(
        *(
            watched_program_session(one, name=f"counted {one}", poll="list", poll_interval=2)
            for one in SESSIONS["counted"]
        )
    ),
)
