"""
### Reminders that follow the session, and go out once

`plan_reminders` looks every quarter of an hour which reminders of [reminders.yaml](reminders.yaml) are due, and starts one run
of `deliver_reminder` for each. The ID of that run is the key of the reminder: Airflow refuses a second one, so that planning
again, clearing and retrying mail nobody twice. If a session's date moves, the old reminder is dropped and a new one is due.

Try a policy first: `airflow learning360 plan-reminders reminders.yaml`. Needs Airflow 3.3, and a connection of type `smtp` with
`from_email` in its extra.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG

from airflow_provider_learning360.operators.reminders import PlanSessionRemindersOperator, SendSessionReminderOperator

POLICY = str(Path(__file__).with_name("reminders.yaml"))

with DAG(
    "plan_reminders",
    schedule="*/15 * * * *",
    catchup=False,
    max_active_runs=1,
    tags=["360learning", "example"],
    doc_md=__doc__,
) as plan_reminders:
    plan = PlanSessionRemindersOperator(task_id="plan", policy=POLICY, delivery_dag_id="deliver_reminder")
    TriggerDagRunOperator.partial(
        task_id="start_delivery", trigger_dag_id="deliver_reminder", skip_when_already_exists=True
    ).expand_kwargs(plan.output)

with DAG(
    "deliver_reminder", schedule=None, catchup=False, tags=["360learning", "example"], doc_md=__doc__
) as deliver_reminder:
    SendSessionReminderOperator(
        task_id="send",
        policy=POLICY,
        rate=20,
        retries=5,
        retry_delay=timedelta(minutes=1),
        retry_exponential_backoff=True,
    )
