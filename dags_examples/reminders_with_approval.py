"""
### Reminders that somebody approves

Like `deliver_reminder`, but a person approves each reminder first. The training team gets a mail once it is sent.

**Try it:** trigger it, and open *Required Actions* in Airflow. Choose *Approve* or *Reject*. If nobody does within half an hour,
Airflow approves. Triggered by hand, the DAG has no reminder to send: after the approval, `send` skips.

To use it, write its name into `plan_reminders`, in both places, instead of `deliver_reminder`. Do so before the first reminder:
each of the two DAGs would deliver a reminder once.

Needs Airflow 3.1, `apache-airflow-providers-standard` 1.12.2 or later, and a connection `smtp_default` of type `smtp` with
`from_email` in its extra. Any other notifier works as well, such as those for Slack or Microsoft Teams.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG

from airflow_provider_learning360.operators.reminders import SendSessionReminderOperator

POLICY = str(Path(__file__).with_name("reminders.yaml"))

with DAG("approve_reminder", schedule=None, catchup=False, tags=["360learning", "example"], doc_md=__doc__) as dag:
    approve = ApprovalOperator(
        task_id="approve",
        subject="Send reminder {{ dag_run.conf.get('rule', '(none)') }} of session {{ dag_run.conf.get('session_id', '(none)') }}?",
        body="It is due since {{ dag_run.conf.get('due', '(never)') }}.",
        defaults="Approve",
        response_timeout=timedelta(minutes=30),
    )
    send = SendSessionReminderOperator(
        task_id="send",
        policy=POLICY,
        retries=5,
        retry_delay=timedelta(minutes=1),
        on_success_callback=[
            SmtpNotifier(
                to="training@example.com",
                subject="Reminder {{ dag_run.conf['rule'] }} is sent",
                html_content="Session {{ dag_run.conf['session_id'] }}",
            )
        ],
    )
    approve >> send
