"""Airflow stores no key of a task: not in rendered fields, XCom or trigger arguments."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_learning360.operators.operation import LearningOperationOperator
from airflow_provider_learning360.operators.program_session import (
    GetProgramSessionOperator,
    ListProgramSessionsOperator,
)
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor
from airflow_provider_learning360.simulator import Simulator

CANARY = "canary-key-0123456789"


class TaskInstance:
    map_index = -1

    def __init__(self) -> None:
        self.pushed: list[Any] = []

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed.append(value)


@pytest.mark.parametrize(
    "auth",
    [
        pytest.param(mode, marks=pytest.mark.learning360_simulator(sessions=1, api_key=CANARY, auth=mode))
        for mode in ("headers", "query", "oauth2")
    ],
)
def test_airflow_stores_no_key(auth: str, learning360_simulator: Simulator) -> None:
    (session_id,) = learning360_simulator.session_ids
    before = learning360_simulator.session(session_id)
    sensor: dict[str, Any] = {"task_id": "wait", "session_id": session_id, "since": before}
    tasks = [
        GetProgramSessionOperator(task_id="get", session_id=session_id),
        ListProgramSessionsOperator(task_id="list"),
        LearningOperationOperator(task_id="call", operation="list-program-sessions-v1"),
        ProgramSessionModifiedSensor(**sensor, deferrable=True),
    ]
    ti = TaskInstance()
    stored: list[Any] = [task.execute({"ti": ti}) for task in tasks[:3]]
    with pytest.raises(TaskDeferred) as deferral:
        tasks[3].execute({"ti": ti})
    stored.append(deferral.value.trigger.serialize()[1])
    learning360_simulator.edit(session_id, name="New")
    stored.append(ProgramSessionModifiedSensor(**sensor).execute({"ti": ti}))
    stored += ti.pushed
    stored += [getattr(task, field) for task in tasks for field in task.template_fields]
    tokens = [json.loads(seen.body).get("client_secret") for seen in learning360_simulator.requests if seen.body]
    bearers = {
        seen.headers["authorization"].split()[-1]
        for seen in learning360_simulator.requests
        if "authorization" in seen.headers
    }
    assert tokens == [CANARY] * len(tokens)
    assert bool(bearers) == (auth == "oauth2")
    text = json.dumps(stored)
    assert not [secret for secret in (CANARY, *bearers) if secret in text]
