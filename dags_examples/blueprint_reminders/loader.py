"""Builds one DAG from each `*.dag.yaml` in this folder. A mistake in another folder does not stop these reminders."""

from __future__ import annotations

from airflow_provider_learning360.dag_yaml.loader import build_airflow_dags

build_airflow_dags(globals())
