"""The environments that the built wheel is tested in: an Airflow, a Python, and the packages of that time."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pythons import find_python
from steps import REPOSITORY, UV, step

HOME = REPOSITORY / ".compat"
PROVIDERS = ("apache-airflow-providers-http", "apache-airflow-providers-common-compat")
EXTRAS = "blueprint,reminders"
TEST_TOOLS = ("aiosmtpd", "jsonschema", "pytest")
# Long enough for packages released with that Airflow, short enough to exclude later ones that break it.
GRACE = timedelta(days=10)
LOWEST = "lowest"


@dataclass(frozen=True)
class Airflow:
    """
    A version of Airflow that is tested.

    :param version: Its version, or `lowest`: the lowest version of each package that `pyproject.toml` allows.
    :param released: The day on which it was released.
    :param pythons: Its oldest and its newest Python, of those that this package allows.
    """

    version: str
    released: date
    pythons: tuple[str, ...]


AIRFLOWS = (
    Airflow(LOWEST, date(2025, 5, 20), ("3.11",)),
    Airflow("2.11.2", date(2026, 3, 14), ("3.11", "3.12")),
    Airflow("3.0.6", date(2025, 8, 29), ("3.11", "3.12")),
    Airflow("3.1.8", date(2026, 3, 11), ("3.11", "3.13")),
    Airflow("3.2.2", date(2026, 5, 29), ("3.11", "3.13")),
    Airflow("3.3.2", date(2026, 9, 17), ("3.11", "3.13")),
    Airflow("3.4.0b2", date(2026, 10, 20), ("3.11", "3.13")),
)


@dataclass(frozen=True)
class Environment:
    """
    One environment.

    :param airflow: Its Airflow.
    :param python: The minor version of its Python.
    """

    airflow: Airflow
    python: str

    @property
    def name(self) -> str:
        return f"{self.airflow.version}/{self.python}"

    @property
    def label(self) -> str:
        return f"Airflow {self.airflow.version}, Python {self.python}"

    def install(self, wheel: Path) -> Path:
        """Return the Python of the environment with this wheel; the rest is used again while nothing has changed."""
        home = HOME / f"{self.airflow.version}-{self.python}"
        python = home / "bin" / "python"
        pip = [UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
        dependencies = hashlib.sha256((REPOSITORY / "pyproject.toml").read_bytes()).hexdigest()
        recipe = f"{find_python(self.python)} {self._packages(wheel)} {dependencies}"
        made = home / "recipe"
        if made.exists() and made.read_text() == recipe and python.exists():
            step(f"{self.label}: wheel", [*pip, "--no-deps", "--reinstall", wheel], quiet=True)
            return python
        step(f"{self.label}: Python", [UV, "venv", "--clear", "--python", find_python(self.python), home], quiet=True)
        self._install_airflow(pip)
        step(f"{self.label}: wheel and what it needs", [*pip, *self._packages(wheel)], quiet=True)
        made.write_text(recipe)
        return python

    def _packages(self, wheel: Path) -> list[str]:
        pinned = [] if self.airflow.version == LOWEST else [f"apache-airflow=={self.airflow.version}", *PROVIDERS]
        return [f"{wheel}[{EXTRAS}]", *TEST_TOOLS, *pinned]

    def _install_airflow(self, pip: Sequence[object]) -> None:
        if self.airflow.version == LOWEST:
            extras = [option for one in EXTRAS.split(",") for option in ("--extra", one)]
            lowest = ["--resolution", "lowest-direct", "--requirements", "pyproject.toml", *extras]
            step(f"{self.label}: as pyproject.toml allows", [*pip, *lowest], quiet=True, cwd=REPOSITORY)
            return
        # First with the packages of its release date: it does not run with all later versions.
        until = (self.airflow.released + GRACE).isoformat()
        airflow = f"apache-airflow=={self.airflow.version}"
        step(f"{self.label}: as of {until}", [*pip, "--exclude-newer", until, airflow], quiet=True)


def list_environments() -> list[Environment]:
    """Return all environments, also those whose Python this machine lacks."""
    return [Environment(airflow, python) for airflow in AIRFLOWS for python in airflow.pythons]


def read_versions(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of packages that an environment has; and that of its Python, as `python`."""
    code = (
        "import json, platform, sys; from importlib.metadata import version;"
        "print(json.dumps({'python': platform.python_version(), **{one: version(one) for one in sys.argv[1:]}}))"
    )
    done = subprocess.run([python, "-c", code, *packages], capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, str] = json.loads(done.stdout)
    return found
