"""
### A run because learners completed a session

Airflow starts this DAG when learners have completed a session. It polls once a minute. The event has sessions and counts, and no
people; the DAG reads the names of the sessions. If learners of several sessions have completed, one run handles all of them.

**Try it:** switch the DAG on, wait a minute, and let a learner of the session complete it. Within a minute, the DAG runs; the result
is in the XComs of `tell`. Triggered by hand, the DAG has no completions to handle, and the tasks after `count` are skipped.

With API v2, leave out `session_ids` to watch the whole platform: that is one request a poll. To wait until all learners of one
session have completed it, use `SessionCompletedSensor`. Needs Airflow 3.0. With Airflow 3.0.6 and later, completions while Airflow is
down are found later.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

from airflow_provider_learning360.assets.completions import watched_completions
from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator

COMPLETIONS = watched_completions("completions", session_ids=["60b8d2956e20ae1a0f8e44f1"], poll_interval=60)


@dag(schedule=[COMPLETIONS], catchup=False, max_active_runs=1, tags=["360learning", "example"], doc_md=__doc__)
def react_to_completions() -> None:
    """Count the new completions of each session, read its name, tell the count."""

    @task
    def count(*, triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        """Return how many learners have completed each session, over all events of this run."""
        counts: dict[str, int] = {}
        for event in (triggering_asset_events or {}).get(COMPLETIONS, []):
            for one in event.extra["payload"]["completions"]:
                counts[one["_id"]] = counts.get(one["_id"], 0) + one["completed"]
        return [{"_id": session_id, "completed": completed} for session_id, completed in counts.items()]

    @task
    def tell(pair: tuple[dict[str, Any], dict[str, Any]]) -> str:
        """Replace this with what you need: a certificate, a survey, a report."""
        completions, session = pair
        return f"{completions['completed']} more have completed {session['name'].strip()}"

    completed = count()
    sessions = GetProgramSessionOperator.partial(task_id="get_session", fields=["_id", "name"]).expand(
        session_id=completed
    )
    tell.expand(pair=completed.zip(sessions.output))


react_to_completions()
