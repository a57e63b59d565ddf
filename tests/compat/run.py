"""
Test the built wheel with old and new versions of Airflow, each with its oldest and its newest Python.

`python tests/compat/run.py [--all] [--record] [AIRFLOW[/PYTHON] ...]`; a name is like `3.0.6` or `3.0.6/3.12`. Without
names, it tests those that every change must pass; `--all` tests all of them. `--record` writes the result into
`docs/compatibility.json`, and the table of `docs/compatibility.md`.

An environment in `.compat/` is used again while the wheel stays the same.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from environments import HOME, LOWEST, Environment, list_environments, read_versions
from pythons import find_python
from results import Result, print_table, record
from steps import REPOSITORY, UV, Failed, airflow_variables, step

PROMISES = Path(__file__).resolve().parent / "promises"
TESTS = PROMISES.parent.parent
EXAMPLES = REPOSITORY / "dags_examples"

# What every change must pass: the oldest Airflow with its oldest Python, the newest with the newest that is here.
WITH_OLDEST_PYTHON = (LOWEST, "2.11.2")
WITH_NEWEST_PYTHON = ("3.3.2", "3.4.0b2")
SIDE_BY_SIDE = 2  # environments
# Servers and connections that other tests use, too.
SHARED = ("operation_server.py", "ports.py", "real_airflow.py", "smtp_server.py", "versions.py")
# Examples that need other tools, or the same tool again.
NOT_TRIED = ("blueprint*", "dag_factory")
# From Airflow 3.4 on, it reads YAML itself if an administrator wants it.
IMPORTERS = {
    "AIRFLOW__DAG_PROCESSOR__DAG_IMPORTER_CONFIGS": json.dumps(
        [{"classpath": "airflow.sdk.importers.yaml_importer.YamlDagImporter"}]
    )
}
PACKAGES = (
    "apache-airflow",
    "apache-airflow-providers-common-compat",
    "apache-airflow-providers-http",
    "apache-airflow-providers-smtp",
    "airflow-blueprint",
)

# The tests must pass without the settings of this repository.
PYTEST_INI = """
[pytest]
addopts = --import-mode=importlib
filterwarnings = error:::airflow_provider_learning360
markers = promise(name): which promise of docs/compatibility.md a test holds
pythonpath = .
"""


def build() -> Path:
    """Build the wheel in an empty folder."""
    folder = HOME / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    step("wheel: built from src/", [UV, "build", "--quiet", "--wheel", "--out-dir", folder], cwd=REPOSITORY)
    (wheel,) = folder.glob("*.whl")
    return wheel


def prepare_home(home: Path) -> None:
    """Copy the promises, and the DAGs that they run, to where only the installed wheel can be imported."""
    (home / "pytest.ini").write_text(PYTEST_INI)
    shutil.copytree(PROMISES, home / "promises", ignore=shutil.ignore_patterns("__pycache__", "dags"))
    shutil.copytree(PROMISES / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    ignored = shutil.ignore_patterns("__pycache__", *NOT_TRIED)
    shutil.copytree(EXAMPLES, home / "dags", dirs_exist_ok=True, ignore=ignored)
    for name in SHARED:
        shutil.copy2(TESTS / name, home)


def run_promises(environment: Environment, python: Path, kept: Path) -> Result | None:
    """Run the promises of an environment; return which were kept, or None if the tests could not start."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="learning360-compat-") as folder:
        home = Path(folder).resolve()
        prepare_home(home)
        outcomes = home / "outcomes.json"
        pytest = (python, "-m", "pytest", "--quiet", "--disable-warnings", "-p", "no:cacheprovider", "--durations=15")
        variables = {**airflow_variables(home), **IMPORTERS, "PROMISE_OUTCOMES": str(outcomes)}
        try:
            command = [*pytest, "--rootdir", home, "-c", "pytest.ini", "promises"]
            step(environment.label, command, cwd=home, env=variables, kept=kept)
        except Failed:
            if not outcomes.exists():
                return None
        return {
            "environment": environment.name,
            "run": datetime.now(tz=UTC).date().isoformat(),
            "seconds": round(time.monotonic() - started),
            "versions": read_versions(python, PACKAGES),
            "promises": json.loads(outcomes.read_text()),
        }


def try_environment(environment: Environment, wheel: Path, recorded: bool) -> Result | None:
    """Install an environment and run its promises; return None if that could not be done."""
    try:
        python = environment.install(wheel)
    except Failed:
        return None
    result = run_promises(environment, python, HOME / f"{environment.name.replace('/', '-')}.txt")
    if result and recorded:
        # At once: the whole run takes long, and may be interrupted.
        record(result)
    return result


def choose(names: Sequence[str], everything: bool) -> list[Environment]:
    """Return the environments that were asked for and can be made; print those whose Python is not here."""
    known = list_environments()
    here = [one for one in known if find_python(one.python)]
    for one in known:
        if one not in here:
            print(f"{one.label:<52} NOT RUN: this machine has no Python {one.python}", flush=True)
    if everything:
        return here
    if names:
        return [one for one in here if one.name in names or one.airflow.version in names]
    oldest = [one for one in here if one.airflow.version in WITH_OLDEST_PYTHON and one.python == one.airflow.pythons[0]]
    newest = {one.airflow: one for one in here if one.airflow.version in WITH_NEWEST_PYTHON}
    return [*oldest, *newest.values()]


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the arguments; an unknown environment ends the program."""
    parser = argparse.ArgumentParser(description="Test the built wheel with old and new versions of Airflow.")
    parser.add_argument("environments", nargs="*", metavar="AIRFLOW[/PYTHON]")
    parser.add_argument("--all", action="store_true", help="test every environment")
    parser.add_argument("--record", action="store_true", help="write docs/compatibility.json and its table")
    chosen = parser.parse_args(arguments)
    known = {one for each in list_environments() for one in (each.name, each.airflow.version)}
    if unknown := sorted(set(chosen.environments) - known):
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return chosen


def main(arguments: Sequence[str]) -> int:
    """Test the wheel in each environment; return 1 if a promise failed, or could not be tested."""
    chosen = parse_arguments(arguments)
    started = time.monotonic()
    environments = choose(chosen.environments, chosen.all)
    try:
        wheel = build()
    except Failed as error:
        print(f"FAILED: {error}")
        return 1
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        tried = list(pool.map(lambda one: try_environment(one, wheel, chosen.record), environments))
    print_table([one for one in tried if one])
    broken = [one.label for one, result in zip(environments, tried, strict=True) if not is_kept(result)]
    print(f"{'FAILED: ' + '; '.join(broken) if broken else 'Done'} in {time.monotonic() - started:.0f} s")
    return 1 if broken else 0


def is_kept(result: Result | None) -> bool:
    """Return whether all promises of an environment were kept or refused as promised."""
    return result is not None and all(one["outcome"] != "failed" for one in result["promises"].values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
