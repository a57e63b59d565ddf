"""Blueprint templates that plan reminders of program sessions, and deliver them."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

from blueprint import Blueprint, ConfigurationError
from pydantic import AfterValidator, Field

from airflow.providers.common.compat.sdk import TaskGroup
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_learning360.api.errors import FixArgumentError
from airflow_provider_learning360.dag_yaml.checked_step import checked_step
from airflow_provider_learning360.dag_yaml.earlier_step import EarlierStep
from airflow_provider_learning360.dag_yaml.expressions import is_expression, set_at_run_time
from airflow_provider_learning360.dag_yaml.files import find_beside_dags
from airflow_provider_learning360.dag_yaml.forms import (
    CONN_ID,
    Form,
    Length,
    Period,
    SessionIds,
    to_arguments,
    to_validator,
)
from airflow_provider_learning360.dag_yaml.mistakes import MAX_NAME_LENGTH, NAME
from airflow_provider_learning360.operators.program_session import ListProgramSessionsOperator
from airflow_provider_learning360.operators.reminders import PlanSessionRemindersOperator, SendSessionReminderOperator
from airflow_provider_learning360.reminders import DEFAULT_CONNECTIONS
from airflow_provider_learning360.reminders.addresses import UnmailableError
from airflow_provider_learning360.reminders.mail import parse_mailbox
from airflow_provider_learning360.reminders.mail_templates import check_templates
from airflow_provider_learning360.reminders.policy import ReminderPolicy


def _require_policy(path: str) -> str:
    """Return the absolute path of a policy file, after reading the policy."""
    found = find_beside_dags(path, "policy", "file")
    ReminderPolicy.read(found)
    return found


def _require_folder(path: str, argument: str) -> str:
    return find_beside_dags(path, argument, "folder")


def _require_address(address: str, argument: str) -> str:
    try:
        parse_mailbox(address)
    except UnmailableError:
        raise FixArgumentError(
            f"{argument}: it is not a mail address; write an address, or a name and an address in <>"
        ) from None
    return address


_Address = Annotated[str | None, AfterValidator(to_validator(_require_address))]


class PolicyForm(Form):
    """Fields of all steps for reminders."""

    # A path, not the text: Airflow shows the YAML, and a policy may contain addresses.
    policy: Annotated[str, AfterValidator(_require_policy)] = Field(
        description="Path of the file with the reminder policy: absolute, or relative to the DAGs folder.",
        examples=["reminders.yaml"],
    )


class PlanRemindersForm(
    PolicyForm,
    title="learning360_plan_reminders",
    json_schema_extra={"not": {"required": ["sessions", "sessions_step"]}},
):
    """Which reminders to plan, and which DAG delivers them."""

    delivery_dag_id: str = Field(
        pattern=NAME,
        max_length=MAX_NAME_LENGTH,
        description="ID of the DAG that delivers: one with a step learning360_deliver_reminders.",
        examples=["deliver_reminder"],
    )
    sessions: SessionIds = Field(None, description="IDs of the program sessions; default all sessions of the platform.")
    sessions_step: str | None = Field(
        None,
        min_length=1,
        description="An earlier step learning360_list_sessions, for the sessions that it lists.",
        examples=["onboardings"],
    )
    learning_conn_id: str = CONN_ID

    def check(self) -> None:
        """Refuse two sources of sessions."""
        if self.sessions is not None and self.sessions_step is not None:
            raise ValueError("sessions: give it or sessions_step, not both")


class PlanReminders(Blueprint[PlanRemindersForm]):
    """Start a delivery for each reminder that is due; run it every quarter of an hour."""

    name = "learning360_plan_reminders"
    version = 1

    @checked_step
    def render(self, config: PlanRemindersForm) -> TaskGroup:
        """Return the group: plan, and start_delivery for each reminder that is due."""
        with TaskGroup(self.step_id) as group:
            if config.delivery_dag_id == group.dag.dag_id:
                raise ConfigurationError(
                    f"Step {self.step_id!r}, 'delivery_dag_id': {config.delivery_dag_id!r} is this DAG. It would "
                    "start itself and deliver nothing. Name the DAG with a step learning360_deliver_reminders"
                )
            plan = PlanSessionRemindersOperator(task_id="plan", **to_arguments(config, without="sessions_step"))
            import_trigger_operator().partial(
                task_id="start_delivery", trigger_dag_id=config.delivery_dag_id, skip_when_already_exists=True
            ).expand_kwargs(plan.output)
        if config.sessions_step is not None:
            earlier = EarlierStep(config.sessions_step, "sessions_step", self.step_id)
            set_at_run_time(plan, {"sessions": earlier.output(plan, (ListProgramSessionsOperator,), ["_id"])})
        return group


def import_trigger_operator() -> Any:
    """Return Airflow's `TriggerDagRunOperator`, which Airflow 2 has in another module."""
    module = "airflow.providers.standard.operators.trigger_dagrun"
    return import_module(module if AIRFLOW_V_3_0_PLUS else "airflow.operators.trigger_dagrun").TriggerDagRunOperator


class DeliverRemindersForm(PolicyForm, title="learning360_deliver_reminders"):
    """How to mail a reminder."""

    learning_conn_id: str = CONN_ID
    smtp_conn_id: str = Field(
        "smtp_default",
        min_length=1,
        description="ID of the connection to the mail server.",
        examples=["smtp_default"],
    )
    sender: _Address = Field(
        None,
        min_length=1,
        description="Who the mails are from; default from_email of the connection to the mail server.",
        examples=["Academy <academy@example.com>"],
    )
    reply_to: _Address = Field(
        None, min_length=1, description="Where replies go; default to the sender.", examples=["help@example.com"]
    )
    templates: Annotated[str | None, AfterValidator(to_validator(_require_folder))] = Field(
        None,
        min_length=1,
        description="Folder with your own mail templates: absolute, or relative to the DAGs folder.",
        examples=["mail_templates"],
    )
    rate: float | None = Field(
        20,
        gt=0,
        description="Maximum number of mails per second; null for no limit.",
        examples=[20],
    )
    batch_size: int = Field(
        100, ge=1, description="Maximum number of mails over one connection to the mail server.", examples=[100]
    )
    connections: int = Field(
        DEFAULT_CONNECTIONS,
        ge=1,
        description="Maximum number of connections to the mail server at once. Some mail servers allow few.",
        examples=[2],
    )
    retries: int = Field(
        5, ge=0, description="How often to try again; a retry mails only those without a mail.", examples=[5]
    )
    retry_delay: Length = Field(
        Period(minutes=1),
        description="Time before the first retry; it doubles with each retry.",
        examples=[{"minutes": 1}],
    )

    def check(self) -> None:
        """Refuse mail templates that cannot be rendered."""
        if is_expression(self.templates):
            return
        for rule in ReminderPolicy.read(self.policy).rules:
            try:
                check_templates(rule, self.templates)
            except FixArgumentError as error:
                raise FixArgumentError(f"policy: rule {rule.name!r}, template: {error}") from None


class DeliverReminders(Blueprint[DeliverRemindersForm]):
    """Mail the reminder that a DAG run is about, once to each recipient."""

    name = "learning360_deliver_reminders"
    version = 1

    @checked_step
    def render(self, config: DeliverRemindersForm) -> SendSessionReminderOperator:
        """Return the task."""
        arguments = to_arguments(config) | {"retry_delay": config.retry_delay.length}
        return SendSessionReminderOperator(task_id=self.step_id, retry_exponential_backoff=True, **arguments)
