"""On a real Airflow: a DAG runs when learners have completed a session, and a sensor waits for all of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.both_versions

EXAMPLE = Path(__file__).resolve().parents[2] / "dags_examples" / "react_to_completions.py"
WAITING = """
from airflow.sdk import DAG
from airflow_provider_learning360.sensors.session_completed import SessionCompletedSensor

with DAG("waiting_for_completions", schedule=None, is_paused_upon_creation=False) as dag:
    SessionCompletedSensor(
        task_id="wait", session_id="{session_id}", fields=["_id"], poke_interval=1, timeout=300, deferrable=True,
        # A busy scheduler fails a task whose trigger ends before it has noticed the deferral.
        retries=3, retry_delay=0.1,
    )
"""


@contextlib.contextmanager
def extra_dag(airflow: Any, name: str, source: str) -> Iterator[None]:
    """Keep a DAG file in the DAGs folder while the block runs."""
    airflow.put_dag(name, source)
    try:
        yield
    finally:
        (airflow.dags / name).unlink()


def learners_to_come(simulator: Any, session_id: str) -> list[str]:
    """Enrol three learners again, so that none of them has completed; return their mails."""
    mails = [f"new.learner{number}@example.com" for number in range(3)]
    simulator.edit(session_id, users=[{"_id": f"{number:024x}", "mail": mail} for number, mail in enumerate(mails, 1)])
    return mails


def is_watched(airflow: Any) -> bool:
    query = "select count(*) from asset_state_store where key = 'learning360_completions'"
    ((count,),) = airflow.query(query)
    return bool(count)


@pytest.mark.slow
def test_example_runs_when_learners_have_completed(airflow: Any, simulator: Any, session_id: str) -> None:
    mails = learners_to_come(simulator, session_id)
    source = EXAMPLE.read_text().replace("60b8d2956e20ae1a0f8e44f1", session_id)
    assert source.count("poll_interval=60") == 1
    with extra_dag(airflow, EXAMPLE.name, source.replace("poll_interval=60", "poll_interval=1")):
        airflow.wait_until(lambda: is_watched(airflow), "the first poll is stored")
        simulator.finish(session_id, mails[0])
        simulator.finish(session_id, mails[1])
        (event, *more) = airflow.wait_until(lambda: airflow.events("completions"), "there is an event")
        payloads = [one.extra["payload"] for one in (event, *more)]
        assert not [mail for mail in mails if mail in json.dumps(payloads)]

        def reported_lines() -> list[str] | None:
            runs = airflow.runs("react_to_completions")
            if not runs or any(run.state not in ("success", "failed") for run in runs):
                return None
            assert {run.state for run in runs} == {"success"}
            lines = [airflow.task_xcom("react_to_completions", run.run_id, "tell", map_index=0) for run in runs]
            return lines if sum(int(line.split()[0]) for line in lines) == 2 else None

        lines = airflow.wait_until(reported_lines, "the runs tell of both completions")
        assert all(line.endswith(simulator.session(session_id)["name"].strip()) for line in lines)


@pytest.mark.slow
def test_deferred_sensor_waits_for_all_learners(airflow: Any, simulator: Any, session_id: str) -> None:
    mails = learners_to_come(simulator, session_id)
    with extra_dag(airflow, "waiting_for_completions.py", WAITING.format(session_id=session_id)):
        known = "select dag_id from dag where dag_id = 'waiting_for_completions'"
        airflow.wait_until(lambda: airflow.query(known), "Airflow has the DAG")
        run_id = airflow.trigger("waiting_for_completions")

        def polls() -> int:
            routes = (f"{session_id}/stats", f"{session_id}/user-statuses")  # of API v1, and of API v2
            return sum(one["path"].endswith(routes) for one in simulator.requests)

        airflow.wait_until(lambda: polls() >= 3, "the triggerer polls")
        for mail in mails:
            simulator.finish(session_id, mail)
        airflow.wait_until(
            lambda: [run for run in airflow.runs("waiting_for_completions") if run.state == "success"], "it is over"
        )
        counts = airflow.task_xcom("waiting_for_completions", run_id, "wait", key="completions")
        assert counts == {"learners": 3, "completed": 3, "needed": 3}
