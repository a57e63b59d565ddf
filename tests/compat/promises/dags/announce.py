"""A planner that remembers which dates were announced."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_learning360.operators.reminders import PlanSessionRemindersOperator

POLICY = {"name": "Compat", "rules": [{"name": "moved", "on": "date_changed", "settle": {}, "audience": "learners"}]}

with DAG("announce", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    PlanSessionRemindersOperator(task_id="plan", policy=POLICY)
