"""
### One run for each changed session

Two DAGs. When sessions change in 360Learning, Airflow starts `dispatch_changes`. It starts `react_to_one_session` once for each
changed session. So each session has a run of its own, which you can check, retry and clear by itself.

**Try it:** switch both DAGs on, wait a minute, and edit a session. Within a minute, both DAGs run.
Triggered by hand, `dispatch_changes` has no changes to pass on, and skips; `react_to_one_session` reads the example session.

How it works: the runs are partitions of the asset `changed_program_session`. The partition key is the ID of the session.
Needs Airflow 3.3.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, PartitionedAssetTimetable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_learning360.assets.program_session import watched_program_sessions
from airflow_provider_learning360.operators.changes import ChangedProgramSessionsOperator
from airflow_provider_learning360.operators.program_session import GetProgramSessionOperator

ALL_SESSIONS = watched_program_sessions(name="all_program_sessions", poll_interval=60)
ONE_SESSION = Asset("changed_program_session")
COMMON: dict[str, Any] = {"catchup": False, "tags": ["360learning", "example"], "doc_md": __doc__}


@dag(schedule=[ALL_SESSIONS], max_active_runs=1, **COMMON)
def dispatch_changes() -> None:
    """Start one run for each changed session."""
    changed = ChangedProgramSessionsOperator(task_id="changed")

    @task(outlets=[ONE_SESSION])
    def dispatch(changes: list[dict[str, Any]], *, outlet_events: Any) -> None:
        """Create one partition for each session."""
        if not changes:
            raise AirflowSkipException("There are no new changes: an earlier run has handled them, or there were none.")
        outlet_events[ONE_SESSION].add_partitions([change["_id"] for change in changes])

    dispatch(changed.output)  # type: ignore[arg-type]


@dag(schedule=PartitionedAssetTimetable(assets=ONE_SESSION), **COMMON)
def react_to_one_session() -> None:
    """Read the session that this run is about."""
    GetProgramSessionOperator(
        task_id="get_session",
        session_id="{{ dag_run.partition_key or '60b8d2956e20ae1a0f8e44f1' }}",  # a run by hand has no partition
        fields=["_id", "name", "startDate", "endDate", "modifiedAt"],
    )


dispatch_changes()
react_to_one_session()
