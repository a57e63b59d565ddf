"""A blueprint template that waits until learners have completed a program session."""

from __future__ import annotations

from blueprint import Blueprint
from pydantic import Field

from airflow_provider_learning360.api.completion_target import CompletionTarget
from airflow_provider_learning360.api.contract import ContractPolicy  # noqa: TC001 - pydantic reads it
from airflow_provider_learning360.api.waiting import OnMissing  # noqa: TC001 - pydantic reads it
from airflow_provider_learning360.dag_yaml.checked_step import checked_step
from airflow_provider_learning360.dag_yaml.forms import (
    CONN_ID,
    CONTRACT,
    EXCLUDE,
    FIELDS,
    FieldNames,
    Form,
    Length,
    Period,
    SessionId,
    to_arguments,
)
from airflow_provider_learning360.sensors.session_completed import SessionCompletedSensor


class WaitForCompletionForm(
    Form, title="learning360_wait_for_completion", json_schema_extra={"not": {"required": ["share", "count"]}}
):
    """The session to wait for, and how many of its learners."""

    session_id: SessionId = Field(description="ID of the program session: 24 characters of 0-9 and a-f.")
    share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Share of the learners that must have completed; default 1: all of them.",
        examples=[0.8],
    )
    count: int | None = Field(
        None, ge=1, description="Number of learners that must have completed, instead of share.", examples=[20]
    )
    poke_interval: Length = Field(
        Period(minutes=1), description="Time between two polls.", examples=[{"minutes": 5}, {"hours": 1}]
    )
    timeout: Length = Field(Period(days=7), description="Maximum time to wait.", examples=[{"days": 7}])
    soft_fail: bool = Field(False, description="Skip the step instead of failing it after the timeout.")
    on_missing: OnMissing = Field("fail", description="What to do if the session no longer exists.", examples=["skip"])
    max_failures: int = Field(10, ge=0, description="Failed polls in a row before the step fails.", examples=[10])
    deferrable: bool = Field(True, description="Wait in the triggerer, which takes no worker slot.")
    learning_conn_id: str = CONN_ID
    fields: FieldNames = FIELDS
    exclude: FieldNames = EXCLUDE
    contract: ContractPolicy = CONTRACT

    def check(self) -> None:
        """Refuse two targets."""
        CompletionTarget.read(self.share, self.count)


class WaitForCompletion(Blueprint[WaitForCompletionForm]):
    """Wait until enough learners have completed a program session, and push its document to XCom."""

    name = "learning360_wait_for_completion"
    version = 1

    @checked_step
    def render(self, config: WaitForCompletionForm) -> SessionCompletedSensor:
        """Return the task."""
        arguments = to_arguments(config)
        for name in ("poke_interval", "timeout"):
            arguments[name] = arguments[name].length.total_seconds()
        return SessionCompletedSensor(task_id=self.step_id, **arguments)
