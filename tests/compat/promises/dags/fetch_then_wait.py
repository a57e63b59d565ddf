"""Fetch a session, then wait until it is modified: once on the worker, once in the triggerer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor


def fetch_then_wait(deferrable: bool) -> DAG:
    """Return the DAG; its wait starts at the first poll, so that it needs no `since`."""
    name = "in_triggerer" if deferrable else "on_worker"
    with DAG(f"fetch_then_wait_{name}", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        fetched = GetProgramSessionOperator(
            task_id="get_session",
            session_id="{{ dag_run.conf['session_id'] }}",
            retries=3,
            retry_delay=timedelta(0),
        )
        waited = ProgramSessionModifiedSensor(
            task_id="wait_for_change",
            session_id="{{ dag_run.conf['session_id'] }}",
            watch=["startDate"],
            deferrable=deferrable,
            poke_interval=0.1,
            timeout=60,
        )
        fetched >> waited
    return dag


on_worker = fetch_then_wait(deferrable=False)
in_triggerer = fetch_then_wait(deferrable=True)
