"""
Test the built wheel with the oldest and the newest Airflow, and one in between, each in its own environment.

`lowest` is an environment with the lowest version of each package that `pyproject.toml` allows, Airflow included.

`python tests/compat/run.py [VERSION ...]`; an environment in `.compat/` is used again while the wheel stays the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
HOME = REPOSITORY / ".compat"
PROMISES = Path(__file__).resolve().parent / "promises"
EXAMPLES = REPOSITORY / "dags_examples"
UV = Path(sys.executable).parent / "uv"

RELEASED = {"2.11.2": date(2026, 3, 14), "3.1.8": date(2026, 3, 11), "3.3.2": date(2026, 9, 17)}
LOWEST = "lowest"
SLOWEST = "3.1.8"
SIDE_BY_SIDE = 2  # environments
# Servers and connections that other tests use, too.
SHARED = ("operation_server.py", "ports.py", "real_airflow.py", "smtp_server.py", "versions.py")
# Examples that need other tools, or the same tool again.
NOT_TRIED = ("blueprint*", "dag_factory", "native_yaml")
PROVIDERS = ("apache-airflow-providers-http", "apache-airflow-providers-common-compat")
EXTRAS = "blueprint,reminders"
TEST_TOOLS = ("aiosmtpd", "pytest")
# Long enough for packages released with that Airflow, short enough to exclude later ones that break it.
GRACE = timedelta(days=10)
PATIENCE = 1800  # seconds for one step, far longer than needed: Airflow 3.1 waits seconds for each request of a task

# The tests must pass without the settings of this repository.
PYTEST_INI = """
[pytest]
addopts = --import-mode=importlib
filterwarnings = error:::airflow_provider_learning360
pythonpath = .
"""


class Failed(Exception):
    """A step failed; its output was printed."""


def step(label: str, command: Sequence[object], **options: object) -> None:
    """Run a command and print its result in one line; print its output only if it failed."""
    started = time.monotonic()
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE,
            **options,  # type: ignore[call-overload]
        )
    except subprocess.TimeoutExpired as error:
        output = (error.output or b"").decode(errors="replace")
        print(f"{label:<44} FAILED: not done after {PATIENCE} s\n{output}", flush=True)
        raise Failed(label) from None
    summary = done.stdout.strip().splitlines()[-1:] if "pytest" in command else []
    result = f"{'FAILED' if done.returncode else 'ok':<7}{time.monotonic() - started:5.1f} s"
    # In one piece: other environments print at the same time.
    output = f"\n{done.stdout}" if done.returncode else ""
    print(f"{label:<44} {result}  {''.join(summary).strip('= ')}{output}", flush=True)
    if done.returncode:
        raise Failed(label)


def build() -> Path:
    """Build the wheel in an empty folder."""
    folder = HOME / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    step("wheel: built from src/", [UV, "build", "--quiet", "--wheel", "--out-dir", folder], cwd=REPOSITORY)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(version: str, wheel: Path) -> Path:
    """Return the Python of an environment with this Airflow and this wheel."""
    home = HOME / version
    python = home / "bin" / "python"
    airflow = f"apache-airflow=={version}"
    packages = [f"{wheel}[{EXTRAS}]", *TEST_TOOLS, *([] if version == LOWEST else [airflow, *PROVIDERS])]
    # A change of any of these needs a new environment.
    recipe = f"{sys.version} {packages} {hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    made = home / "recipe"
    if made.exists() and made.read_text() == recipe and python.exists():
        print(f"{f'Airflow {version}: environment':<44} ok      kept, nothing has changed", flush=True)
        return python
    pip = [UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
    step(f"Airflow {version}: environment", [UV, "venv", "--quiet", "--clear", "--python", sys.executable, home])
    if version == LOWEST:
        install_lowest(pip)
    else:
        # First with the packages of its release date: it does not run with all later versions.
        until = (RELEASED[version] + GRACE).isoformat()
        step(f"Airflow {version}: as of {until}", [*pip, "--exclude-newer", until, airflow])
    step(f"Airflow {version}: wheel and what it needs", [*pip, *packages])
    made.write_text(recipe)
    return python


def install_lowest(pip: Sequence[object]) -> None:
    """Install the lowest version that `pyproject.toml` allows of each package that it names."""
    extras = [option for one in EXTRAS.split(",") for option in ("--extra", one)]
    lowest = ["--resolution", "lowest-direct", "--requirements", "pyproject.toml", *extras]
    step(f"Airflow {LOWEST}: as pyproject.toml allows", [*pip, *lowest], cwd=REPOSITORY)


def environment(home: Path) -> dict[str, str]:
    """Return the variables for an Airflow in an empty home, without those of this process."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "PYTHON", "PYTEST", "COVERAGE", "COV_", "LEARNING360", "VIRTUAL_ENV"))
    }
    return {
        **kept,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }


def run_promises(version: str, python: Path) -> None:
    """Run the promises outside the repository, where only the installed wheel can be imported."""
    with tempfile.TemporaryDirectory(prefix="learning360-compat-") as folder:
        home = Path(folder).resolve()
        (home / "pytest.ini").write_text(PYTEST_INI)
        shutil.copytree(PROMISES, home / "promises", ignore=shutil.ignore_patterns("__pycache__", "dags"))
        shutil.copytree(PROMISES / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
        ignored = shutil.ignore_patterns("__pycache__", *NOT_TRIED)
        shutil.copytree(EXAMPLES, home / "dags", dirs_exist_ok=True, ignore=ignored)
        for name in SHARED:
            shutil.copy2(PROMISES.parent.parent / name, home)
        step(
            f"Airflow {version}: promises",
            [
                *(python, "-m", "pytest", "--quiet", "--disable-warnings", "-p", "no:cacheprovider"),
                *("--rootdir", home, "-c", "pytest.ini", "promises"),
            ],
            cwd=home,
            env=environment(home),
        )


def main(versions: Sequence[str]) -> int:
    """Test the wheel with each version; return 1 if a test failed."""
    started = time.monotonic()
    known = [LOWEST, *RELEASED]
    unknown = [version for version in versions if version not in known]
    if unknown:
        print(f"No release date known for {', '.join(unknown)}; known: {', '.join(known)}.", file=sys.stderr)
        return 1
    try:
        wheel = build()
    except Failed as error:
        print(f"FAILED: {error}")
        return 1

    def try_version(version: str) -> str | None:
        try:
            run_promises(version, install(version, wheel))
        except Failed as error:
            return str(error)
        return None

    # Side by side, and first the one that waits most.
    order = sorted(versions or known, key=lambda version: version != SLOWEST)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        failed = [one for one in pool.map(try_version, order) if one]
    print(f"{'FAILED: ' + '; '.join(failed) if failed else 'Done'} in {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
