"""Fetch a session, then wait until it is modified: on the worker, rescheduled, in the triggerer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor


def fetch_then_wait(name: str, since_fetch: bool = False, **mode: Any) -> DAG:
    """Return the DAG; without `since_fetch`, its wait starts at the first poll."""
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
            since=fetched.output if since_fetch else None,
            **mode,
            poke_interval=0.1,
            timeout=60,
        )
        fetched >> waited
    return dag


on_worker = fetch_then_wait("on_worker", deferrable=False)
in_triggerer = fetch_then_wait("in_triggerer", deferrable=True)
rescheduled = fetch_then_wait("rescheduled", since_fetch=True, deferrable=False, mode="reschedule")
rescheduled_without_since = fetch_then_wait("without_since", deferrable=False, mode="reschedule")
