"""A broken YAML file stops its own DAG only, and is its own import error: in a real DAG processor and in a `DagBag`."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

LOADER = """
from airflow_provider_learning360.dag_yaml.loader import build_airflow_dags

build_airflow_dags(globals())
"""
GOOD = "dag_id: {}\nsteps:\n  list:\n    blueprint: learning360_list_sessions\n"
FILES = {
    "one.dag.yaml": GOOD.format("one"),
    "two.dag.yaml": GOOD.format("two"),
    "lax.dag.yaml": GOOD.format("lax") + "    contract: lax\n",
    # Airflow has this DAG, with its first step, when the second one fails.
    "late.dag.yaml": GOOD.format("late") + "  wait: {blueprint: learning360_wait_for_change, since_step: nothing}\n",
    "sub/cut.dag.yaml": GOOD.format("cut") + "   contract: warn\n",
}
WORDS = {
    "lax.dag.yaml": ["DagFileError: lax.dag.yaml, line 5", "Step 'list'", "'lax' is not one of ignore, warn, strict"],
    "late.dag.yaml": ["DagFileError: late.dag.yaml, line 5", "Step 'wait'", "'nothing'"],
    "sub/cut.dag.yaml": [f"DagFileError: {Path('sub', 'cut.dag.yaml')}: ", "Line 5, Column 4"],
}


@pytest.fixture
def dags(tmp_path: Path) -> Path:
    """A DAGs folder: two are good, three are broken."""
    folder = tmp_path / "dags"
    (folder / "sub").mkdir(parents=True)
    for name, text in {"loader.py": LOADER, **FILES}.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.slow
def test_dag_processor_keeps_good_dags_and_lists_each_broken_file(dags: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    database = f"sqlite:///{home}/airflow.db"
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
    }
    for command in (["db", "migrate"], ["dag-processor", "--num-runs", "1"]):
        subprocess.run(
            [sys.executable, "-m", "airflow", *command], env=environment, capture_output=True, check=True, timeout=120
        )
    with sqlite3.connect(home / "airflow.db") as connection:
        errors = dict(connection.execute("SELECT filename, stacktrace FROM import_error"))
        active = {name for (name,) in connection.execute("SELECT dag_id FROM dag WHERE NOT is_stale")}
    assert active == {"one", "two"}
    assert set(errors) == set(WORDS)
    assert [word for name, words in WORDS.items() for word in words if word not in errors[name]] == []


def test_dag_bag_keeps_good_dags_and_reports_an_error(dags: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(dags))
    assert set(bag.dags) == {"one", "two"}
    assert "DagFileError: " in "".join(bag.import_errors.values())


@pytest.mark.slow
def test_loader_as_a_script_fails_with_every_error(dags: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(dags / "loader.py")], env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    last = done.stderr[done.stderr.index("DagFileError") :]
    assert [name for name in WORDS if name not in last] == []
