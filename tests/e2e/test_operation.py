"""On a real Airflow: a sensor for an answer finds a change, also of the time when task or triggerer were dead."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from real_airflow import Airflow
from simulator_process import API_VERSION, SimulatorProcess, names

pytestmark = [pytest.mark.slow, pytest.mark.both_versions]

SOURCE = """
from airflow.sdk import DAG
from airflow_provider_learning360.sensors.operation import LearningOperationSensor

MODES = {"poke": {}, "reschedule": {"mode": "reschedule"}, "deferred": {"deferrable": True}}

for name, arguments in MODES.items():
    with DAG(f"answer_{name}", schedule=None, is_paused_upon_creation=False) as dag:
        LearningOperationSensor(
            task_id="wait", operation="OPERATION", parameters=PARAMETERS, until={"path": "name", "changed": True},
            fields=["_id", "name"], poke_interval=2, timeout=600, retries=3, retry_delay=1, **arguments,
        )
    globals()[f"answer_{name}"] = dag
"""


@pytest.fixture
def dags(airflow: Airflow, simulator: SimulatorProcess, session_id: str) -> Iterator[None]:
    """A DAG for each mode, whose sensor reads the session."""
    if API_VERSION == "v1":
        operation, parameters = "get-program-session-v1", {"session_id": session_id}
    else:
        path_id = simulator.session(session_id)["programTemplate"]
        operation, parameters = "get-path-session", {"pathId": path_id, "sessionId": session_id}
    airflow.put_dag("answer.py", SOURCE.replace("OPERATION", operation).replace("PARAMETERS", repr(parameters)))
    yield
    (airflow.dags / "answer.py").unlink()


def until_polled(airflow: Airflow, simulator: SimulatorProcess, session_id: str, polls: int) -> None:
    """Wait until the sensor has polled so often since the last change, which polls later are compared with."""
    airflow.wait_until(
        lambda: sum(names(request, session_id) for request in simulator.requests) >= polls, f"{polls} polls"
    )


def assert_change_was_found(airflow: Airflow, dag_id: str, run_id: str, pushed: dict[str, Any]) -> None:
    (run,) = airflow.wait_until(
        lambda: [one for one in airflow.runs(dag_id) if one.run_id == run_id and one.state in ("success", "failed")],
        f"{run_id} ends",
    )
    assert run.state == "success"
    assert airflow.task_xcom(dag_id, run_id, "wait") == pushed
    assert airflow.query("select key from task_state_store where key = 'learning360_fingerprints'") == []


def test_killed_triggerer_keeps_the_first_poll(
    airflow: Airflow, simulator: SimulatorProcess, session_id: str, dags: None
) -> None:
    run_id = airflow.trigger("answer_deferred")
    until_polled(airflow, simulator, session_id, 3)
    airflow.kill("triggerer")
    simulator.edit(session_id, name="Moved while the triggerer was dead")
    airflow.start("triggerer")
    pushed = {"_id": session_id, "name": "Moved while the triggerer was dead"}
    assert_change_was_found(airflow, "answer_deferred", run_id, pushed)


def test_killed_task_keeps_the_first_poll(
    airflow: Airflow, simulator: SimulatorProcess, session_id: str, dags: None
) -> None:
    run_id = airflow.trigger("answer_poke")
    until_polled(airflow, simulator, session_id, 2)
    for process in airflow.wait_until(airflow.task_processes, "the task has a process"):
        os.kill(process, signal.SIGKILL)
    simulator.edit(session_id, name="Moved while the task was dead")
    pushed = {"_id": session_id, "name": "Moved while the task was dead"}
    assert_change_was_found(airflow, "answer_poke", run_id, pushed)


def test_rescheduled_task_keeps_the_first_poll(
    airflow: Airflow, simulator: SimulatorProcess, session_id: str, dags: None
) -> None:
    run_id = airflow.trigger("answer_reschedule")
    until_polled(airflow, simulator, session_id, 2)
    simulator.edit(session_id, name="Moved")
    assert_change_was_found(airflow, "answer_reschedule", run_id, {"_id": session_id, "name": "Moved"})
