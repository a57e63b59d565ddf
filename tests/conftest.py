"""One temporary Airflow home for all tests; a database only for those that ask for it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = REPOSITORY / "dags_examples"

# Before anything imports Airflow: it reads its configuration once.
HOME = tempfile.mkdtemp(prefix="learning360-tests-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=HOME,
    AIRFLOW__CORE__DAGS_FOLDER=str(EXAMPLES),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{HOME}/airflow.db",
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=f"{HOME}/logs",
    AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY="False",
)
for name in [one for one in os.environ if one.startswith("AIRFLOW_CONN_")]:
    del os.environ[name]

# The same examples in every run, so that no build fails by chance; `make fuzz` looks for new ones.
settings.register_profile("fixed", derandomize=True)
settings.register_profile("random", derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Airflow's own database, on SQLite."""
    from airflow.utils.db import initdb

    initdb()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the property tests, for `make fuzz`."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("property")
