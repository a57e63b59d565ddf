"""Blueprint templates that wait for changes of program sessions, and act on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blueprint import Blueprint, ConfigurationError
from pydantic import Field

from airflow.providers.common.compat.sdk import TaskGroup

from airflow_provider_learning360.api.changes import watermark_since
from airflow_provider_learning360.api.contract import ContractPolicy  # noqa: TC001 - pydantic reads it
from airflow_provider_learning360.api.waiting import OnMissing  # noqa: TC001 - pydantic reads it
from airflow_provider_learning360.dag_yaml.checked_step import checked_step
from airflow_provider_learning360.dag_yaml.earlier_step import EarlierStep
from airflow_provider_learning360.dag_yaml.expressions import is_expression, set_at_run_time
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
    to_arguments,
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
    """The change to wait for, and for how long."""

    session_id: SessionIdOrNone = Field(
        None, description="ID of the program session: 24 characters of 0-9 and a-f; default the session of since_step."
    )
    since_step: str | None = Field(
        None,
        min_length=1,
        description="An earlier step that reads the session. The wait is for a change after that.",
        examples=["session"],
    )
    since: Moment = Field(None, description="A change after this time counts; default the first poll of this step.")
    watch: FieldNames = Field(None, description="Fields to watch: at least one of them must change; default any.")
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
        """Refuse a step without a session, and two watermarks."""
        if self.session_id is None and self.since_step is None:
            raise ValueError(
                "session_id: it is missing; give the ID of a session, or since_step: a step that reads one"
            )
        if self.since is not None and self.since_step is not None:
            raise ValueError("since: since_step is given, too; give one of them")
        if self.since is not None and not is_expression(self.since):
            watermark_since(self.since, "", self.watch or [])


class WaitForChange(Blueprint[WaitForChangeForm]):
    """Wait until a program session is modified, and push its new document to XCom."""

    name = "learning360_wait_for_change"
    version = 1

    @checked_step
    def render(self, config: WaitForChangeForm) -> ProgramSessionModifiedSensor:
        """Return the task."""
        arguments = to_arguments(config, without="since_step")
        for name in ("poke_interval", "timeout"):
            arguments[name] = arguments[name].length.total_seconds()
        task = ProgramSessionModifiedSensor(task_id=self.step_id, **arguments)
        if config.since_step is not None:
            readers = (GetProgramSessionOperator, ProgramSessionModifiedSensor)
            # With a session ID in this step, the document needs none.
            needs = [*(() if config.session_id else ("_id",)), "modifiedAt", *(config.watch or ())]
            document = EarlierStep(config.since_step, "since_step", self.step_id).output(task, readers, needs)
            set_at_run_time(task, {"since": document, "session_id": config.session_id or document})
        return task


class ChangedSessionsForm(Form, title="learning360_changed_sessions"):
    """What to read of each changed program session."""

    learning_conn_id: str = CONN_ID
    fields: FieldNames = FIELDS
    exclude: FieldNames = EXCLUDE
    contract: ContractPolicy = CONTRACT


class ChangedSessions(Blueprint[ChangedSessionsForm]):
    """In a DAG that starts when watched program sessions change: read each changed session."""

    name = "learning360_changed_sessions"
    version = 1

    @checked_step
    def render(self, config: ChangedSessionsForm) -> TaskGroup:
        """Return a group: changed, and get_session for each changed session."""
        with TaskGroup(self.step_id) as group:
            condition = getattr(group.dag.timetable, "asset_condition", None)
            if not condition:
                raise ConfigurationError(
                    f"Step {self.step_id!r}: the DAG has no watch:, so that no change starts it. "
                    "Add watch: beside steps:, such as watch: {name: all}"
                )
            if _watches_completions(condition):
                raise ConfigurationError(
                    f"Step {self.step_id!r}: the DAG watches completions, which change no session. "
                    "Leave out kind: completions, or use other steps."
                )
            changed = ChangedProgramSessionsOperator(task_id="changed")
            GetProgramSessionOperator.partial(task_id="get_session", **to_arguments(config)).expand(
                session_id=changed.output
            )
        return group


def _watches_completions(condition: Any) -> bool:
    """Whether all events that start a DAG are about completions."""
    watchers = [watcher for asset in getattr(condition, "objects", ()) for watcher in getattr(asset, "watchers", ())]
    return bool(watchers) and all(type(one.trigger).__name__ == "CompletionsWatchTrigger" for one in watchers)
