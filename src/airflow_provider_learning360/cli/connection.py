"""`check`: whether a connection works, how quickly, and what its key may read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.cli.errors import report_errors
from airflow_provider_learning360.cli.output import logs_on_stderr, write
from airflow_provider_learning360.cli.progress import show_progress
from airflow_provider_learning360.hooks.learning import LearningHook

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

T = TypeVar("T")


def check(args: Namespace) -> None:
    """
    Check a connection and print each result on a line of its own.

    :param args: `learning_conn_id`.
    :raises SystemExit: With status 1, if the key may not read something.
    """
    with report_errors():
        hook = LearningHook(args.learning_conn_id)
        settings = hook.settings
        write(f"{'connection':<12} {args.learning_conn_id}: {settings.host}, keys by {settings.auth}")
        with show_progress("Exchanging the keys for a token"):
            works, message = hook.test_connection()
        write(f"{'credentials':<12} {message}", to_stderr=not works)
        if not works or not _can_read(hook):
            raise SystemExit(1)


def _can_read(hook: LearningHook) -> bool:
    """Try each route that the provider reads, on the first session of the list."""
    sessions = _try_route("sessions", hook.list_program_sessions, lambda found: f": {len(found)} program sessions")
    if not sessions:
        return sessions is not None
    first = sessions[0].id
    results = [
        _try_route("one session", lambda: hook.get_program_session(first)),
        _try_route("learners", lambda: hook.get_program_session_users(first), lambda found: f": {len(found)} learners"),
        _try_route("statistics", lambda: hook.get_program_session_stats(first)),
    ]
    return None not in results


def _try_route(label: str, read: Callable[[], T], describe: Callable[[T], str] = lambda _: "") -> T | None:
    started = time.monotonic()
    try:
        with logs_on_stderr(), show_progress(f"Reading: {label}"):
            result = read()
    except LearningError as error:
        write(f"{label:<12} cannot be read: {error}", to_stderr=True)
        return None
    milliseconds = (time.monotonic() - started) * 1000
    write(f"{label:<12} can be read{describe(result)}, in {milliseconds:.0f} ms")
    return result
