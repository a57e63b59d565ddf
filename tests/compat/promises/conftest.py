"""A database in the fresh Airflow home that the runner made, and a way to run DAGs of its DAG folder."""

from __future__ import annotations

import os
import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def _airflow_home() -> None:
    sys.path.insert(0, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    from airflow.utils.db import initdb

    initdb()
