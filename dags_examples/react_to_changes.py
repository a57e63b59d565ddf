"""
### A run because dates changed

No run waits: Airflow starts one when the dates of a program session have changed, whichever session of the platform it is. If
several have changed at once, one run is about all of them. Change `session_ids` to watch only some.

Needs Airflow 3.0. With 3.3 and later, nothing is lost while Airflow is down.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from airflow_provider_learning360.assets.program_session import watched_program_sessions
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator
from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator

NEW_DATES = watched_program_sessions(
    name="program_sessions_with_new_dates", session_ids=None, watch=["startDate", "endDate"], poll_interval=60
)


@dag(schedule=[NEW_DATES], catchup=False, max_active_runs=1, tags=["360learning", "example"], doc_md=__doc__)
def react_to_changes() -> None:
    """Find out which sessions changed, read each, tell what is new."""
    changed = ChangedProgramSessionsOperator(task_id="changed")
    sessions = GetProgramSessionOperator.partial(
        task_id="get_session", fields=["_id", "name", "startDate", "endDate"]
    ).expand(session_id=changed.output)

    @task
    def tell(document: dict[str, Any]) -> str:
        """Stand in for the mail, the room booking, the report."""
        return f"{document['name'].strip()} now starts {document.get('startDate')} and ends {document.get('endDate')}"

    tell.expand(document=sessions.output)


react_to_changes()
