"""A blueprint template that edits a program session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blueprint import Blueprint
from pydantic import Field

from airflow_provider_learning360.api.session_update import read_update
from airflow_provider_learning360.dag_yaml.checked_step import checked_step
from airflow_provider_learning360.dag_yaml.forms import CONN_ID, Form, SessionId
from airflow_provider_learning360.dag_yaml.step_references import AnyValues, given_arguments
from airflow_provider_learning360.operators.session_update import UpdateProgramSessionOperator
from airflow_provider_learning360.rendering import is_template

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator


class UpdateSessionForm(Form, title="learning360_update_session"):
    """The program session, and its new values."""

    session_id: SessionId = Field(description="ID of the program session: 24 characters of 0-9 and a-f.")
    set: AnyValues = Field(
        description="The fields to set, each with its new value; others stay as they are.",
        examples=[{"startDate": "2026-03-01T08:00:00Z"}],
    )
    dry_run: bool = Field(False, description="Show what would change, and change nothing.", examples=[True])
    learning_conn_id: str = CONN_ID

    def check(self) -> None:
        """Refuse fields that cannot be changed."""
        read_update(self.set.given, is_template)


class UpdateSession(Blueprint[UpdateSessionForm]):
    """Edit a program session: only fields that differ are written."""

    name = "learning360_update_session"
    version = 1

    @checked_step
    def render(self, config: UpdateSessionForm) -> BaseOperator:
        """Return the task."""
        arguments = given_arguments(config)
        return UpdateProgramSessionOperator(task_id=self.step_id, **arguments)
