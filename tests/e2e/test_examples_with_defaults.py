"""
Every example is triggered with its defaults on what `make airflow` starts, and ends green.

All of them run side by side. Those that wait for a change get it, as the text on the DAG says: somebody moves the
session in the simulator while they wait.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_airflow_process import LocalAirflow
from simulator_process import API_VERSION

pytestmark = [pytest.mark.slow, pytest.mark.both_versions]

TESTS = Path(__file__).resolve().parents[1]
EXAMPLES = TESTS.parent / "dags_examples"
SESSION_ID = "60b8d2956e20ae1a0f8e44f1"
NEW_START = "2031-05-05T08:00:00.000Z"
IMPORTER = "airflow.sdk.importers.yaml_importer"

BY_HAND = ("any_route", "blueprint_fetch_session", "dag_factory_fetch_session", "fetch_session", "many_sessions")
BY_HAND += ("native_fetch_session", "one_reminder", "late_digest")
WAITING = {"wait_then_act": "remind", "native_react_to_changes": "tell"}  # with the task that comes last
WATCHING = {
    "react_to_changes": "program_sessions_with_new_dates",
    "dispatch_changes": "all_program_sessions",
    "blueprint_react_to_changes": "new_dates_for_blueprint",
    "dag_factory_react_to_changes": "new_dates_for_dag_factory",
    "tell_tutors": "new_dates_for_tutors",
}
COMPLETING = "react_to_completions"  # with a completion: test_completions.py
PARTITIONED = "react_to_one_session"
PLANNING = {
    "plan_reminders": "plan",
    "blueprint_plan_reminders": "reminders.plan",
    "dag_factory_plan_reminders": "plan",
    "native_plan_reminders": "plan",
}
DELIVERING = tuple(dag_id.replace("plan_reminders", "deliver_reminder") for dag_id in PLANNING)
APPROVING = "approve_reminder"
ENROLLING = "enrol_group"  # comes last: it changes a session that others watch
ALL = sorted((*BY_HAND, *WAITING, *WATCHING, COMPLETING, PARTITIONED, *PLANNING, *DELIVERING, APPROVING, ENROLLING))

# An Airflow that has no importer for its own YAML gets the DAGs that such a file describes.
NATIVE_DAGS = """
import sys
sys.path.insert(0, {tests!r})
from airflow.sdk import DAG
from native_yaml import build_dag, read_documents

for _, document in read_documents():
    globals()[document["dag_id"]] = build_dag(document)
