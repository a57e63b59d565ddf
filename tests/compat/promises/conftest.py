"""Create the database of the empty Airflow home, and make its DAG folder importable."""

from __future__ import annotations

import os
import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def _airflow_home() -> None:
    sys.path.insert(0, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    from airflow.utils.db import initdb

    initdb()
