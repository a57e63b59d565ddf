"""
Builds one DAG from each `*.dag.yaml` in this folder. Airflow finds a new YAML file when it reads this loader again.

A mistake in one file stops all DAGs of this loader; Airflow shows it as an import error. So that it does not stop reminders,
they have a folder and a loader of their own.
"""

from __future__ import annotations

from airflow_provider_learning360.dag_yaml.loader import build_airflow_dags

build_airflow_dags(globals())
