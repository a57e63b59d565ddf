"""
Builds a DAG of each `*.dag.yaml` in this folder. A new file is there as soon as Airflow reads this one again.

A broken file stops its own DAG only. Airflow lists the error under the path of that file; `python loader.py` shows it, too.
"""

from __future__ import annotations

from airflow_provider_learning360.dag_yaml.loader import build_airflow_dags

build_airflow_dags(globals())
