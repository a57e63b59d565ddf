"""On a real Airflow: the watermark survives reschedule, the death of a task, and the death of the triggerer."""

from __future__ import annotations

import os
import signal

from far_simulator import FarSimulator
from real_airflow import Airflow


def looks(simulator: FarSimulator, session_id: str) -> int:
    return sum(session_id in seen["path"] for seen in simulator.requests)


def finish(airflow: Airflow, simulator: FarSimulator, run_id: str, session_id: str, before: str) -> None:
    """The change was found, and counted from the very first look."""
    airflow.wait_until(lambda: airflow.state(run_id)[0] in ("success", "failed"), f"{run_id} ends")
    assert airflow.state(run_id)[0] == "success"
    after = simulator.session(session_id)["modifiedAt"]
    assert airflow.xcom(run_id, "changes") == {"modifiedAt": {"from": before, "to": after}}
    assert airflow.xcom(run_id, "return_value") == simulator.session(session_id)
    assert (
        airflow.query("select 1 from task_state_store where key in ('learning360_watermark', 'learning360_failures')")
        == []
    )


def test_reschedule_keeps_the_watermark(airflow: Airflow, simulator: FarSimulator, session_id: str) -> None:
    before = simulator.session(session_id)["modifiedAt"]
    run_id = airflow.trigger("wait_reschedule", session_id)
    airflow.wait_until(lambda: looks(simulator, session_id) >= 2, "two looks, from two processes")
    simulator.edit(session_id, name="Moved")
    finish(airflow, simulator, run_id, session_id, before)


def test_killed_task_keeps_the_watermark(airflow: Airflow, simulator: FarSimulator, session_id: str) -> None:
    before = simulator.session(session_id)["modifiedAt"]
    run_id = airflow.trigger("wait_poke", session_id)
    airflow.wait_until(lambda: looks(simulator, session_id) >= 2, "two looks")
    for process in airflow.wait_until(airflow.task_processes, "the task has a process"):
        os.kill(process, signal.SIGKILL)
    simulator.edit(session_id, name="Moved while nobody looked")
    finish(airflow, simulator, run_id, session_id, before)
    assert airflow.state(run_id)[1] == 2


def test_killed_triggerer_keeps_the_watermark(airflow: Airflow, simulator: FarSimulator, session_id: str) -> None:
    before = simulator.session(session_id)["modifiedAt"]
    run_id = airflow.trigger("wait_deferred", session_id)
    airflow.wait_until(lambda: looks(simulator, session_id) >= 3, "a look by the task and two by the trigger")
    assert airflow.state(run_id)[0] == "deferred"
    airflow.kill("triggerer")
    simulator.edit(session_id, name="Moved while nobody looked")
    airflow.start("triggerer")
    finish(airflow, simulator, run_id, session_id, before)
    assert airflow.state(run_id)[1] == 1
