"""Call operations, and wait for an answer: through each version of the API, in each mode of the sensor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.operators.operation import LearningOperationOperator
from airflow_provider_learning360.sensors.operation import LearningOperationSensor

SESSION = "{{ dag_run.conf['session_id'] }}"
PATH = "{{ dag_run.conf['path_id'] }}"
GROUP = "60b8d2956e20ae1a0f8e44f1"
READ = {
    "v1": ("list-program-sessions-v1", "get-program-session-v1", "edit-program-session-v1"),
    "v2": ("list-path-sessions", "get-path-session", "edit-path-session"),
}
IDS = {"v1": {"session_id": SESSION}, "v2": {"pathId": PATH, "sessionId": SESSION}}
MODES: dict[str, dict[str, Any]] = {
    "poke": {"deferrable": False},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
    "deferred": {"deferrable": True},
    "changed": {"deferrable": True, "until": {"path": "name", "changed": True}},
    "changed_rescheduled": {
        "deferrable": False,
        "mode": "reschedule",
        "until": {"path": "name", "changed": True},
    },
}


def make_dag(name: str) -> DAG:
    """Return a DAG that runs only if a test runs it."""
    return DAG(name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC))


def read_and_write(version: str) -> DAG:
    """Read a list and an object, show what a write would send, and write."""
    listed, read, edited = READ[version]
    with make_dag(f"read_and_write_{version}") as dag:
        LearningOperationOperator(task_id="list", operation=listed, fields=["_id", "name"])
        shown = LearningOperationOperator(
            task_id="show", operation=edited, parameters=IDS[version], body={"name": "Shown"}, dry_run="{{ 'true' }}"
        )
        written = LearningOperationOperator(
            task_id="write", operation=edited, parameters=IDS[version], body={"name": "Moved to {{ ds }}"}
        )
        get = LearningOperationOperator(task_id="read", operation=read, parameters=IDS[version], fields=["_id", "name"])
        shown >> written >> get
    return dag


def wait(version: str, mode: str) -> DAG:
    """Wait until a session has a new name."""
    with make_dag(f"wait_{mode}_{version}") as dag:
        LearningOperationSensor(
            task_id="wait",
            operation=READ[version][1],
            parameters=IDS[version],
            fields=["_id", "name"],
            poke_interval=0.1,
            timeout=60,
            **{"until": {"path": "name", "equals": "Moved"}, **MODES[mode]},
        )
    return dag


for _version in READ:
    globals()[f"read_and_write_{_version}"] = read_and_write(_version)
    for _mode in MODES:
        globals()[f"wait_{_mode}_{_version}"] = wait(_version, _mode)

with make_dag("create_group") as create_group:
    LearningOperationOperator(
        task_id="create",
        operation="create-group",
        body={"name": "Lyon", "parentId": GROUP, "public": False},
        retries=3,
        retry_delay=timedelta(0),
    )

with make_dag("fill_groups") as fill_groups:
    LearningOperationOperator(
        task_id="fill",
        operation="bulk-add-users-to-groups",
        body={"input": [{"userId": GROUP, "groupId": GROUP, "role": "admin"}]},
        wait_for=True,
        poke_interval=0.1,
        deferrable=True,
    )
