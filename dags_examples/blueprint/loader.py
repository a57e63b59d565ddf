"""
Builds a DAG of each `*.dag.yaml` in this folder. A new file is there as soon as Airflow reads this one again.

One file with a mistake stops all of this loader's DAGs, and is shown as an import error: so reminders have a folder, and a
loader, of their own.
"""

from __future__ import annotations

from airflow_provider_learning360.dag_yaml.loader import build_airflow_dags

build_airflow_dags(globals())
