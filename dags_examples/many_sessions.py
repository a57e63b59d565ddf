"""
### Many sessions, one task each

Lists the program sessions that start within the next four weeks and fetches each of them in a mapped task, named after its
session in the UI. The list holds small documents; each goes into `session_id` as it is.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_learning360.operators.program_session import (
    GetProgramSessionOperator,
    ListProgramSessionsOperator,
)


@dag(schedule=None, catchup=False, tags=["360learning", "example"], doc_md=__doc__)
def many_sessions() -> None:
    """List sessions, fetch each, count learners."""
    upcoming = ListProgramSessionsOperator(
        task_id="list_sessions",
        name_pattern="*",
        starts_after="{{ dag_run.start_date }}",
        starts_before="{{ dag_run.start_date + macros.timedelta(weeks=4) }}",
    )
    sessions = GetProgramSessionOperator.partial(
        task_id="get_session", fields=["_id", "name", "startDate", "userLimit", "users"]
    ).expand(session_id=upcoming.output)

    @task
    def count_learners(document: dict[str, Any]) -> dict[str, Any]:
        """Keep numbers, not people."""
        return {"name": document["name"].strip(), "learners": len(document.get("users") or [])}

    count_learners.expand(document=sessions.output)


many_sessions()
