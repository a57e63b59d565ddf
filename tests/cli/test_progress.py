"""A progress bar appears on a terminal after two seconds, and never in the result."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

import pytest

from airflow_provider_learning360.cli import progress

SLOW = """
import sys, time
from airflow_provider_learning360.cli import progress
progress.DELAY = float(sys.argv[1])
with progress.show_progress("Reading the list", total=2) as advance:
    advance()
    time.sleep(0.4)
print("the result")
"""


def run_on_terminal(delay: str) -> tuple[str, str]:
    """Run a program whose standard error is a terminal; return standard output, and what the terminal got."""
    terminal, end = pty.openpty()
    run = subprocess.run(
        [sys.executable, "-c", SLOW, delay], env=os.environ, stdout=subprocess.PIPE, stderr=end, text=True, check=True
    )
    os.close(end)
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(terminal)
    return run.stdout, shown.decode()


def test_bar_appears_on_a_terminal_after_the_delay() -> None:
    out, shown = run_on_terminal("0.05")
    assert out == "the result\n"
    assert "Reading the list" in shown


def test_quick_command_shows_no_bar() -> None:
    assert run_on_terminal("30") == ("the result\n", "")


def test_no_bar_without_a_terminal(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "DELAY", 0.0)
    with progress.show_progress("Reading the list") as advance:
        advance()
        time.sleep(0.1)
    assert capfd.readouterr() == ("", "")
