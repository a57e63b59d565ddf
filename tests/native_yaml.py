"""Build DAGs of Airflow's own YAML on an Airflow that cannot read it yet."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import yaml

from airflow.providers.common.compat.sdk import BaseOperator

NATIVE = sorted((Path(__file__).resolve().parent.parent / "dags_examples" / "native_yaml").glob("*.yaml"))


def read_documents() -> list[tuple[str, dict[str, Any]]]:
    return [(path.name, document) for path in NATIVE for document in yaml.safe_load_all(path.read_text("utf-8"))]


def read_tasks(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tasks of a DAG, merged with the templates that they extend."""
    found = []
    for task in document["tasks"]:
        template = document.get("templates", {}).get(task.get("extends"), {})
        found.append({**template, **task, "with": {**template.get("with", {}), **task.get("with", {})}})
    return found


def find_operator(task: dict[str, Any]) -> type[BaseOperator]:
    module, _, name = task["uses"].rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    assert issubclass(kind, BaseOperator)
    return kind  # type: ignore[no-any-return]


def resolve_value(value: Any, dag: Any) -> Any:
    """Return a value as an operator gets it: templates as texts, references to a task as its output."""
    if isinstance(value, dict):
        if "$x" in value:
            return dag.get_task(value["$x"]).output
        return value["$t"] if "$t" in value else {name: resolve_value(one, dag) for name, one in value.items()}
    return [resolve_value(one, dag) for one in value] if isinstance(value, list) else value


def build_dag(document: dict[str, Any]) -> Any:
    """Build the DAG of a document; retries are left out."""
    from airflow.sdk import DAG

    with DAG(document["dag_id"], schedule=document["schedule"], params=document.get("params")) as dag:
        for task in read_tasks(document):
            operator = find_operator(task)(task_id=task["id"], **resolve_value(task["with"], dag))
            operator.set_upstream([dag.get_task(one) for one in task.get("needs", ())])
    return dag
