"""Templates that wait for changes of program sessions, and that act on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blueprint import Blueprint, ConfigurationError
from pydantic import Field

from airflow.providers.common.compat.sdk import TaskGroup

from airflow_provider_learning360.api.changes import watermark_since
from airflow_provider_learning360.api.contract import ContractPolicy  # noqa: TC001 - pydantic reads it
from airflow_provider_learning360.api.waiting import OnMissing  # noqa: TC001 - pydantic reads it
from airflow_provider_learning360.dag_yaml.earlier_step import EarlierStep
from airflow_provider_learning360.dag_yaml.expressions import is_expression, left_to_the_run
from airflow_provider_learning360.dag_yaml.forms import (
    CONN_ID,
    CONTRACT,
    EXCLUDE,
    FIELDS,
    FieldNames,
    Form,
    Length,
    Moment,
    Period,
    SessionIdOrNone,
    arguments_of,
)
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator
from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator
from airflow_provider_learning360.sensors.program_session import ProgramSessionModifiedSensor

if TYPE_CHECKING:
    from pydantic.config import JsonDict

_SCHEMA: JsonDict = {
    "anyOf": [{"required": ["session_id"]}, {"required": ["since_step"]}],
    "not": {"required": ["since", "since_step"]},
}


class WaitForChangeForm(Form, title="learning360_wait_for_change", json_schema_extra=_SCHEMA):
    """What to wait for, and for how long."""

    session_id: SessionIdOrNone = Field(
        None, description="ID of the program session: 24 characters of 0-9 and a-f; default that of since_step."
    )
    since_step: str | None = Field(
        None,
        min_length=1,
        description="An earlier step that reads the session: a change of what it read is waited for.",
        examples=["session"],
    )
    since: Moment = Field(None, description="Time after which a change counts; default the first look of this step.")
    watch: FieldNames = Field(None, description="Names of the fields of which one must differ; default any.")
    poke_interval: Length = Field(
        Period(minutes=1), description="Time between two looks.", examples=[{"minutes": 5}, {"hours": 1}]
    )
    timeout: Length = Field(Period(days=7), description="How long to wait at most.", examples=[{"days": 7}])
    soft_fail: bool = Field(False, description="Skip the step instead of failing it when the time is over.")
    on_missing: OnMissing = Field(
        "fail", description="What to do if there is no such session any more.", examples=["skip"]
    )
    max_failures: int = Field(
        10, ge=0, description="Looks in a row that may get no answer before the step fails.", examples=[10]
    )
    deferrable: bool = Field(True, description="Wait in the triggerer, where waiting takes no worker slot.")
    learning_conn_id: str = CONN_ID
    fields: FieldNames = FIELDS
    exclude: FieldNames = EXCLUDE
    contract: ContractPolicy = CONTRACT

    def check(self) -> None:
        """Refuse what does not say which session, or since when."""
        if self.session_id is None and self.since_step is None:
            raise ValueError(
                "session_id: it is missing; give the ID of a session, or a step that reads one in since_step"
            )
        if self.since is not None and self.since_step is not None:
            raise ValueError("since: give it or since_step, not both")
        if self.since is not None and not is_expression(self.since):
            watermark_since(self.since, "", self.watch or [])


class WaitForChange(Blueprint[WaitForChangeForm]):
    """Wait until a program session is modified, and push its new document to XCom."""

    name = "learning360_wait_for_change"
    version = 1

    def render(self, config: WaitForChangeForm) -> ProgramSessionModifiedSensor:
        """Return the task."""
        arguments = arguments_of(config, leave_out="since_step")
        for name in ("poke_interval", "timeout"):
            arguments[name] = arguments[name].length.total_seconds()
        task = ProgramSessionModifiedSensor(task_id=self.step_id, **arguments)
        if config.since_step is not None:
            reading = (GetProgramSessionOperator, ProgramSessionModifiedSensor)
            # A session ID of its own makes up for one that the document lacks.
            needs = [*(() if config.session_id else ("_id",)), "modifiedAt", *(config.watch or ())]
            document = EarlierStep(config.since_step, "since_step", self.step_id).output(task, reading, needs)
            left_to_the_run(task, {"since": document, "session_id": config.session_id or document})
        return task


class ChangedSessionsForm(Form, title="learning360_changed_sessions"):
    """What to read of the program sessions that changed."""

    learning_conn_id: str = CONN_ID
    fields: FieldNames = FIELDS
    exclude: FieldNames = EXCLUDE
    contract: ContractPolicy = CONTRACT


class ChangedSessions(Blueprint[ChangedSessionsForm]):
    """In a DAG that starts when watched program sessions change: find out which did, and read each."""

    name = "learning360_changed_sessions"
    version = 1

    def render(self, config: ChangedSessionsForm) -> TaskGroup:
        """Return the group: changed, and get_session for each of them."""
        with TaskGroup(self.step_id) as group:
            if not getattr(group.dag.timetable, "asset_condition", None):
                raise ConfigurationError(
                    f"Step {self.step_id!r}: it needs watch: beside steps:, "
                    "such as watch: {name: all}. Without it, no change starts the DAG, and the step finds nothing"
                )
            changed = ChangedProgramSessionsOperator(task_id="changed")
            GetProgramSessionOperator.partial(task_id="get_session", **arguments_of(config)).expand(
                session_id=changed.output
            )
        return group
