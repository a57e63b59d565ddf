"""How soon `make airflow` is ready with the examples, and how soon it ends."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_airflow_process import REPOSITORY, LocalAirflow


def test_start_and_end(benchmark: Any, measuring: bool, figure: Callable[..., None], tmp_path: Path) -> None:
    """From the command until the page can be opened, and from Ctrl-C until nothing runs."""
    if not measuring:
        pytest.skip("tests/e2e/test_local_airflow.py starts it; here it is timed")
    ready, ended = benchmark.pedantic(_start_and_end, args=(tmp_path / "home",), rounds=1)
    figure("make airflow, new database: ready", f"{ready} s", "< 30 s")
    figure("make airflow: ended after Ctrl-C", f"{ended:.1f} s", "< 5 s")


def _start_and_end(home: Path) -> tuple[int, float]:
    with LocalAirflow(home, REPOSITORY / "dags_examples") as airflow:
        ready = re.search(r"Ready after (\d+) s", airflow.output)
        assert ready
        began = time.monotonic()
        assert airflow.interrupt() == 0
        ended = time.monotonic() - began
        assert airflow.processes() == []
    return int(ready[1]), ended
