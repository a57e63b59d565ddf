"""A temporary Airflow home for each process that runs tests; a database only for tests that need one."""

from __future__ import annotations

import atexit
import fcntl
import gc
import os
import re
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# The version of 360Learning's API that connections speak, where a test does not say it.
API_VERSION = os.environ.get("API_VERSION", "v1")
pytest_plugins = ["contract.plugin"]

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = REPOSITORY / "dags_examples"

# One process runs all tests of such a file or folder, because they share an Airflow, or measure one after the other.
TOGETHER = re.compile(
    r"tests/(browser/\w+|e2e/test_(examples_with_defaults|local_airflow)|hostile/test_(memory|real_airflow))\.py"
    r"|tests/(e2e|ui)/"
)

# Set before Airflow is imported, because Airflow reads its configuration once.
HOME = tempfile.mkdtemp(prefix="learning360-tests-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=HOME,
    AIRFLOW__CORE__DAGS_FOLDER=str(EXAMPLES),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    # Tests store other DAGs under the same ID, and Airflow 3.4 reads the tasks of a run from its database.
    AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL="0",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{HOME}/airflow.db",
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=f"{HOME}/logs",
    AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY="False",
)
for name in [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]:
    del os.environ[name]

# The same examples in every run, so that no build fails by chance; `make fuzz` tries new ones.
settings.register_profile("fixed", derandomize=True)
settings.register_profile("random", derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


# Tests make little garbage, and each full collection visits all that the test processes hold.
gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True)
def _no_masks_of_earlier_tests() -> None:
    """Forget the secrets of earlier tests, as a new task would: Airflow compiles all again with each new one."""
    if log := sys.modules.get("airflow.sdk.log"):
        log._secrets_masker().reset_masker()


@pytest.fixture(scope="session")
def airflow_db(request: pytest.FixtureRequest) -> None:
    """Create Airflow's own database, on SQLite; the first of several processes makes it, and the others copy it."""
    own = Path(HOME) / "airflow.db"
    shared = Path(getattr(request.config, "workerinput", {}).get("shared", HOME))
    with (shared / "made.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (made := shared / "made.db").exists():
            copy_database(made, own)
        else:
            from airflow.utils.db import initdb

            initdb()
            copy_database(own, made)


def copy_database(source: Path, target: Path) -> None:
    """Copy a database of SQLite, with what only its write-ahead log holds yet."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the property tests, for `make fuzz`; let `make test-v2` run tests through API v2."""
    for item in items:
        if API_VERSION != "v1" and "learning360_simulator" in getattr(item, "fixturenames", ()):
            # Before the markers of the test itself, which may say more.
            item.add_marker(pytest.mark.learning360_simulator(api_version=API_VERSION), append=False)
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("property")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell the processes that run tests the folder that they share."""
    node.workerinput["shared"] = HOME


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each test to the next free process, and the tests of `TOGETHER` to the same process."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return shared[0] if (shared := TOGETHER.match(nodeid)) else nodeid

    return Scheduling(config, log)
