"""
### Fetch one program session

Reads one session from 360Learning, and hands its dates to the next task.

**Try it:** trigger it. The form asks for the ID of a session, and already holds that of the simulator's example session. The
session is in the XCom of `get_session`, its dates are in that of `show_dates`.

People are left out (`exclude`): the next task does not need them, so their names and addresses do not reach Airflow's
database.
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
        """Return when the session takes place."""
        return f"{document['name']}: {document.get('startDate')} to {document.get('endDate')}"

    show_dates(session.output)


fetch_session()
