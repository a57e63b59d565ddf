"""
### Reminders that follow the session, and go out once

Two DAGs. `plan_reminders` runs every 15 minutes, and finds the reminders of `reminders.yaml` that are due. It starts one run of
`deliver_reminder` for each reminder, which mails it to each recipient. When a session is rescheduled, its reminders move with it.

**Try it:** switch both DAGs on, or trigger `plan_reminders`. It plans nothing in quiet hours and on days off; the mails go out
when these end. Triggered by hand, `deliver_reminder` has no reminder to send, and skips.

**Nobody is mailed twice:** the ID of a delivery run is the key of its reminder, and Airflow refuses a second run with the same ID.
So you may plan again, clear and retry as often as you like. Switch on one example of reminders only: each example mails by itself.

To see who would get which reminder, without sending any: `airflow learning360 plan-reminders reminders.yaml`.
Needs Airflow 3.0, and a connection `smtp_default` of type `smtp` with `from_email` in its extra.
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
