"""Builds a DAG of each `*.dag.yaml` in this folder: a mistake in another YAML file does not stop these reminders."""

from __future__ import annotations

from airflow_provider_learning360.dag_yaml.loader import build_airflow_dags

build_airflow_dags(globals())
