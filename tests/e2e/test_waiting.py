"""On a real Airflow: a waiting task keeps its watermark through reschedule, and when task or triggerer is killed."""

from __future__ import annotations

import os
import signal

import pytest

from real_airflow import Airflow
from simulator_process import API_VERSION, SimulatorProcess, names

pytestmark = pytest.mark.both_versions


def count_polls(simulator: SimulatorProcess, session_id: str) -> int:
    return sum(names(request, session_id) for request in simulator.requests)


def assert_change_was_found(
    airflow: Airflow, simulator: SimulatorProcess, run_id: str, session_id: str, before: str
) -> None:
    """Wait for the end of a run; require that it found the change, counted from its very first poll."""
    airflow.wait_until(lambda: airflow.state(run_id)[0] in ("success", "failed"), f"{run_id} ends")
    assert airflow.state(run_id)[0] == "success"
    after = simulator.session(session_id)["modifiedAt"]
    assert airflow.xcom(run_id, "changes") == {"modifiedAt": {"from": before, "to": after}}
    pushed, session = airflow.xcom(run_id, "return_value"), simulator.session(session_id)
    # Through API v2, some keys have no counterpart, and people come in another order.
    same = session.keys() if API_VERSION == "v1" else {"_id", "name", "startDate", "endDate", "modifiedAt"}
    assert {name: pushed.get(name) for name in same} == {name: session[name] for name in same}
    assert {"users", "tutors", "modules", "customFields"} <= pushed.keys()
    assert (
        airflow.query("select 1 from task_state_store where key in ('learning360_watermark', 'learning360_failures')")
        == []
    )


# Reschedule polls from two processes; a deferred task polls once itself, and twice in its trigger.
@pytest.mark.parametrize(("mode", "polls"), [pytest.param("reschedule", 2, marks=pytest.mark.slow), ("deferred", 3)])
def test_waiting_task_finds_a_change(
    mode: str, polls: int, airflow: Airflow, simulator: SimulatorProcess, session_id: str
) -> None:
    before = simulator.session(session_id)["modifiedAt"]
    run_id = airflow.trigger(f"wait_{mode}", session_id)
    airflow.wait_until(lambda: count_polls(simulator, session_id) >= polls, f"{polls} polls")
    simulator.edit(session_id, name="Moved")
    assert_change_was_found(airflow, simulator, run_id, session_id, before)


@pytest.mark.slow
def test_killed_task_keeps_the_watermark(airflow: Airflow, simulator: SimulatorProcess, session_id: str) -> None:
    before = simulator.session(session_id)["modifiedAt"]
    run_id = airflow.trigger("wait_poke", session_id)
    airflow.wait_until(lambda: count_polls(simulator, session_id) >= 2, "two polls")
    for process in airflow.wait_until(airflow.task_processes, "the task has a process"):
        os.kill(process, signal.SIGKILL)
    simulator.edit(session_id, name="Moved while the task was dead")
    assert_change_was_found(airflow, simulator, run_id, session_id, before)
    assert airflow.state(run_id)[1] == 2


@pytest.mark.slow
def test_killed_triggerer_keeps_the_watermark(airflow: Airflow, simulator: SimulatorProcess, session_id: str) -> None:
    before = simulator.session(session_id)["modifiedAt"]
    run_id = airflow.trigger("wait_deferred", session_id)
    airflow.wait_until(lambda: count_polls(simulator, session_id) >= 3, "a poll by the task and two by the trigger")
    assert airflow.state(run_id)[0] == "deferred"
    airflow.kill("triggerer")
    simulator.edit(session_id, name="Moved while the triggerer was dead")
    airflow.start("triggerer")
    assert_change_was_found(airflow, simulator, run_id, session_id, before)
    assert airflow.state(run_id)[1] == 1
