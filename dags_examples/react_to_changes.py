"""
### A run because dates changed

Airflow starts this DAG when the dates of a session change in 360Learning. It watches all sessions of the platform, and polls
them once a minute. If several sessions change at once, one run handles all of them.

**Try it:** switch the DAG on, wait a minute, and move the start of a session. Within a minute, the DAG runs; the new dates are in
the XComs of `tell`. Triggered by hand, the DAG has no changes to handle: `changed` returns none, and the other tasks are skipped.

To watch some sessions only, put their IDs into `session_ids`. Needs Airflow 3.0. With Airflow 3.0.6 and later, changes that happen
while Airflow is down are found later.
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
    """Find the changed sessions, read each, tell its new dates."""
    changed = ChangedProgramSessionsOperator(task_id="changed")
    sessions = GetProgramSessionOperator.partial(
        task_id="get_session", fields=["_id", "name", "startDate", "endDate"]
    ).expand(session_id=changed.output)

    @task
    def tell(document: dict[str, Any]) -> str:
        """Replace this with what you need: a mail, a room booking, a report."""
        return f"{document['name'].strip()} now starts {document.get('startDate')} and ends {document.get('endDate')}"

    tell.expand(document=sessions.output)


react_to_changes()
