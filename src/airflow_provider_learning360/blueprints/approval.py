"""A template that asks a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from blueprint import Blueprint
from pydantic import Field

from airflow_provider_learning360.dag_yaml.expressions import APPROVAL_BODY, APPROVAL_SUBJECT
from airflow_provider_learning360.dag_yaml.forms import Form, Length, Period, arguments_of

if TYPE_CHECKING:
    from airflow.providers.standard.operators.hitl import ApprovalOperator


class AskBeforeSendingForm(Form, title="learning360_ask_before_sending"):
    """What to ask, and what happens if nobody answers."""

    subject: str = Field(
        APPROVAL_SUBJECT,
        min_length=1,
        description="The question; default one with the rule and the session of the reminder.",
        examples=["Send the reminder?"],
    )
    body: str = Field(
        APPROVAL_BODY,
        description="What helps to decide, in Markdown; default since when the reminder is due.",
        examples=["Look at the session first."],
    )
    defaults: Literal["Approve", "Reject"] = Field(
        "Approve", description="The answer if nobody gives one in time.", examples=["Reject"]
    )
    response_timeout: Length = Field(
        Period(minutes=30), description="How long to wait for an answer.", examples=[{"minutes": 30}]
    )

    def check(self) -> None:
        """Refuse an Airflow that cannot ask."""
        approval_operator()


class AskBeforeSending(Blueprint[AskBeforeSendingForm]):
    """Ask in Airflow before the steps that depend on this one go on."""

    name = "learning360_ask_before_sending"
    version = 1

    def render(self, config: AskBeforeSendingForm) -> ApprovalOperator:
        """Return the task."""
        arguments = arguments_of(config) | {"response_timeout": config.response_timeout.length}
        return approval_operator()(task_id=self.step_id, **arguments)


def approval_operator() -> type[ApprovalOperator]:
    """
    Return Airflow's operator that asks a person.

    :raises ImportError: Airflow is too old for it.
    """
    from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException

    try:
        from airflow.providers.standard.operators.hitl import ApprovalOperator
    except (ImportError, AirflowOptionalProviderFeatureException):
        raise ImportError("asking a person needs Airflow 3.1 or later, and apache-airflow-providers-standard") from None
    return ApprovalOperator
