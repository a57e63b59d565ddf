"""A blueprint template that reads how far the learners of a program session are."""

from __future__ import annotations

from blueprint import Blueprint
from pydantic import Field

from airflow_provider_learning360.api.progress import Who  # noqa: TC001 - pydantic reads it
from airflow_provider_learning360.dag_yaml.forms import CONN_ID, Form, SessionId, to_arguments
from airflow_provider_learning360.operators.progress import GetSessionProgressOperator


class GetProgressForm(Form, title="learning360_get_progress"):
    """The program session, and which of its learners to list."""

    session_id: SessionId = Field(description="ID of the program session: 24 characters of 0-9 and a-f.")
    who: Who = Field("not_completed", description="Which learners to list.", examples=["not_completed", "late"])
    learning_conn_id: str = CONN_ID


class GetProgress(Blueprint[GetProgressForm]):
    """List the learners of a program session with their progress, as small items."""

    name = "learning360_get_progress"
    version = 1

    def render(self, config: GetProgressForm) -> GetSessionProgressOperator:
        """Return the task."""
        return GetSessionProgressOperator(task_id=self.step_id, **to_arguments(config))
