"""
### Many sessions, one task each

Lists the program sessions that start within the next four weeks, and reads each of them in a task of its own. Airflow shows
each task under the name of its session.

**Try it:** trigger it; there is nothing to fill in. The number of learners of each session is in the XComs of `count_learners`.
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
    """List sessions, read each, count its learners."""
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
        """Return a number and no people."""
        return {"name": document["name"].strip(), "learners": len(document.get("users") or [])}

    count_learners.expand(document=sessions.output)


many_sessions()
