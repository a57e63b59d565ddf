"""
Builds one DAG from each `*.dag.yaml` in this folder. Airflow finds a new YAML file when it reads this loader again.

A broken file stops its own DAG only. Airflow lists the error under the path of that file; `python loader.py` shows it, too.
"""

from __future__ import annotations

from airflow_provider_learning360.dag_yaml.loader import build_airflow_dags

build_airflow_dags(globals())
