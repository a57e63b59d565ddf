"""
Make the Python environment of the cluster: Airflow with Celery, Redis and PostgreSQL, and the wheel of this repository.

`python tests/cluster/environment.py`; an environment in `.cluster/` is used again while its recipe stays the same.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
HOME = REPOSITORY / ".cluster"
CONSTRAINTS = REPOSITORY / "constraints" / "airflow-3.3.2.txt"
UV = Path(sys.executable).parent / "uv"
# The constraints lack the packages that only a cluster needs.
PACKAGES = (
    "apache-airflow-providers-celery==3.26.0",
    "asyncpg==0.32.0",
    "psycopg2-binary==2.9.13",
    "redis==8.1.0",
    "aiosmtpd",
)


def build() -> Path:
    """Build the wheel in an empty folder."""
    folder = HOME / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    run_uv("build", "--wheel", "--out-dir", folder, REPOSITORY)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path) -> None:
    """Make the environment, unless the same one is there."""
    home, made = HOME / "env", HOME / "env" / "recipe"
    content = hashlib.sha256(wheel.read_bytes() + CONSTRAINTS.read_bytes()).hexdigest()
    recipe = f"{sys.version} {PACKAGES} {content}"
    if made.exists() and made.read_text() == recipe:
        return
    run_uv("venv", "--clear", "--python", sys.executable, home)
    options = ("--compile-bytecode", "--python", home / "bin" / "python", "--constraint", CONSTRAINTS)
    run_uv("pip", "install", "--quiet", *options, f"{wheel}[reminders]", *PACKAGES)
    made.write_text(recipe)


def run_uv(command: str, *arguments: object) -> None:
    """Run a command of uv to its end."""
    subprocess.run([str(UV), command, "--quiet", *map(str, arguments)], check=True)


if __name__ == "__main__":
    install(build())
