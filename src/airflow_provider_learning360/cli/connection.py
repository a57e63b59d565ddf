"""`check`: whether a connection works, how quickly, and what its key may read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_learning360.api.diagnosis import accepted, diagnose
from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.api.platform import advance
from airflow_provider_learning360.cli.errors import report_errors
from airflow_provider_learning360.cli.output import logs_on_stderr, write
from airflow_provider_learning360.cli.progress import show_progress
from airflow_provider_learning360.hooks.learning import LearningHook

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_provider_learning360.api.platform import Plan

T = TypeVar("T")
WIDTH = 12  # of the first column


def check(args: Namespace) -> None:
    """
    Check a connection and print each result on a line of its own.

    :param args: `learning_conn_id`.
    :raises SystemExit: With status 1, if the key may not read something.
    """
    with report_errors():
        hook = LearningHook(args.learning_conn_id)
        settings, version = hook.settings, hook.platform.version
        _write("connection", f"{args.learning_conn_id}: {settings.host}, API {version}, keys by {settings.auth}")
        if not (_test_keys(hook) and _can_read(hook)):
            raise SystemExit(1)


def _test_keys(hook: LearningHook) -> bool:
    """Print whether the keys are accepted; return whether it is worth trying what they may read."""
    started, names = time.monotonic(), hook.settings.key_names
    try:
        with show_progress("Testing the keys"):
            hook.check_keys()
    except LearningError as error:
        _write("credentials", diagnose(error, names), to_stderr=True)
        return bool(error.scope)
    _write("credentials", accepted(hook.settings.host, time.monotonic() - started, names))
    return True


def _can_read(hook: LearningHook) -> bool:
    """Print what the credentials may read; return whether that is everything."""
    seconds: list[float] = []
    with logs_on_stderr(), show_progress("Reading what the credentials may read"):
        checks = hook.run_plan(_measure(hook.platform.check_access(), seconds))
    width = max([WIDTH, *(len(check.name) for check in checks)])
    for check, duration in zip(checks, seconds, strict=True):
        took = f" ({duration * 1000:.0f} ms)" if check.granted else ""
        _write(check.name.ljust(width), f"{check.detail}{took}", to_stderr=not check.granted)
    return all(check.granted for check in checks)


def _measure(plan: Plan[T], seconds: list[float]) -> Plan[T]:
    """Carry out a plan; append how long each of its calls took."""
    outcome: Any = None
    while True:
        try:
            step = advance(plan, outcome)
        except StopIteration as end:
            done: T = end.value
            return done
        started = time.monotonic()
        try:
            outcome = yield step
        except LearningError as error:
            outcome = error
        seconds.append(time.monotonic() - started)


def _write(label: str, text: str, *, to_stderr: bool = False) -> None:
    write(f"{label:<{WIDTH}} {text}", to_stderr=to_stderr)
