"""Run a command as one step: one line of result, and its output only if it failed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
UV = Path(sys.executable).parent / "uv"
PATIENCE = 1800  # seconds for one step, far longer than needed


class Failed(Exception):
    """A step failed; its output was printed."""


def step(
    label: str, command: Sequence[object], *, quiet: bool = False, kept: Path | None = None, **options: object
) -> None:
    """
    Run a command and print its result in one line; print its output only if it failed.

    :param label: What the line says.
    :param command: The command.
    :param quiet: Print nothing if it succeeded; default false.
    :param kept: A file that gets the output in any case; default none.
    :param options: Further arguments of `subprocess.run`.
    :raises Failed: The command failed, or took too long.
    """
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
        print(f"{label:<52} FAILED: not done after {PATIENCE} s\n{output}", flush=True)
        raise Failed(label) from None
    if kept:
        kept.write_text(done.stdout)
    # Not the last line of all: what a process logs when it ends comes after it.
    counts = re.findall(r"(?m)^[= ]*(\d+ (?:passed|failed|skipped|error).*? in [\d.]+s.*?)[= ]*$", done.stdout)
    summary = counts[-1] if "pytest" in command and counts else ""
    result = f"{'FAILED' if done.returncode else 'ok':<7}{time.monotonic() - started:5.1f} s"
    # In one print: other environments print at the same time.
    output = f"\n{done.stdout}" if done.returncode else ""
    if done.returncode or not quiet:
        print(f"{label:<52} {result}  {summary}{output}", flush=True)
    if done.returncode:
        raise Failed(label)


def airflow_variables(home: Path) -> dict[str, str]:
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
