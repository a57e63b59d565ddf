"""Which reminders have a delivery run already."""

from __future__ import annotations

from typing import Any


def has_run(task_instance: Any, dag_id: str, run_id: str) -> bool:
    """
    Return whether a DAG has a run with an ID.

    :param task_instance: The task instance of the context; from Airflow 3.0 on, it asks the API server.
    :param dag_id: ID of the DAG.
    :param run_id: ID of the run.
    """
    if hasattr(task_instance, "get_dr_count"):
        return bool(task_instance.get_dr_count(dag_id=dag_id, run_ids=[run_id]))
    from airflow.models import DagRun

    return bool(DagRun.find(dag_id=dag_id, run_id=run_id))
