"""
Loads reminders.yaml. Each YAML file has a loader of its own, so that Airflow shows a mistake in the file as an import error.
(If dag-factory reads a whole folder, it only logs the mistake.)
"""

from __future__ import annotations

from pathlib import Path

from dagfactory import load_yaml_dags

from airflow.sdk import DAG  # noqa: F401 - Airflow skips files in which neither "airflow" nor "DAG" occurs

load_yaml_dags(globals(), config_filepath=str(Path(__file__).resolve().with_suffix(".yaml")))
