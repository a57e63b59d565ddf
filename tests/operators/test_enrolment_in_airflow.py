"""Enrol whom an earlier task found, in runs of Airflow: by output, and mapped."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.operators.enrolment import EnrolLearnersOperator
from airflow_provider_learning360.operators.progress import GetSessionProgressOperator
from airflow_provider_learning360.operators.session_update import UpdateProgramSessionOperator
from airflow_provider_learning360.simulator import Simulator
from test_examples import results
from versions import ONE_IN_THE_LOOP, connect


def run_dag(dag: DAG) -> Any:
    """Run a DAG without a file, with Airflow's own code."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(dag_folder=os.devnull)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
    return dag.test()


def rendered_fields(run: Any) -> list[Any]:
    """What Airflow's page of rendered fields shows of a run."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = session.query(RenderedTaskInstanceFields)
        if hasattr(RenderedTaskInstanceFields, "dag_id"):
            rows = rows.filter_by(dag_id=run.dag_id, run_id=run.run_id)
        else:  # Airflow 3.4 stores them for each try
            tries = [one.id for one in run.get_task_instances()]
            rows = rows.filter(RenderedTaskInstanceFields.task_instance_id.in_(tries))
        return [row.rendered_fields for row in rows]


pytestmark = [pytest.mark.usefixtures("airflow_db"), pytest.mark.learning360_simulator(sessions=3, learners=4)]


@pytest.mark.parametrize("version", ONE_IN_THE_LOOP)
def test_people_of_one_session_are_enrolled_in_another(
    version: str, learning360_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, learning360_simulator, version)
    source, target, third = learning360_simulator.session_ids
    # With API v1, the progress of a learner names nobody if the login is no mail address.
    people = [{"_id": f"{number:024x}", "mail": f"learner{number}@example.com"} for number in range(1, 5)]
    learning360_simulator.edit(source, users=people)
    for one in (target, third):
        learning360_simulator.edit(
            one, users=[], groups=[], startDate="2020-01-01T00:00:00Z", endDate="2999-01-01T00:00:00Z"
        )
    with DAG(f"enrol_{version}", schedule=None) as dag:
        found = GetSessionProgressOperator(task_id="found", session_id=source, who="all")
        EnrolLearnersOperator(task_id="all", session_id=target, people=found.output)
        EnrolLearnersOperator.partial(task_id="each", session_id=third, max_active_tis_per_dag=1).expand(
            people=found.output
        )
        UpdateProgramSessionOperator(task_id="move", session_id=target, set={"userLimit": "{{ 3 + 4 }}"})
    run = run_dag(dag)
    assert run.state == "success"
    expected = {one["_id"] for one in learning360_simulator.session(source)["users"]}
    for one in (target, third):
        assert {user["_id"] for user in learning360_simulator.session(one)["users"]} == expected
    pushed: list[Any] = [*results(run, "all"), *results(run, "each"), *results(run, "move")]
    assert [set(diff["added"]) for diff in pushed[:1]] == [expected]
    assert pushed[-1]["after"] == {"userLimit": 7}
    assert "@" not in json.dumps(pushed)
    shown = rendered_fields(run)
    assert "4 people (not shown)" in [one.get("people") for one in shown]
    assert "@" not in json.dumps(shown)
