"""The examples in Airflow's own YAML, read by Airflow's importer and run. Airflow has one from 3.4 on."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

importers = pytest.importorskip("airflow.sdk.importers.yaml_importer", reason="Airflow 3.4 has the first importer")

EXAMPLES = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / "native_yaml"
STEMS = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
MOVED = {"startDate": "2031-05-05T08:00:00.000Z"}

pytestmark = pytest.mark.promise("native YAML")


def import_example(stem: str) -> dict[str, Any]:
    """Return the DAGs of an example, as Airflow's importer builds them."""
    from airflow.sdk.importers.base import FilesystemDagDefinition

    definition = FilesystemDagDefinition(path=EXAMPLES / f"{stem}.yaml")
    importer = importers.YamlDagImporter()
    assert importer.might_contain_dag(definition, safe_mode=True)
    result = importer.import_definition(definition, SimpleNamespace(name="examples", path=EXAMPLES))
    assert result.errors == []
    return {dag.dag_id: dag for dag in result.dags}


def pulled(run: Any, task_id: str) -> Any:
    return run.get_task_instance(task_id).xcom_pull(task_ids=task_id)


@pytest.mark.parametrize("stem", STEMS)
def test_example_is_imported(stem: str) -> None:
    assert import_example(stem)


def test_session_is_fetched(learning360_simulator: Any) -> None:
    dag = import_example("fetch_session")["native_fetch_session"]
    session_id = learning360_simulator.session_ids[0]
    sent = learning360_simulator.session(session_id)

    run = dag.test(run_conf={"session_id": session_id})

    assert run.state == "success"
    assert pulled(run, "get_session")["_id"] == session_id
    assert pulled(run, "show_dates").startswith(f"{sent['name'].strip()}: {sent['startDate']}")


def test_change_is_waited_for(learning360_simulator: Any) -> None:
    session_id = learning360_simulator.session_ids[0]
    when = {"path": session_id, "after_requests": 3}
    learning360_simulator.play({"when": when, "do": {"edit": {"session": session_id, "fields": MOVED}}})
    dag = import_example("react_to_changes")["native_react_to_changes"]
    dag.get_task("wait_for_change").poke_interval = 0.1

    run = dag.test(run_conf={"session_id": session_id})

    assert run.state == "success"
    assert f"now starts {MOVED['startDate']}" in pulled(run, "tell")
