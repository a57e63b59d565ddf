"""Fetch a session, with a policy that waits out a short outage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator
from airflow_provider_learning360.policies.retry import HAS_RETRY_POLICIES, LearningRetryPolicy

with DAG("fetch_in_an_outage", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as fetch_in_an_outage:
    GetProgramSessionOperator(
        task_id="get_session",
        session_id="{{ dag_run.conf['session_id'] }}",
        retries=1,
        retry_delay=timedelta(seconds=0),
        **({"retry_policy": LearningRetryPolicy(max_reschedules=2)} if HAS_RETRY_POLICIES else {}),
    )
