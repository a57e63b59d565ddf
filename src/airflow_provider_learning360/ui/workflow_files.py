"""The files of a workflow that the page has shown, for an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import status
from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_learning360.api.catalogue.catalogue import load_operations
from airflow_provider_learning360.reminders.policy import ReminderPolicy
from airflow_provider_learning360.ui.archive import split_files
from airflow_provider_learning360.ui.failure import ArgumentsRefusedError, PageError
from airflow_provider_learning360.ui.operation_workflow import build_operation_workflows
from airflow_provider_learning360.ui.reminder_plan import MAX_CHOSEN_SESSIONS, drop_empty
from airflow_provider_learning360.ui.reminder_workflow import build_reminder_workflow
from airflow_provider_learning360.ui.session_options import SessionOptions
from airflow_provider_learning360.ui.workflow import build_workflows

if TYPE_CHECKING:
    from airflow_provider_learning360.ui.responses import Snippet


class ShownWorkflow(BaseModel):
    """
    What the page has sent to get a workflow: for an operation, a session, or a policy.

    :param name: Name of the operation; default none.
    :param parameters: Its parameters, by key; default none.
    :param body: Its body; default none.
    :param session_id: ID of the session; default none.
    :param kind: What the workflow for the session does; default `fetch`.
    :param title: Name of the session; default none.
    :param policy: The policy; default none.
    :param sessions: IDs of the sessions that it is about; default all.
    :param approval: Whether somebody approves each reminder first; default no.
    :param options: Options of the operator, or of the workflows for a session; default none.
    """

    model_config = ConfigDict(extra="ignore")

    name: str | None = Field(None, max_length=200)
    parameters: dict[str, Any] = {}
    body: Any = None
    session_id: str | None = Field(None, max_length=200)
    kind: str = "fetch"
    title: str = Field("", max_length=200)
    policy: dict[str, Any] | None = None
    sessions: list[str] = Field([], max_length=MAX_CHOSEN_SESSIONS)
    approval: bool = False
    options: dict[str, Any] = {}


def build_workflow_files(
    workflow: ShownWorkflow, learning_conn_id: str, host: str, dialect: str
) -> tuple[str, dict[str, str]]:
    """
    Return the name of a workflow, and its files by path.

    :param workflow: The workflow.
    :param learning_conn_id: ID of the Airflow connection.
    :param host: Address of 360Learning that the connection leads to.
    :param dialect: Name of the dialect.
    :raises PageError: 404, there is no such workflow.
    :raises ArgumentsRefusedError: The workflow is not valid.
    """
    snippets = _build_snippets(workflow, learning_conn_id, host)
    snippet = next((one for one in snippets if one["dialect"] == dialect), None)
    if snippet is None:
        raise PageError(status.HTTP_404_NOT_FOUND, "no_workflow")
    return snippet["file"].rpartition("/")[2].partition(".")[0], split_files(snippet)


def _build_snippets(workflow: ShownWorkflow, conn_id: str, host: str) -> list[Snippet]:
    if workflow.policy is not None:
        policy = drop_empty(workflow.policy)
        if problems := ReminderPolicy.find_problems(policy):
            raise ArgumentsRefusedError(problems)
        return [build_reminder_workflow(policy, conn_id, workflow.sessions, approval=workflow.approval)]
    if workflow.session_id is not None:
        options = SessionOptions.read(workflow.options)
        offered = build_workflows(workflow.session_id, conn_id, host, workflow.title, options)
        return next((one["snippets"] for one in offered if one["kind"] == workflow.kind), [])
    operation = load_operations().get(workflow.name or "")
    if operation is None:
        return []
    arguments = (workflow.parameters, workflow.body, workflow.options)
    (built,) = build_operation_workflows(operation, conn_id, *arguments, picked=[])["workflows"]
    return built["snippets"]
