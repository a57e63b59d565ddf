"""
Loads react_to_changes.yaml. One loader for each file, and the file by its path: a mistake in it is shown as an import error, where
dag-factory would only log it if it looked through the folder itself.
"""

from __future__ import annotations

from pathlib import Path

from dagfactory import load_yaml_dags

from airflow.sdk import DAG  # noqa: F401 - Airflow reads files only that speak of it and of a DAG

load_yaml_dags(globals(), config_filepath=str(Path(__file__).resolve().with_suffix(".yaml")))
