"""A blueprint template that asks a person."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Literal

from blueprint import Blueprint
from pydantic import Field

from airflow_provider_learning360.dag_yaml.checked_step import checked_step
from airflow_provider_learning360.dag_yaml.expressions import APPROVAL_BODY, APPROVAL_SUBJECT
from airflow_provider_learning360.dag_yaml.forms import Form, Length, Period, to_arguments
from airflow_provider_learning360.rendering import SafeRendering

if TYPE_CHECKING:
    from airflow.providers.standard.operators.hitl import ApprovalOperator


class AskBeforeSendingForm(Form, title="learning360_ask_before_sending"):
    """The question, and the decision if nobody responds."""

    subject: str = Field(
        APPROVAL_SUBJECT,
        min_length=1,
        description="The question; the default names the rule and the session of the reminder.",
        examples=["Send the reminder?"],
    )
    body: str = Field(
        APPROVAL_BODY,
        description="Details for the decision, in Markdown; the default says since when the reminder is due.",
        examples=["Check the session first."],
    )
    defaults: Literal["Approve", "Reject"] = Field(
        "Approve", description="The decision if nobody responds in time.", examples=["Reject"]
    )
    response_timeout: Length = Field(
        Period(minutes=30), description="How long to wait for a response.", examples=[{"minutes": 30}]
    )

    def check(self) -> None:
        """Refuse an Airflow that cannot ask people."""
        import_approval_operator()


class AskBeforeSending(Blueprint[AskBeforeSendingForm]):
    """Ask a person in Airflow before the next steps run."""

    name = "learning360_ask_before_sending"
    version = 1

    @checked_step
    def render(self, config: AskBeforeSendingForm) -> ApprovalOperator:
        """Return the task."""
        arguments = to_arguments(config) | {"response_timeout": config.response_timeout.length}
        return import_approval_operator()(task_id=self.step_id, **arguments)


def import_approval_operator() -> type[ApprovalOperator]:
    """
    Return Airflow's operator that asks a person.

    :raises ImportError: Airflow or its standard provider is too old.
    """
    from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException

    try:
        from airflow.providers.standard.operators.hitl import ApprovalOperator as AirflowsOperator
        from airflow.providers.standard.operators.hitl import HITLOperator
    except (ImportError, AirflowOptionalProviderFeatureException):
        is_new_enough = False
    else:
        # Of an older one, Airflow's own error would not say which package is too old.
        is_new_enough = "response_timeout" in signature(HITLOperator.__init__).parameters
    if not is_new_enough:
        raise ImportError(
            "learning360_ask_before_sending needs Airflow 3.1 or later, and apache-airflow-providers-standard 1.12.2"
        )

    class ApprovalOperator(SafeRendering, AirflowsOperator):
        """Airflow's operator, whose texts may use what earlier steps returned."""

    return ApprovalOperator
