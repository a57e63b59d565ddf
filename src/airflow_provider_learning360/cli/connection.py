"""`check`: whether a connection works, how quickly, and what its key may read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.errors import LearningError
from airflow_provider_learning360.cli.failure import told_in_one_line
from airflow_provider_learning360.cli.output import write
from airflow_provider_learning360.hooks.learning import LearningHook

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable


def check(args: Namespace) -> None:
    """
    Check a connection and print what was found, line by line; exit status 1 if something may not be read.

    :param args: `learning_conn_id`.
    """
    with told_in_one_line():
        hook = LearningHook(args.learning_conn_id)
        settings = hook.settings
        write(f"{'connection':<12} {args.learning_conn_id}: {settings.host}, keys by {settings.auth}")
        works, message = hook.test_connection()
        write(f"{'credentials':<12} {message}", to_stderr=not works)
        if not works or not _reads(hook):
            raise SystemExit(1)


def _reads(hook: LearningHook) -> bool:
    """Try each route that the provider reads, on the first session that there is."""
    sessions = _tried("sessions", hook.list_program_sessions, "program sessions")
    if not sessions:
        return sessions is not None
    first = sessions[0].id
    done = [
        _tried("one session", lambda: hook.get_program_session(first)),
        _tried("learners", lambda: hook.get_program_session_users(first), "learners"),
        _tried("statistics", lambda: hook.get_program_session_stats(first)),
    ]
    return None not in done


def _tried(label: str, read: Callable[[], Any], plural: str = "") -> Any:
    started = time.monotonic()
    try:
        result = read()
    except LearningError as error:
        write(f"{label:<12} may not be read: {error}", to_stderr=True)
        return None
    took = f"{(time.monotonic() - started) * 1000:.0f} ms"
    print(f"{label:<12} may be read" + (f": {len(result)} {plural}" if plural else "") + f", in {took}")
    return result
