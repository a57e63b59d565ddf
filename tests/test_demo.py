"""The demo on API v2; tests/docs runs the one on API v1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def run_demo(version: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "API_VERSION": version}
    command = [sys.executable, "demo/demo.py"]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_demo_runs_on_api_v2() -> None:
    done = run_demo("v2")
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("GET /api/v2/paths/sessions -> 200", "somebody moves the session", "wait_for_change  startDate"):
        assert words in done.stdout
    assert "\n  mail to " in done.stdout
    assert "/api/v1/" not in done.stdout


def test_unknown_version_is_refused() -> None:
    done = run_demo("v3")
    assert (done.returncode, done.stdout) == (1, "API_VERSION is 'v3'. Use v1 or v2.\n")