"""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """What `make airflow` starts, with the examples."""
    folder = tmp_path_factory.mktemp("examples")
    dags = shutil.copytree(EXAMPLES, folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {}
    if importlib.util.find_spec("airflow.sdk.importers"):
        configuration = json.dumps([{"classpath": f"{IMPORTER}.YamlDagImporter"}])
        environment["AIRFLOW__DAG_PROCESSOR__DAG_IMPORTER_CONFIGS"] = configuration
    else:
        (dags / "native_dags.py").write_text(NATIVE_DAGS.format(tests=str(TESTS)))
    with LocalAirflow(folder / "home", dags, environment) as airflow:
        yield airflow


@pytest.fixture(scope="module")
def runs(airflow: LocalAirflow) -> dict[str, str]:
    """The ID of the run of each example; all of them are triggered at once."""
    airflow.wait_until(lambda: sorted(airflow.dag_ids()) == ALL, f"Airflow has the DAGs {ALL}")
    for dag_id in ALL:
        airflow.switch_on(dag_id)
    return {dag_id: airflow.trigger(dag_id) for dag_id in ALL if dag_id != ENROLLING}


@pytest.fixture(scope="module")
def moved(airflow: LocalAirflow, runs: dict[str, str]) -> dict[str, Any]:
    """The session, after somebody moved its start while DAGs waited for that."""
    for dag_id in WAITING:
        airflow.wait_until(
            lambda: airflow.states(dag_id, runs[dag_id])["wait_for_change"] == "deferred",  # noqa: B023
            f"{dag_id} waits",
        )
    for asset in WATCHING.values():
        airflow.wait_until(lambda: is_watched(airflow, asset), f"{asset} is watched")  # noqa: B023
    return airflow.edit_session(SESSION_ID, startDate=NEW_START, endDate="2031-05-06T08:00:00.000Z")


def is_watched(airflow: LocalAirflow, asset: str) -> bool:
    """Whether a watcher has stored what the sessions are now."""
    watermarks = (
        "select 1 from asset_state_store join asset on asset.id = asset_id"
        " where asset.name = ? and key like 'learning360_watermarks_%'"
    )
    return bool(airflow.query(watermarks, asset))


def require_green(airflow: LocalAirflow, dag_id: str, run_id: str) -> dict[str, str]:
    """Wait for the end of a run, and return the states of its tasks."""

    def end() -> str | None:
        run = airflow.get(f"dags/{dag_id}/dagRuns/{run_id}")
        return run["state"] if run["state"] in ("success", "failed") else None

    state = airflow.wait_until(end, f"the run {run_id} of {dag_id} ends")
    states = airflow.states(dag_id, run_id)
    assert state == "success", states
    assert set(states.values()) <= {"success", "skipped"}
    return states


def test_every_example_is_here() -> None:
    from airflow.dag_processing.dagbag import DagBag

    from native_yaml import read_documents

    shipped = [*DagBag(EXAMPLES).dags, *(document["dag_id"] for _, document in read_documents())]
    assert sorted(shipped) == ALL


@pytest.mark.parametrize("dag_id", [one for one in BY_HAND if API_VERSION == "v1" or one != "any_route"])
def test_what_somebody_starts_does_its_work(airflow: LocalAirflow, runs: dict[str, str], dag_id: str) -> None:
    states = require_green(airflow, dag_id, runs[dag_id])
    assert set(states.values()) == {"success"}


@pytest.mark.parametrize("dag_id", WAITING)
@pytest.mark.usefixtures("moved")
def test_what_waits_sees_the_change(airflow: LocalAirflow, runs: dict[str, str], dag_id: str) -> None:
    states = require_green(airflow, dag_id, runs[dag_id])
    assert set(states.values()) == {"success"}
    last = [task for task in airflow.tasks(dag_id, runs[dag_id]) if task["task_id"] == WAITING[dag_id]]
    for task in last:
        assert NEW_START in airflow.xcom(dag_id, runs[dag_id], task["task_id"], task["map_index"])


@pytest.mark.parametrize("dag_id", [*WATCHING, COMPLETING])
def test_what_watches_has_nothing_to_do_without_a_change(
    airflow: LocalAirflow, runs: dict[str, str], dag_id: str
) -> None:
    states = require_green(airflow, dag_id, runs[dag_id])
    assert "skipped" in states.values()


@pytest.mark.parametrize("dag_id", WATCHING)
@pytest.mark.usefixtures("moved")
def test_what_watches_is_started_by_the_change(airflow: LocalAirflow, dag_id: str) -> None:
    def started() -> list[str]:
        return [run["dag_run_id"] for run in airflow.runs(dag_id) if run["run_type"] == "asset_triggered"]

    (run_id,) = airflow.wait_until(started, f"the change starts {dag_id}")
    states = require_green(airflow, dag_id, run_id)
    assert set(states.values()) == {"success"}


@pytest.mark.usefixtures("moved")
def test_one_run_for_each_changed_session(airflow: LocalAirflow, runs: dict[str, str]) -> None:
    def others() -> list[str]:
        ids = [run["dag_run_id"] for run in airflow.runs(PARTITIONED)]
        return [one for one in ids if one != runs[PARTITIONED]]

    (run_id,) = airflow.wait_until(others, f"the change starts {PARTITIONED}")
    for one in (runs[PARTITIONED], run_id):
        states = require_green(airflow, PARTITIONED, one)
        assert set(states.values()) == {"success"}
        assert airflow.xcom(PARTITIONED, one, "get_session")["_id"] == SESSION_ID


@pytest.mark.parametrize("dag_id", PLANNING)
def test_what_is_planned_is_delivered(airflow: LocalAirflow, runs: dict[str, str], dag_id: str) -> None:
    require_green(airflow, dag_id, runs[dag_id])
    delivering = dag_id.replace("plan_reminders", "deliver_reminder")
    for run in airflow.runs(delivering):
        states = require_green(airflow, delivering, run["dag_run_id"])
        # Triggered by hand, there is no reminder to send.
        assert states["send"] == ("skipped" if run["run_type"] == "manual" and not run["conf"] else "success")
    # In quiet hours and on days off, nothing is planned; otherwise all planned reminders have a run.
    planned = airflow.xcom(dag_id, runs[dag_id], PLANNING[dag_id]) or []
    first = planned[:1] if dag_id.startswith("native") else planned
    delivered = {run["dag_run_id"] for run in airflow.runs(delivering)}
    assert {one["trigger_run_id"] for one in first} <= delivered
    assert airflow.output.count("  mail to ") >= len(delivered - {runs[delivering]})


def test_an_approval_comes_first(airflow: LocalAirflow, runs: dict[str, str]) -> None:
    run_id = runs[APPROVING]
    path = f"dags/{APPROVING}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    detail = airflow.wait_until(lambda: airflow.get(path), "Airflow asks for the approval")
    assert "(none)" in detail["subject"]
    airflow.send("PATCH", path, {"chosen_options": ["Approve"], "params_input": {}})
    assert require_green(airflow, APPROVING, run_id) == {"approve": "success", "send": "skipped"}


def test_workflows_in_yaml_mail(airflow: LocalAirflow, runs: dict[str, str]) -> None:
    require_green(airflow, "late_digest", runs["late_digest"])
    assert airflow.xcom("late_digest", runs["late_digest"], "digest")["sent"] == 1
    run_id = airflow.trigger(ENROLLING)
    require_green(airflow, ENROLLING, run_id)
    assert airflow.xcom(ENROLLING, run_id, "report")["sent"] == 1
    assert airflow.output.count("mail to hr@example.com") >= 2
