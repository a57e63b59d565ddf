"""
### Fetch one program session

Trigger it with the ID of a program session. The task `get_session` pushes the session's validated JSON document to XCom;
the next task reads it. Without the learners: their names and mails are not needed here, so they do not reach XCom.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import Param, dag, task

from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator

SESSION_ID = Param(
    "60b8d2956e20ae1a0f8e44f1",
    type="string",
    pattern="^[0-9a-fA-F]{24}$",
    title="Session ID",
    description="24 characters of 0-9 and a-f, from the session's address in 360Learning",
)


@dag(schedule=None, catchup=False, tags=["360learning", "example"], doc_md=__doc__, params={"session_id": SESSION_ID})
def fetch_session() -> None:
    """Fetch one program session and use it."""
    session = GetProgramSessionOperator(
        task_id="get_session", session_id="{{ params.session_id }}", exclude=["users", "tutors", "author"]
    )

    @task
    def show_dates(document: dict[str, Any]) -> str:
        """Say when the session takes place."""
        return f"{document['name']}: {document.get('startDate')} to {document.get('endDate')}"

    show_dates(session.output)


fetch_session()
