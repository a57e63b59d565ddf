"""
### Reminders that somebody approves

Like `deliver_reminder`, but Airflow asks first (*Required Actions*), and goes on by itself if nobody answers within half an
hour. Afterwards a Slack channel is told. Use it instead of `deliver_reminder`, from the beginning: a reminder is delivered once
by each DAG.

Needs Airflow 3.3, and `apache-airflow-providers-slack` with a connection `slack_api_default`; any other notifier does as well.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.slack.notifications.slack import SlackNotifier
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG

from airflow_provider_learning360.operators.reminders import SendSessionReminderOperator

POLICY = str(Path(__file__).with_name("reminders.yaml"))

with DAG("approve_reminder", schedule=None, catchup=False, tags=["360learning", "example"], doc_md=__doc__) as dag:
    approve = ApprovalOperator(
        task_id="approve",
        subject="Send {{ dag_run.conf['rule'] }} of session {{ dag_run.conf['session_id'] }}?",
        body="Due since {{ dag_run.conf['due'] }}.",
        defaults="Approve",
        response_timeout=timedelta(minutes=30),
    )
    send = SendSessionReminderOperator(
        task_id="send",
        policy=POLICY,
        retries=5,
        retry_delay=timedelta(minutes=1),
        on_success_callback=[
            SlackNotifier(channel="training", text="Sent: {{ dag_run.conf['rule'] }}, {{ dag_run.conf['session_id'] }}")
        ],
    )
    approve >> send
