"""Tasks and assets that are attacked, and others that are not. The environment says which attacks."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetAny

from airflow_provider_learning360.assets.program_session import watched_program_session
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator
from airflow_provider_learning360.operators.program_session import (
    GetProgramSessionOperator,
    ListProgramSessionsOperator,
)
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor

GIVEN: dict[str, Any] = json.loads(os.environ["HOSTILE_ATTACKS"])
SESSION_ID = GIVEN["session_id"]
ONCE: dict[str, Any] = {
    "schedule": "@once",
    "start_date": datetime(2026, 1, 1),
    "is_paused_upon_creation": False,
    "max_active_tasks": 100,
}


def add_sensor(name: str, watch: list[str]) -> None:
    ProgramSessionModifiedSensor(
        task_id=name,
        session_id=SESSION_ID,
        learning_conn_id=f"hostile_{name}",
        watch=watch or None,
        deferrable=True,
        poke_interval=1,
        max_failures=0,
        timeout=1800,  # longer than the test waits for it
    )


def watched_asset(name: str, watch: list[str], poll: Any) -> Asset:
    return watched_program_session(
        SESSION_ID,
        name=f"{poll} {name}",
        learning_conn_id=f"hostile_{name}",
        poll=poll,
        poll_interval=2,
        watch=watch or None,
    )


with DAG("attacked", **ONCE):
    for attack, fields in GIVEN["sensors"].items():
        add_sensor(attack, fields)

with DAG("attacked_at_once", **ONCE):
    for attack in GIVEN["tasks"]:
        arguments: dict[str, Any] = {
            "learning_conn_id": f"hostile_{attack}",
            "retries": 2,
            "retry_delay": timedelta(seconds=1),
        }
        GetProgramSessionOperator(task_id=f"get_{attack}", session_id=SESSION_ID, **arguments)
        ListProgramSessionsOperator(task_id=f"list_{attack}", fields=["_id", "name", "userLimit"], **arguments)

attacked_assets = [
    watched_asset(attack, fields, poll) for attack, fields in GIVEN["assets"].items() for poll in ("single", "list")
]
with DAG("attacked_assets", schedule=AssetAny(*attacked_assets), is_paused_upon_creation=False):
    EmptyOperator(task_id="nothing")

with DAG("unrelated", **ONCE):
    add_sensor("calm", [])

with DAG("unrelated_asset", schedule=[watched_asset("calm", [], "single")], is_paused_upon_creation=False):
    ChangedProgramSessionsOperator(task_id="changed", retries=3, retry_delay=1)
