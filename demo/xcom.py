"""What the tasks of a DAG run returned."""

from __future__ import annotations

from typing import Any


def read_xcom(run: Any, task_id: str, key: str = "return_value") -> list[Any]:
    """Return what a task pushed to XCom; one value for each of its mapped instances."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    query = XComModel.get_many(run_id=run.run_id, dag_ids=run.dag_id, task_ids=task_id, key=key)
    with create_session() as session:
        rows = sorted(session.scalars(query), key=lambda row: row.map_index)
        return [XComModel.deserialize_value(row) for row in rows]
