"""Enrol and unenrol people in a session, and change its fields."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.operators.enrolment import EnrolLearnersOperator, UnenrolLearnersOperator
from airflow_provider_learning360.operators.session_update import UpdateProgramSessionOperator

SESSION = "{{ dag_run.conf['session_id'] }}"
PEOPLE = "{{ dag_run.conf['people'] }}"

with DAG("write_sessions", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
    shown = EnrolLearnersOperator(task_id="show", session_id=SESSION, people=PEOPLE, dry_run=True)
    enrolled = EnrolLearnersOperator(task_id="enrol", session_id=SESSION, people=PEOPLE)
    again = EnrolLearnersOperator(task_id="enrol_again", session_id=SESSION, people=PEOPLE)
    unenrolled = UnenrolLearnersOperator(task_id="unenrol", session_id=SESSION, people=PEOPLE)
    updated = UpdateProgramSessionOperator(task_id="update", session_id=SESSION, set={"userLimit": "{{ 3 + 4 }}"})
    shown >> enrolled >> again >> unenrolled >> updated
