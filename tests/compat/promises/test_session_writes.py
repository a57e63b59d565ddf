"""Sessions are changed: who is enrolled, and their fields, on both versions of the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from versions import VERSIONS

ALWAYS = {"startDate": "2020-01-01T00:00:00.000Z", "endDate": "2999-01-01T00:00:00.000Z"}


@pytest.mark.parametrize(
    "version",
    [pytest.param(one, marks=pytest.mark.learning360_simulator(api_version=one, sessions=2)) for one in VERSIONS],
)
def test_people_are_enrolled_and_fields_are_changed(version: str, learning360_simulator: Any) -> None:
    from write_sessions import dag

    first, target = learning360_simulator.session_ids
    people = [one for one in learning360_simulator.session(first)["users"] if one.get("mail")][:3]
    learning360_simulator.edit(target, users=[], groups=[], **ALWAYS)

    run = dag.test(run_conf={"session_id": target, "people": [one["mail"] for one in people]})

    assert run.state == "success"
    diffs = {one.task_id: one.xcom_pull(task_ids=one.task_id) for one in run.get_task_instances()}
    ids = {one["_id"] for one in people}
    assert (set(diffs["show"]["added"]), diffs["show"]["dryRun"]) == (ids, True)
    assert (set(diffs["enrol"]["added"]), diffs["enrol"]["dryRun"]) == (ids, False)
    assert (diffs["enrol_again"]["added"], diffs["enrol_again"]["unchanged"]) == ([], 3)
    assert set(diffs["unenrol"]["removed"]) == ids
    assert diffs["update"]["after"] == {"userLimit": 7}
    assert learning360_simulator.session(target)["userLimit"] == 7
    assert "@" not in json.dumps(diffs)
    assert "@" not in json.dumps(rendered_fields(run))


def rendered_fields(run: Any) -> list[Any]:
    """Return what Airflow's page of rendered fields shows of a run."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = session.query(RenderedTaskInstanceFields)
        if hasattr(RenderedTaskInstanceFields, "dag_id"):
            rows = rows.filter_by(dag_id=run.dag_id, run_id=run.run_id)
        else:  # Airflow 3.4 stores them for each try
            tries = [one.id for one in run.get_task_instances()]
            rows = rows.filter(RenderedTaskInstanceFields.task_instance_id.in_(tries))
        found = [row.rendered_fields for row in rows]
    assert len(found) == 5
    return found
