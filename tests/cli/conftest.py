"""Run a command in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_learning360.cli.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def call_command(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command; return exit status, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        status = 0
        try:
            main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capfd.readouterr()
        return status, out, err

    return run
