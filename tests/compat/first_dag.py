"""Run the README's first DAG against the simulator; `dist.py` copies this to where only the package is installed."""

from __future__ import annotations

import json
import os
import sys

ID = "60b8d2956e20ae1a0f8e44f1"
MOVED = {"startDate": "2027-03-01T09:00:00.000Z"}
POLLS = 3  # one for the document, one on the worker, one in the triggerer


def main() -> int:
    """Return 1 if the DAG run did not succeed, or found no change."""
    from airflow_provider_learning360.simulator import Simulator

    with Simulator(sessions=1) as simulator:
        simulator.put(ID, {**simulator.session(simulator.session_ids[0]), "_id": ID})
        edit = {"edit": {"session": ID, "fields": MOVED}}
        simulator.play({"when": {"path": f"/{ID}/", "after_requests": POLLS}, "do": edit})
        connection = {
            "conn_type": "learning360",
            "host": simulator.url,
            "login": simulator.company_id,
            "password": simulator.api_key,
        }
        os.environ["AIRFLOW_CONN_LEARNING360_DEFAULT"] = json.dumps(connection)
        changes = found_changes()
    print(f"changes: {changes}")
    return 0 if changes["startDate"]["to"] == MOVED["startDate"] else 1


def found_changes() -> dict[str, dict[str, str]]:
    """Run the DAG, and return what its sensor found."""
    sys.path.insert(0, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    from airflow.utils.db import initdb

    initdb()
    from readme_dag import dag

    sensor = dag.get_task("wait_for_new_dates")
    sensor.poke_interval = 0.1  # a minute is too long here
    run = dag.test()
    if run.state != "success":
        raise SystemExit(f"the DAG run ended in {run.state}")
    found: dict[str, dict[str, str]] = run.get_task_instance(sensor.task_id).xcom_pull(
        task_ids=sensor.task_id, key="changes"
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
