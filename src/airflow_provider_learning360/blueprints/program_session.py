"""Blueprint templates that read program sessions."""

from __future__ import annotations

from blueprint import Blueprint
from pydantic import Field

from airflow.providers.common.compat.sdk import Param

from airflow_provider_learning360.api.contract import ContractPolicy  # noqa: TC001 - pydantic reads it
from airflow_provider_learning360.dag_yaml.checked_step import checked_step
from airflow_provider_learning360.dag_yaml.expressions import build_param_expression, is_expression, set_at_run_time
from airflow_provider_learning360.dag_yaml.forms import (
    CONN_ID,
    CONTRACT,
    EXCLUDE,
    FIELDS,
    ID_IN_TRIGGER_FORM,
    FieldNames,
    Form,
    Moment,
    SessionId,
    to_arguments,
)
from airflow_provider_learning360.operators.program_session import (
    GetProgramSessionOperator,
    ListProgramSessionsOperator,
)


class GetSessionForm(Form, title="learning360_get_session"):
    """The program session to read."""

    session_id: SessionId = Field(description="ID of the program session: 24 characters of 0-9 and a-f.")
    learning_conn_id: str = CONN_ID
    fields: FieldNames = FIELDS
    exclude: FieldNames = EXCLUDE
    contract: ContractPolicy = CONTRACT


class GetSession(Blueprint[GetSessionForm]):
    """Read one program session, and push its validated document to XCom."""

    name = "learning360_get_session"
    version = 1

    @checked_step
    def render(self, config: GetSessionForm) -> GetProgramSessionOperator:
        """Return the task. The trigger form of the DAG can name another session, and nothing else."""
        task = GetProgramSessionOperator(task_id=self.step_id, **to_arguments(config))
        # The form would take an expression as plain text. And blueprint's own form (`supports_params`) would offer
        # all fields, with `exclude` and the connection.
        if not is_expression(config.session_id):
            field = f"{self.step_id}__session_id"
            task.dag.params[field] = Param(config.session_id, section=self.step_id, **ID_IN_TRIGGER_FORM)
            set_at_run_time(task, {"session_id": build_param_expression(field)})
        return task


class ListSessionsForm(Form, title="learning360_list_sessions"):
    """The program sessions to list."""

    template_id: str | None = Field(
        None,
        min_length=1,
        description="ID of the program template; default any.",
        examples=["5f9a1c2d3e4b5a6978801234"],
    )
    name_pattern: str | None = Field(
        None,
        min_length=1,
        description="Pattern of the name, with * and ?, in any case; default any.",
        examples=["Onboarding*"],
    )
    starts_after: Moment = Field(None, description="Earliest startDate, inclusive.")
    starts_before: Moment = Field(None, description="The startDate must be earlier than this.")
    ends_after: Moment = Field(None, description="Earliest endDate, inclusive.")
    ends_before: Moment = Field(None, description="The endDate must be earlier than this.")
    modified_since: Moment = Field(None, description="Earliest modifiedAt, inclusive.")
    learning_conn_id: str = CONN_ID
    fields: FieldNames = Field(
        None, description="Names of the fields to keep; default _id, name, startDate, endDate, modifiedAt."
    )
    contract: ContractPolicy = CONTRACT


class ListSessions(Blueprint[ListSessionsForm]):
    """List the program sessions of the company, filtered, as small documents."""

    name = "learning360_list_sessions"
    version = 1

    @checked_step
    def render(self, config: ListSessionsForm) -> ListProgramSessionsOperator:
        """Return the task."""
        return ListProgramSessionsOperator(task_id=self.step_id, **to_arguments(config))
