"""`get-session`: the "Test request" of the command line."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from airflow_provider_learning360.api.contract import find_drift, report_drift
from airflow_provider_learning360.api.endpoints import build_session_path
from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.cli.failure import told_in_one_line
from airflow_provider_learning360.cli.output import write, write_json, write_json_text
from airflow_provider_learning360.hooks.learning import LearningHook

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator


def get_session(args: Namespace) -> None:
    """
    Read one program session and print it.

    :param args: `session_id`, `learning_conn_id`, `raw`, `field` and `contract`.
    """
    with told_in_one_line():
        hook = LearningHook(args.learning_conn_id)
        with stdout_kept_clean():
            raw = hook.run(build_session_path(args.session_id)).text if args.raw else None
            session = hook.get_program_session(args.session_id) if raw is None else None
        if session is None:
            write_json_text(raw or "")
            return
        warning = report_drift(f"Program session {session.id}", find_drift(session), args.contract)
        if warning:
            write(f"Warning: {warning}", to_stderr=True)
        _print(session.document(), args.field)


@contextmanager
def stdout_kept_clean() -> Iterator[None]:
    """Send to standard error what Airflow logs to standard output: that is for the session alone, others read it."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)  # some of Airflow's loggers hold on to the stream, so that replacing `sys.stdout` is not enough
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _print(document: dict[str, Any], field: str | None) -> None:
    if field is None:
        write_json(document, indent=2)
    elif field not in document:
        raise FixArgumentError(f"The session has no field {field!r}. It has: {', '.join(document)}.")
    else:
        value = document[field]
        if isinstance(value, str):
            write(value)
        else:
            write_json(value)
