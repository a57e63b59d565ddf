"""A blueprint template that reads how far the learners of program sessions are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blueprint import Blueprint
from pydantic import Field

from airflow_provider_learning360.api.progress import Who  # noqa: TC001 - pydantic reads it
from airflow_provider_learning360.dag_yaml.checked_step import checked_step
from airflow_provider_learning360.dag_yaml.earlier_step import EarlierStep
from airflow_provider_learning360.dag_yaml.forms import CONN_ID, Form, SessionIdOrNone, to_arguments
from airflow_provider_learning360.operators.program_session import ListProgramSessionsOperator
from airflow_provider_learning360.operators.progress import GetSessionProgressOperator

if TYPE_CHECKING:
    from pydantic.config import JsonDict

_ONE_SOURCE: JsonDict = {"oneOf": [{"required": ["session_id"]}, {"required": ["sessions_step"]}]}


class GetProgressForm(Form, title="learning360_get_progress", json_schema_extra=_ONE_SOURCE):
    """The program sessions, and which of their learners to list."""

    session_id: SessionIdOrNone = Field(None, description="ID of the program session: 24 characters of 0-9 and a-f.")
    sessions_step: str | None = Field(
        None,
        min_length=1,
        description="An earlier step learning360_list_sessions: the learners of all sessions that it lists.",
        examples=["sessions"],
    )
    who: Who = Field("not_completed", description="Which learners to list.", examples=["not_completed", "late"])
    learning_conn_id: str = CONN_ID

    def check(self) -> None:
        """Refuse two sources of sessions, and none."""
        if self.session_id is None and self.sessions_step is None:
            raise ValueError("session_id: it is missing; give the ID of a session, or sessions_step: a step that lists")
        if self.session_id is not None and self.sessions_step is not None:
            raise ValueError("session_id: give it or sessions_step, not both")


class GetProgress(Blueprint[GetProgressForm]):
    """List the learners of program sessions with their progress, as small items."""

    name = "learning360_get_progress"
    version = 1

    @checked_step
    def render(self, config: GetProgressForm) -> GetSessionProgressOperator:
        """Return the task, or one for each listed session."""
        arguments = to_arguments(config, without="sessions_step")
        if config.sessions_step is None:
            return GetSessionProgressOperator(task_id=self.step_id, **arguments)
        del arguments["session_id"]
        earlier = EarlierStep(config.sessions_step, "sessions_step", self.step_id)
        output = earlier.find_output((ListProgramSessionsOperator,), ["_id"])
        mapped: GetSessionProgressOperator = GetSessionProgressOperator.partial(
            task_id=self.step_id, **arguments
        ).expand(session_id=output)
        return mapped
