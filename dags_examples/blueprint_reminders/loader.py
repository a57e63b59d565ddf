"""Builds a DAG of each `*.dag.yaml` in this folder: a mistake in another YAML file does not stop these reminders."""

from __future__ import annotations

from blueprint import build_all_airflow_dags

build_all_airflow_dags()
